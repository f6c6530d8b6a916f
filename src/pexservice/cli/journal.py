"""`pexservice journal`: the history, read beside a running service or without one."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import click

from pexservice.cli import options
from pexservice.cli.history import index_of, read_history
from pexservice.cli.loading import Load
from pexservice.cli.options import Command, Group
from pexservice.stores.journal.history import SegmentFile, segments

_COUNT_MAX: Final = 2**63
_SHOWN_ROWS: Final = 10

last = click.option("--last", metavar="N", callback=options.read(options.whole(0, _COUNT_MAX)), help="Only the last N.")
begin = click.option(
    "--from",
    "begin",
    metavar="SEQUENCE",
    callback=options.read(options.whole(0, _COUNT_MAX)),
    help="Only from this sequence on.",
)


def journal_commands(more: Mapping[str, click.Command]) -> Group:
    """Return the group of commands that read the journal, and `more`."""
    help_text = """Prove, show or export the history.

    These commands change nothing, and may run beside the service. They end with status 66 if there is no journal, and
    with 65 at the first damage, naming file, line and byte offset.
    """
    return Group("journal", {"verify": verify, "show": show, **more}, help=help_text)


@click.command(cls=Command)
@options.data_dir
@click.pass_obj
def verify(load: Load, /, data_dir: Path) -> None:
    """Prove every row.

    That is its checksum and its arithmetic, and that each segment begins where the one before it ended.
    """
    count = rows = 0
    with read_history(load().machine, data_dir) as history:
        for segment in history.segments():
            count += 1
            for _ in history.rows(segment):
                rows += 1
            if segment.torn_bytes:
                click.echo(
                    f"{segment.name}: torn tail of {segment.torn_bytes} bytes at byte offset {segment.valid_bytes}, "
                    "never answered",
                    err=True,
                )
            end = segment.place
    click.echo(
        f"{count} segment{'s' * (count != 1)}, {rows} group{'s' * (rows != 1)}: whole. Sequence {end.sequence}, "
        f"{history.codec.machine.describe(end.state)}."
    )


@click.command(cls=Command)
@options.data_dir
@last
@begin
@click.pass_obj
def show(load: Load, /, data_dir: Path, last: int | None, begin: int | None) -> None:
    """Show the segments, and the last groups of steps.

    These are 10, or the last N, or those from the one on that holds the step with number SEQUENCE.
    """
    options.contradict(click.get_current_context(), "last", "begin", "say how many, or from where.")
    last = _SHOWN_ROWS if last is None and begin is None else last
    read: list[tuple[SegmentFile, int]] = []  # With the groups of each. A file may go before it is read.
    with read_history(load().machine, data_dir) as history:
        by_name = {file.name: file for file in history.files}
        for segment in history.segments():
            if not read:
                click.echo(f"{'segment':36}{'bytes':>12}{'groups':>10}  {'sequence':>24}    state")
            read.append((by_name[segment.name], len(segment.lines)))
            start, end = segment.opening.place, segment.place
            click.echo(
                f"{segment.name:36}{segment.valid_bytes + segment.torn_bytes:>12}{len(segment.lines):>10}  "
                f"{f'{start.sequence}..{end.sequence}':>24}  {history.codec.machine.describe(end.state)}"
            )
        # Counted from the end, so that no more is read than is shown.
        files = [file for file, _ in read]
        first = len(read)
        skips: dict[str, int] = {}
        if last is None:
            first = index_of(files, begin or 0)
        else:
            missing = min(last, sum(groups for _, groups in read))
            while missing > 0:
                first -= 1
                missing -= read[first][1]
            if missing:
                skips[files[first].name] = -missing
        for segment in segments(history.codec, history.disk, files[first:]):
            skipped = skips.get(segment.name, 0)
            for number, row in enumerate(segment.rows(history.codec)):
                if number >= skipped and row.place.sequence >= (begin or 0):
                    place = row.place
                    steps = f"{row.commands:.60}"
                    click.echo(
                        f"{row.time}  sequence {place.sequence}  {history.codec.machine.describe(place.state)}  {steps}"
                    )
