"""A machine that is not written as it must be, in a program of its own: its author is told before a row is written."""

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
    from tickets.app import APPLICATION
    from tickets.machine import Tickets

    class Wrong(Tickets):
        name = "my tickets"

    def load():
        return replace(APPLICATION, machine=Wrong())

    {when}
    run(command_line("wrong", "1.0", "Sells."), load)

main(run)
"""


@pytest.mark.parametrize("arguments", [["serve", "--port", "0"], ["journal", "verify"]])
@pytest.mark.parametrize("when", ["", "load()"])
def test_a_wrong_machine_is_wrong_configuration(tmp_path: Path, arguments: list[str], when: str) -> None:
    """One sentence and exit status 2, whether it is loaded first or by the command; and no directory is made."""
    (tmp_path / "wrong.py").write_text(PROGRAM.format(when=when))
    path = f"{environment()['PYTHONPATH']}:{CHECKOUT / 'examples'}:{tmp_path}"
    data_dir = tmp_path / "data"
    done = run(*arguments, "--data-dir", str(data_dir), program=command("wrong"), PYTHONPATH=path)
    assert (done.returncode, data_dir.exists()) == (2, False), done.stderr
    assert "its name 'my tickets' must be: letters, numerals and hyphens" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_ends_before_its_command_line_has_the_name_of_the_program(tmp_path: Path) -> None:
    """Of a package, that of its folder."""
    package = tmp_path / "seats"
    package.mkdir()
    (package / "__main__.py").write_text(
        "from pexservice.__main__ import main\nfrom pexservice.errors import Scarce\n"
        "def run():\n    raise Scarce('nothing is left.')\nmain(run)\n"
    )
    done = run(program=command("seats"), PYTHONPATH=f"{environment()['PYTHONPATH']}:{tmp_path}")
    assert (done.returncode, done.stderr) == (71, "seats: nothing is left.\n")
