"""What `--help` says, and how."""

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from pexservice import errors
from pexservice.cli import commands

_OPERATIONS = (Path(__file__).parents[3] / "docs" / "operations.md").read_text("utf-8")


def _paths(command: click.Command = commands, *above: str) -> Iterator[tuple[str, ...]]:
    yield above
    if isinstance(command, click.Group):
        for name, each in command.commands.items():
            yield from _paths(each, *above, name)


def _help(*path: str, flag: str = "--help", columns: int = 80) -> str:
    outcome = CliRunner(env={"COLUMNS": str(columns)}).invoke(commands, [*path, flag], "pexservice")
    assert outcome.exit_code == 0
    return outcome.stdout


@pytest.mark.parametrize("path", list(_paths()))
def test_every_command_has_help_of_two_names(path: tuple[str, ...]) -> None:
    """-h is --help, whatever the environment holds."""
    assert _help(*path, flag="-h") == _help(*path)


@pytest.mark.parametrize("columns", [40, 60, 80, 200])
@pytest.mark.parametrize("path", list(_paths()))
def test_help_fits_and_cuts_nothing_off(path: tuple[str, ...], columns: int) -> None:
    """No line is wider than the terminal, or than people read; no summary ends in dots."""
    shown = _help(*path, columns=columns)
    assert max(map(len, shown.splitlines())) <= min(max(columns, 80), 110)
    assert "..." not in shown.replace("[ARGS]...", "")


def test_exit_statuses_are_a_list() -> None:
    """One a line; those of the catalogue are all there, and in docs/operations.md too."""
    listed = set(map(int, re.findall(r"^ +([0-9]+)  \S", _help(), re.MULTILINE)))
    fatal = {each.exit_status for each in _subclasses(errors.Fatal)}
    assert listed == fatal | {0, 1, errors.Fatal.exit_status}
    documented = {
        int(number)
        for cell in re.findall(r"^\| ([0-9, ]+) \|", _OPERATIONS, re.MULTILINE)
        for number in cell.split(",")
    }
    assert listed <= documented


def _subclasses(kind: type[errors.Fatal]) -> Iterator[type[errors.Fatal]]:
    for each in kind.__subclasses__():
        yield each
        yield from _subclasses(each)
