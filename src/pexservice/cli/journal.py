"""`pexservice journal verify|show|export`: the history, read beside a running service or without one."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import click

from pexservice.cli import options
from pexservice.core.judging import Place
from pexservice.disk.linux import LinuxDisk
from pexservice.stores.journal.history import SegmentFile, segment_files, segments
from pexservice.stores.journal.record import Codec
from pexservice.stores.journal.segment import Segment
from pexservice.walk.fibonacci import Walker
from pexservice.walk.machine import WALK
from pexservice.walk.steps import STEP_NAMES, Step, positions

_CODEC = Codec(WALK)


@click.group()
def journal() -> None:
    """Read the journal. These commands change nothing, and may run beside the service."""


@journal.command()
@options.data_dir
def verify(data_dir: Path) -> None:
    """Prove every row: checksums, arithmetic, and that each segment begins where the one before it ended.

    Ends with status 65 at the first damage, naming file, line and byte offset.
    """
    rows = 0
    end: Place[int] | None = None
    with _history(data_dir) as (files, read):
        for segment in read():
            for group in segment.rows(_CODEC):
                end = group.place
                rows += 1
            end = end or segment.opening.place
            if segment.torn_bytes:
                click.echo(
                    f"{segment.name}: torn tail of {segment.torn_bytes} bytes at byte offset {segment.valid_bytes}, "
                    "never answered",
                    err=True,
                )
    if end is None:
        click.echo(f"{data_dir}: no journal")
        return
    click.echo(f"{len(files)} segments, {rows} groups: whole. Sequence {end.sequence}, position {end.state}.")


@journal.command()
@options.data_dir
@click.option("--last", type=click.IntRange(0), default=10, show_default=True, help="How many groups to show.")
def show(data_dir: Path, last: int) -> None:
    """Show the segments, and the last groups of the newest one."""
    newest: Segment[int] | None = None
    click.echo(f"{'segment':36}{'bytes':>12}{'groups':>10}  {'sequence':>24}  {'position':>16}")
    with _history(data_dir) as (files, read):
        sizes = {file.name: file.size_bytes for file in files}
        for segment in read():
            begin, end = segment.opening.place, segment.place
            sequences = f"{begin.sequence}..{end.sequence}"
            click.echo(
                f"{segment.name:36}{sizes[segment.name]:>12}{len(segment.lines):>10}  {sequences:>24}  {end.state:>16}"
            )
            newest = segment
    if newest is None:
        click.echo(f"{data_dir}: no journal")
        return
    groups = list(newest.rows(_CODEC))[-last:] if last else []
    for group in groups:
        place = group.place
        click.echo(f"{group.time}  sequence {place.sequence}  position {place.state}  {group.commands:.60}")


@journal.command()
@options.data_dir
@click.option("--values", is_flag=True, help="Add the exact value to each row.")
@click.option("--original", is_flag=True, help="Write the rows of the original: hits,position,previous,current,next.")
def export(data_dir: Path, *, values: bool, original: bool) -> None:
    """Write the history to standard output as CSV, one row a step: sequence,step,position."""
    if values and original:
        message = "--original has its values already; leave --values out."
        raise click.UsageError(message)
    walker = Walker()
    row: Callable[[int, int, int], str]
    if original:
        row = partial(_original_row, walker)
    else:
        row = partial(_row, walker) if values else _plain_row
        click.echo("sequence,step,position" + (",value" if values else ""))
    with _history(data_dir, is_hidden=sys.stdout.isatty()) as (_, read):
        for segment in read():
            before = segment.opening.place
            for group in segment.rows(_CODEC):
                steps = bytes(WALK.decode(group.commands))
                places = enumerate(positions(before.state, steps), before.sequence + 1)
                sys.stdout.writelines(row(*place, step) for place, step in zip(places, steps, strict=True))
                before = group.place


def _plain_row(sequence: int, position: int, step: int) -> str:
    return f"{sequence},{STEP_NAMES[Step(step)]},{position}\n"


def _row(walker: Walker, sequence: int, position: int, step: int) -> str:
    return f"{sequence},{STEP_NAMES[Step(step)]},{position},{walker.digits(position)}\n"


def _original_row(walker: Walker, sequence: int, position: int, _step: int) -> str:
    current = walker.digits(position)
    previous = walker.pair.previous().value if position else 0
    return f"{sequence},{position},{previous},{current},{walker.pair.following}\n"


@contextmanager
def _history(
    data_dir: Path, *, is_hidden: bool = False
) -> Iterator[tuple[list[SegmentFile], Callable[[], Iterator[Segment[int]]]]]:
    """Give the segments of a directory, and a way to read them that shows progress on a terminal."""
    disk = LinuxDisk.inspect(data_dir)
    try:
        files = segment_files(disk)
        with click.progressbar(
            length=sum(file.size_bytes for file in files),
            label="reading the journal",
            file=sys.stderr,
            hidden=is_hidden or not sys.stderr.isatty(),
        ) as bar:

            def read() -> Iterator[Segment[int]]:
                for segment in segments(_CODEC, disk, files):
                    yield segment
                    bar.update(segment.valid_bytes + segment.torn_bytes)

            yield files, read
    finally:
        disk.close()
