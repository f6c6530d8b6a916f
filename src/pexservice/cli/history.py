"""The history of a directory, for commands that read it, with progress on a terminal.

What is printed is certain: a directory without a journal is an error, since an empty backup must not look like a good
one.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Generic

import click

from pexservice.cli import output
from pexservice.core.judging import Place
from pexservice.core.machine import Machine, S
from pexservice.disk.linux import LinuxDisk
from pexservice.errors import CannotCreate, NoJournal
from pexservice.stores.journal.history import SegmentFile, segment_files, segments
from pexservice.stores.journal.record import Codec, Row
from pexservice.stores.journal.segment import Segment, sequence_of

_BATCH_ROWS: Final = 1_000
"""Rows between two looks at the progress: some 10 ms."""


class History(Generic[S]):
    """The segments of a directory, of which there is at least one, and how far the reading of them came."""

    def __init__(
        self, codec: Codec[S, Any], disk: LinuxDisk, files: list[SegmentFile], advance: Callable[[int], None]
    ) -> None:
        self.codec = codec
        self.disk = disk
        self.files = files
        self._first = 0
        self._advance = advance

    def skip_to(self, sequence: int) -> None:
        """Leave out the segments that end before a step."""
        self._first = index_of(self.files, sequence)
        self._advance(sum(file.size_bytes for file in self.files[: self._first]))

    def end(self) -> Place[S]:
        """Return where the walk stands, by the newest segment. Raises NoJournal if that went in the meantime."""
        for newest in segments(self.codec, self.disk, self.files[-1:]):
            return newest.place
        raise self._gone()

    def segments(self) -> Iterator[Segment[S]]:
        """Yield the segments, proved by their checksums. Raises NoJournal if all of them went in the meantime."""
        found = False
        for segment in segments(self.codec, self.disk, self.files[self._first :]):
            found = True
            yield segment
        if not found:
            raise self._gone()

    def _gone(self) -> NoJournal:
        return NoJournal(f"the segments in {self.disk.path} went while they were read. Try again.")

    def rows(self, segment: Segment[S]) -> Iterator[Row[S]]:
        """Yield the rows of a segment, each proved, and tell of the progress."""
        size = segment.valid_bytes + segment.torn_bytes
        batches = len(segment.lines) // _BATCH_ROWS + 1
        for number, row in enumerate(segment.rows(self.codec), 1):
            yield row
            if number % _BATCH_ROWS == 0:
                self._advance(size // batches)
        self._advance(size - size // batches * (batches - 1))


def index_of(files: list[SegmentFile], sequence: int) -> int:
    """Return the index of the segment that holds the step of this number, or the first that is kept."""
    earlier = [index for index, file in enumerate(files) if (sequence_of(file.name) or 0) < sequence]
    return max(earlier, default=0)


@contextmanager
def read_history(machine: Machine[S, Any], data_dir: Path, *, is_hidden: bool = False) -> Iterator[History[S]]:
    """Give the history of a directory; reading it shows progress on a terminal. Raises NoJournal if there is none."""
    codec = Codec(machine)
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
            yield History(codec, disk, files, bar.update)
    finally:
        disk.close()


def _why(error: CannotCreate) -> str:
    cause = error.__cause__
    return cause.strerror if isinstance(cause, OSError) and cause.strerror else "it cannot be read"
