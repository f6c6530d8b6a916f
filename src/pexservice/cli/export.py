"""`pexservice journal export`: the history of the walk, a row a step."""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import click

from pexservice.cli import options
from pexservice.cli.history import read_history, tell_beyond
from pexservice.cli.journal import begin, last
from pexservice.cli.options import Command
from pexservice.cli.server_history import read_server
from pexservice.config import StoreUrl
from pexservice.core.judging import Place
from pexservice.walk import original as originals
from pexservice.walk.fibonacci import Walker
from pexservice.walk.machine import WALK
from pexservice.walk.steps import STEP_NAMES, Step, positions

_RowOf = Callable[[int, int, int], str]
"""Writes the row of a step: of its sequence, the position it led to, and the step."""


@click.command(cls=Command)
@options.data_dir
@options.store
@last
@begin
@click.option("--values", is_flag=True, help="Add the exact value to each row.")
@click.option(
    "--original",
    is_flag=True,
    help="Write the rows of the original, hits,position,previous,current,next, with its values modulo 2^64; if there "
    "is no step to tell of, the one of where the walk stands.",
)
def export(  # noqa: PLR0913 - the options that there are, each by name.
    data_dir: Path, store: StoreUrl | None, last: int | None, begin: int | None, *, values: bool, original: bool
) -> None:
    """Write the history as CSV, one row a step.

    The columns are sequence,step,position. All of it that is kept, or the last N steps, or those from the step with
    number SEQUENCE on.
    """
    ctx = click.get_current_context()
    if values and original:
        message = "--values and --original contradict each other: the rows of the original have values already."
        raise click.UsageError(message, ctx)
    options.contradict(ctx, "last", "begin", "say how many, or from where.")
    options.check_store(ctx, store)
    row: _RowOf
    if original:
        row, header = _original_row, ""
    else:
        row = partial(_row, Walker()) if values else _plain_row
        header = "sequence,step,position" + (",value" if values else "") + "\n"
    if store is not None:
        count = _of_server(store, row, header, last, begin)
    else:
        count = _of_directory(data_dir, row, header, last, begin)
    if original and not count and begin is None and last != 0:  # As the original has it, to go on from.
        with read_history(WALK, data_dir, is_hidden=True) if store is None else read_server(WALK, store) as history:
            sys.stdout.write(originals.row(history.end()))


def _of_server(store: StoreUrl, row: _RowOf, header: str, last: int | None, begin: int | None) -> int:
    """Write the steps that a server has; return how many."""
    with read_server(WALK, store) as at_server:
        wanted = _wanted(last, begin, at_server.end)
        sys.stdout.write(header)
        groups = at_server.groups(None if last is None and begin is None else wanted.start)
        count = sum(_write(row, each.start, each.commands, wanted) for each in groups)
        tell_beyond(begin, at_server.end)
    return count


def _of_directory(data_dir: Path, row: _RowOf, header: str, last: int | None, begin: int | None) -> int:
    """Write the steps that a data directory has; return how many."""
    with read_history(WALK, data_dir, is_hidden=sys.stdout.isatty()) as history:
        wanted = _wanted(last, begin, history.end)
        count = 0
        for piece in history.pieces(history.skip_to(wanted.start)):
            sys.stdout.write(header)
            header = ""
            before = piece.start
            for group in history.rows(piece):
                if group.place.sequence >= wanted.start:
                    count += _write(row, before, group.commands, wanted)
                before = group.place
        tell_beyond(begin, history.end)
    return count


def _wanted(last: int | None, begin: int | None, end: Callable[[], Place[int]]) -> range:
    """Return the sequences of the steps to write. The last ones are so as of one moment, though a service goes on."""
    if last is None:
        return range(begin or 0, 1 << 64)
    newest = end().sequence
    return range(max(newest - last, 0) + 1, newest + 1)


def _write(row: _RowOf, start: Place[int], commands: str, wanted: range) -> int:
    """Write the steps of a group that are wanted; return how many."""
    if not commands:
        return 0
    steps = bytes(WALK.read_commands(commands))
    places = enumerate(positions(start.state, steps), start.sequence + 1)
    sys.stdout.writelines(row(*place, step) for place, step in zip(places, steps, strict=True) if place[0] in wanted)
    first, behind = start.sequence + 1, start.sequence + 1 + len(steps)
    return len(range(max(first, wanted.start), min(behind, wanted.stop)))


def _plain_row(sequence: int, position: int, step: int) -> str:
    return f"{sequence},{STEP_NAMES[Step(step)]},{position}\n"


def _row(walker: Walker, sequence: int, position: int, step: int) -> str:
    return f"{sequence},{STEP_NAMES[Step(step)]},{position},{walker.digits(position)}\n"


def _original_row(sequence: int, position: int, _step: int) -> str:
    return originals.row(Place(sequence, position))
