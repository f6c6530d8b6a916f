"""`pexservice journal verify|show|export`: the history, read beside a running service or without one.

The idea: what is printed is certain. Nothing goes to standard output before the first segment is proved, and a
directory without a journal is an error: an empty backup must not look like a good one.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

import click

from pexservice.cli import options, output
from pexservice.cli.options import Group
from pexservice.core.judging import Place
from pexservice.disk.linux import LinuxDisk
from pexservice.errors import CannotCreate, NoJournal
from pexservice.stores.journal.history import SegmentFile, segment_files, segments
from pexservice.stores.journal.record import Codec, Row
from pexservice.stores.journal.segment import Segment, sequence_of
from pexservice.walk.fibonacci import Walker
from pexservice.walk.machine import WALK
from pexservice.walk.steps import STEP_NAMES, Step, positions

_CODEC: Final = Codec(WALK)
_COUNT_MAX: Final = 2**63
_BATCH_ROWS: Final = 1_000
"""Rows between two looks at the progress: some 10 ms."""
_SHOWN_ROWS: Final = 10

_last = click.option(
    "--last", metavar="N", callback=options.read(options.whole(0, _COUNT_MAX)), help="Only the last N."
)
_begin = click.option(
    "--from",
    "begin",
    metavar="SEQUENCE",
    callback=options.read(options.whole(0, _COUNT_MAX)),
    help="Only from this sequence on.",
)


@click.group(cls=Group)
def journal() -> None:
    """Prove, show or export the history.

    These commands change nothing, and may run beside the service. They end with status 66 if there is no journal, and
    with 65 at the first damage, naming file, line and byte offset.
    """


@journal.command()
@options.data_dir
def verify(data_dir: Path) -> None:
    """Prove every row.

    That is its checksum and its arithmetic, and that each segment begins where the one before it ended.
    """
    rows = 0
    with _history(data_dir) as history:
        for segment in history.segments():
            for _ in history.rows(segment):
                rows += 1
            if segment.torn_bytes:
                click.echo(
                    f"{segment.name}: torn tail of {segment.torn_bytes} bytes at byte offset {segment.valid_bytes}, "
                    "never answered",
                    err=True,
                )
            end = segment.place
    count = len(history.files)
    click.echo(
        f"{count} segment{'s' * (count != 1)}, {rows} group{'s' * (rows != 1)}: whole. Sequence {end.sequence}, "
        f"position {end.state}."
    )


@journal.command()
@options.data_dir
@_last
@_begin
def show(data_dir: Path, last: int | None, begin: int | None) -> None:
    """Show the segments, and the last groups of steps.

    These are 10, or the last N, or those from the one on that holds the step with number SEQUENCE.
    """
    options.contradict(click.get_current_context(), "last", "begin", "say how many, or from where.")
    last = _SHOWN_ROWS if last is None and begin is None else last
    counts: list[int] = []
    with _history(data_dir) as history:
        for segment in history.segments():
            if not counts:
                click.echo(f"{'segment':36}{'bytes':>12}{'groups':>10}  {'sequence':>24}  {'position':>16}")
            counts.append(len(segment.lines))
            start, end = segment.opening.place, segment.place
            click.echo(
                f"{segment.name:36}{segment.valid_bytes + segment.torn_bytes:>12}{len(segment.lines):>10}  "
                f"{f'{start.sequence}..{end.sequence}':>24}  {end.state:>16}"
            )
        # Counted from the end, so that no more is read than is shown.
        missing = sum(counts) if last is None else min(last, sum(counts))
        first = len(counts)
        while missing > 0:
            first -= 1
            missing -= counts[first]
        files = history.files[first : len(counts)] if begin is None else history.files[_index(history.files, begin) :]
        skipped = -missing
        for segment in segments(_CODEC, history.disk, files):
            for row in segment.rows(_CODEC):
                if skipped:
                    skipped -= 1
                elif row.place.sequence >= (begin or 0):
                    place = row.place
                    steps = f"{row.commands:.60}"
                    click.echo(f"{row.time}  sequence {place.sequence}  position {place.state}  {steps}")


@journal.command()
@options.data_dir
@_last
@_begin
@click.option("--values", is_flag=True, help="Add the exact value to each row.")
@click.option("--original", is_flag=True, help="Write the rows of the original: hits,position,previous,current,next.")
def export(data_dir: Path, last: int | None, begin: int | None, *, values: bool, original: bool) -> None:
    """Write the history as CSV, one row a step.

    The columns are sequence,step,position. All of it that is kept, or the last N steps, or those from the step with
    number SEQUENCE on.
    """
    ctx = click.get_current_context()
    if values and original:
        message = "--values and --original contradict each other: the rows of the original have values already."
        raise click.UsageError(message, ctx)
    options.contradict(ctx, "last", "begin", "say how many, or from where.")
    walker = Walker()
    row: Callable[[int, int, int], str]
    if original:
        row, header = partial(_original_row, walker), ""
    else:
        row = partial(_row, walker) if values else _plain_row
        header = "sequence,step,position" + (",value" if values else "") + "\n"
    with _history(data_dir, is_hidden=sys.stdout.isatty()) as history:
        if last is not None:
            begin = max(history.end().sequence - last, 0) + 1
        history.skip_to(begin or 0)
        for segment in history.segments():
            sys.stdout.write(header)
            header = ""
            before = segment.opening.place
            for group in history.rows(segment):
                if group.place.sequence >= (begin or 0):
                    steps = bytes(WALK.read_commands(group.commands))
                    places = enumerate(positions(before.state, steps), before.sequence + 1)
                    sys.stdout.writelines(
                        row(*place, step) for place, step in zip(places, steps, strict=True) if place[0] >= (begin or 0)
                    )
                before = group.place


def _plain_row(sequence: int, position: int, step: int) -> str:
    return f"{sequence},{STEP_NAMES[Step(step)]},{position}\n"


def _row(walker: Walker, sequence: int, position: int, step: int) -> str:
    return f"{sequence},{STEP_NAMES[Step(step)]},{position},{walker.digits(position)}\n"


def _original_row(walker: Walker, sequence: int, position: int, _step: int) -> str:
    current = walker.digits(position)
    previous = walker.pair.previous().value if position else 0
    return f"{sequence},{position},{previous},{current},{walker.pair.following}\n"


class _History:
    """The segments of a directory, of which there is at least one, and how far the reading of them came."""

    def __init__(self, disk: LinuxDisk, files: list[SegmentFile], advance: Callable[[int], None]) -> None:
        self.disk = disk
        self.files = files
        self._first = 0
        self._advance = advance

    def skip_to(self, sequence: int) -> None:
        """Leave out the segments that end before a step."""
        self._first = _index(self.files, sequence)
        self._advance(sum(file.size_bytes for file in self.files[: self._first]))

    def end(self) -> Place[int]:
        """Return where the walk stands, by the newest segment."""
        (newest,) = segments(_CODEC, self.disk, self.files[-1:])
        return newest.place

    def segments(self) -> Iterator[Segment[int]]:
        """Yield the segments, proved by their checksums. Raises NoJournal if all of them went in the meantime."""
        found = False
        for segment in segments(_CODEC, self.disk, self.files[self._first :]):
            found = True
            yield segment
        if not found:
            raise NoJournal(f"the segments in {self.disk.path} went while they were read. Try again.")

    def rows(self, segment: Segment[int]) -> Iterator[Row[int]]:
        """Yield the groups of a segment, each proved, and tell of the progress."""
        size = segment.valid_bytes + segment.torn_bytes
        batches = len(segment.lines) // _BATCH_ROWS + 1
        for number, row in enumerate(segment.rows(_CODEC), 1):
            yield row
            if number % _BATCH_ROWS == 0:
                self._advance(size // batches)
        self._advance(size - size // batches * (batches - 1))


def _index(files: list[SegmentFile], sequence: int) -> int:
    """Return the index of the segment that holds the step of this number, or the first that is kept."""
    earlier = [index for index, file in enumerate(files) if (sequence_of(file.name) or 0) < sequence]
    return max(earlier, default=0)


@contextmanager
def _history(data_dir: Path, *, is_hidden: bool = False) -> Iterator[_History]:
    """Give the history of a directory; reading it shows progress on a terminal. Raises NoJournal if there is none."""
    try:
        disk = LinuxDisk.inspect(data_dir)
    except CannotCreate as error:  # Nothing is created here: there is no directory of that name.
        raise NoJournal(
            f"there is no journal in {data_dir}: {_why(error)}. Name its directory with --data-dir."
        ) from error
    try:
        files = segment_files(disk)
        if not files:
            raise NoJournal(
                f"there is no journal in {data_dir}: it has no file journal-*.csv. Name its directory with --data-dir."
            )
        with click.progressbar(
            length=sum(file.size_bytes for file in files),
            label="reading the journal",
            file=sys.stderr,
            hidden=is_hidden or not output.is_screen(sys.stderr),
        ) as bar:
            yield _History(disk, files, bar.update)
    finally:
        disk.close()


def _why(error: CannotCreate) -> str:
    cause = error.__cause__
    return cause.strerror if isinstance(cause, OSError) and cause.strerror else "it cannot be read"
