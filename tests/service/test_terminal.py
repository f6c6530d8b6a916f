"""What a person reads who starts the service at a terminal, and what a machine reads."""

import json
import os
import pty
import re
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from pexservice import __version__
from support.process import HANG_S, command, run, serving
from support.unheard import running


def at_terminal(directory: Path, *arguments: str, until: str = "", **variables: str) -> tuple[int, list[str]]:
    """Run `serve` at a terminal; stop it with Ctrl-C once a line holds `until`. Return its status and its lines."""
    ours, theirs = pty.openpty()
    program = command("pexservice", "serve", "--port", "0", "--data-dir", str(directory), *arguments)
    text = b""
    stopped = not until
    with running(program, stderr=theirs, variables={"TERM": "xterm"} | variables) as process:
        os.close(theirs)
        with os.fdopen(ours, "rb", buffering=0) as terminal, suppress(OSError):  # It ends with EIO.
            while piece := terminal.read(4096):
                text += piece
                if not stopped and until.encode() in text:
                    process.send_signal(signal.SIGINT)
                    stopped = True
        return process.wait(HANG_S), text.decode().splitlines()


def test_a_person_reads_one_line_when_it_serves_and_one_when_it_stops(tmp_path: Path) -> None:
    """Version, address, directory, and how to stop. Only a new walk takes another line."""
    status, lines = at_terminal(tmp_path, until="Ctrl-C stops.")
    assert status == 0
    new, serves, stops = lines
    assert new == f"pexservice: a new journal begins in {tmp_path}."
    pattern = rf"pexservice {re.escape(__version__)} at http://127\.0\.0\.1:\d+, data in {re.escape(str(tmp_path))}\. "
    assert re.fullmatch(f"{pattern}Ctrl-C stops\\.", serves)
    assert stops == "pexservice stops. Ctrl-C again ends it at once."
    assert len(at_terminal(tmp_path, until="Ctrl-C stops.")[1]) == 2


def test_a_person_reads_where_probes_and_metrics_are(tmp_path: Path) -> None:
    """If they are not where the steps are."""
    _, lines = at_terminal(tmp_path, "--admin-bind", "127.0.0.1:0", until="Ctrl-C stops.")
    assert re.search(r":\d+, probes and metrics at http://127\.0\.0\.1:\d+, data in ", lines[1])


def test_an_error_is_one_plain_sentence(tmp_path: Path) -> None:
    """Without time, level, or fields."""
    status, lines = at_terminal(tmp_path, "--host", "192.0.2.1")
    assert status == 69
    [line] = lines
    assert line.startswith("pexservice: cannot listen on 192.0.2.1:0: ")


def test_json_is_json_at_a_terminal_too(tmp_path: Path) -> None:
    """Whatever happens, also what ends it."""
    status, lines = at_terminal(tmp_path, "--log-format", "json", "--host", "192.0.2.1")
    assert (status, [json.loads(line)["event"] for line in lines]) == (69, ["cannot go on"])


@pytest.mark.parametrize(
    ("variables", "is_coloured"),
    [
        ({"NO_COLOR": ""}, True),
        ({"NO_COLOR": "1"}, False),
        ({"NO_COLOR": "0"}, False),
        ({"NO_COLOR": "", "TERM": "dumb"}, False),
    ],
)
def test_colours_are_left_out_where_they_are_not_wanted(
    tmp_path: Path,
    variables: dict[str, str],
    is_coloured: bool,  # noqa: FBT001
) -> None:
    """NO_COLOR that is not empty, and a terminal that has none."""
    _, lines = at_terminal(tmp_path, "--log-level", "debug", until="listening", **variables)
    assert ("\x1b[" in "".join(lines)) == is_coloured


def test_without_a_terminal_lines_are_for_machines(tmp_path: Path) -> None:
    """Each with time, level and event; a new walk is a warning there, once."""
    for warns in (True, False):
        options = ["serve", "--port", "0", "--data-dir", str(tmp_path)]
        lines = []
        with running(command("pexservice", *options), stderr=subprocess.PIPE) as process:
            assert process.stderr is not None
            for line in process.stderr:
                lines.append(line.decode())
                if b"listening" in line:
                    process.send_signal(signal.SIGTERM)
            assert process.wait(HANG_S) == 0
        assert all(re.match(r"\d{4}-\S+Z \[\w+ *\] \w", line) for line in lines), lines
        assert any("[warning  ] a new journal begins" in line and str(tmp_path) in line for line in lines) == warns
    ended = run("serve", "--host", "192.0.2.1", "--data-dir", str(tmp_path))
    assert re.match(r"\S+Z \[critical *\] cannot go on ", ended.stderr)


def test_debug_tells_what_was_decided_and_what_came_of_it(tmp_path: Path) -> None:
    """Every option in effect, and the counts of this life."""
    with serving(tmp_path, "--log-level", "debug", "--keep-alive", "7s") as service, service.connect() as client:
        assert client.ask("POST", "/next").status == 200
        assert service.logged("settings")["keep_alive_s"] == "7.0"
        service.stop()
        served = service.logged("served")
        assert (served["steps"], served["accepted"]) == (1, 1)
