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
from pexservice.walk.fibonacci import Walker
from pexservice.walk.machine import WALK
from pexservice.walk.steps import STEP_NAMES, Step, positions


@click.command(cls=Command)
@options.data_dir
@options.store
@last
@begin
@click.option("--values", is_flag=True, help="Add the exact value to each row.")
@click.option("--original", is_flag=True, help="Write the rows of the original: hits,position,previous,current,next.")
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
    walker = Walker()
    row: Callable[[int, int, int], str]
    if original:
        row, header = partial(_original_row, walker), ""
    else:
        row = partial(_row, walker) if values else _plain_row
        header = "sequence,step,position" + (",value" if values else "") + "\n"
    asked = begin
    if store is not None:
        with read_server(WALK, store) as at_server:
            if last is not None:
                begin = max(at_server.end().sequence - last, 0) + 1
            sys.stdout.write(header)
            for each in at_server.groups(begin):
                _write(row, each.start, each.commands, begin or 0)
            tell_beyond(asked, at_server.end)
        return
    with read_history(WALK, data_dir, is_hidden=sys.stdout.isatty()) as history:
        if last is not None:
            begin = max(history.end().sequence - last, 0) + 1
        for piece in history.pieces(history.skip_to(begin or 0)):
            sys.stdout.write(header)
            header = ""
            before = piece.start
            for group in history.rows(piece):
                if group.place.sequence >= (begin or 0):
                    _write(row, before, group.commands, begin or 0)
                before = group.place
        tell_beyond(asked, history.end)


def _write(row: Callable[[int, int, int], str], start: Place[int], commands: str, begin: int) -> None:
    """Write the steps of a group, from a sequence on."""
    if not commands:
        return
    steps = bytes(WALK.read_commands(commands))
    places = enumerate(positions(start.state, steps), start.sequence + 1)
    sys.stdout.writelines(row(*place, step) for place, step in zip(places, steps, strict=True) if place[0] >= begin)


def _plain_row(sequence: int, position: int, step: int) -> str:
    return f"{sequence},{STEP_NAMES[Step(step)]},{position}\n"


def _row(walker: Walker, sequence: int, position: int, step: int) -> str:
    return f"{sequence},{STEP_NAMES[Step(step)]},{position},{walker.digits(position)}\n"


def _original_row(walker: Walker, sequence: int, position: int, _step: int) -> str:
    current = walker.digits(position)
    previous = walker.pair.previous().value if position else 0
    return f"{sequence},{position},{previous},{current},{walker.pair.following}\n"
