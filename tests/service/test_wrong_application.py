"""An application that is not written as it must be: its author is told before it listens, by a sentence and a 2."""

from pathlib import Path
from typing import Final

import pytest

from support.process import command, environment, run

CHECKOUT: Final = Path(__file__).parents[2]
PROGRAM: Final = """
from dataclasses import replace
from pexservice.__main__ import main

def run():
    from pexservice.cli.frame import command_line, run
    from tickets import endpoints
    from tickets.app import APPLICATION
    FORMS = endpoints._FORMS
    application = APPLICATION
    {change}
    run(command_line("wrong", "1.0", "Sells."), lambda: application)

main(run)
"""
CHANGES: Final = [
    (
        "endpoints._FORMS = replace(FORMS, bodies={'application/json': lambda _, hall: dict(hall)})",
        "the body of application/json (Forms.bodies) returns {} of the initial state: it must return a text",
    ),
    (
        "endpoints._FORMS = replace(FORMS, fields=lambda sequence, hall: 'Seats-Left: 20')",
        "Forms.fields writes 'Seats-Left: 20' of the initial state: each line is ASCII, NAME: VALUE, and ends with CR",
    ),
    (
        "application = replace(APPLICATION, endpoints=lambda site, probes: [*probes, probes[0]])",
        "its endpoints have two rows with the path /livez. Leave one out.",
    ),
    (
        "application = replace(APPLICATION, endpoints=lambda site, probes: [*probes, None])",
        "row 4 of its endpoints is None: a row is what Resource.state, command and events return.",
    ),
    (
        "application = replace(APPLICATION, endpoints=lambda site, probes: None)",
        "its endpoints return None, which is no list: return described(...).",
    ),
    (
        "application = replace(APPLICATION, endpoints=lambda site, _: endpoints.Resource(site, FORMS).state())",
        "its endpoints raise TypeError at wrong.py:11 in run.<locals>.<lambda>",
    ),
    (
        "application = replace(APPLICATION, endpoints=lambda at, _: [endpoints.Resource(at, FORMS).state('hall', '')])",
        "the path 'hall' of an endpoint can never be reached: it must be a slash, then letters",
    ),
    ("application = None", "what is given to run loads None: it must return an Application."),
    ("application = replace(APPLICATION, machine=None)", "its machine is None: it must be an instance of a subclass"),
    ("type(APPLICATION)(name='wrong')", "Application(...) lacks version, machine, endpoints, hold. Give it by name."),
    (
        "from pexservice.core.machine import Machine; type('Half', (Machine,), {'step': None})()",
        "Half lacks answer_bytes_max, decode, decode_state, encode, encode_state, kind. Write what is missing.",
    ),
    (
        "from pexservice.core.machine import Refusal; Refusal('gone', 'Gone', 'It is.', 200)",
        "the status of Refusal 'gone' is a 4xx that HTTP has, not 200.",
    ),
]


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize(("change", "told"), CHANGES)
def test_a_wrong_application_is_wrong_configuration(tmp_path: Path, change: str, told: str, workers: str) -> None:
    """In one process or several: one sentence, exit status 2, and nothing was made or listened to."""
    (tmp_path / "wrong.py").write_text(PROGRAM.format(change=change))
    path = f"{environment()['PYTHONPATH']}:{CHECKOUT / 'examples'}:{tmp_path}"
    data_dir = tmp_path / "data"
    arguments = ["serve", "--port", "0", "--workers", workers, "--data-dir", str(data_dir)]
    done = run(*arguments, wrapper=["timeout", "20"], program=command("wrong"), PYTHONPATH=path)
    assert (done.returncode, data_dir.exists()) == (2, False), done.stderr
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert "listening" not in done.stderr
