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
from pexservice.stores.journal.history import History, Piece
from pexservice.stores.journal.keys_writer import check_span
from pexservice.stores.journal.record import Codec, Row
from pexservice.stores.journal.ring import RING_NAME
from pexservice.stores.journal.segment import begin_of

_BATCH_ROWS: Final = 1_000
"""Rows between two looks at the progress: some 10 ms."""


class Reading(Generic[S]):
    """The history of a directory, of which there is some, and how far the reading of it came."""

    def __init__(
        self, codec: Codec[S, Any], history: History[S, Any], path: Path, advance: Callable[[int], None]
    ) -> None:
        self.codec = codec
        self._history = history
        self._path = path
        self._advance = advance
        self._sizes = {file.name: file.size_bytes for file in history.files}

    def index_of(self, sequence: int) -> int:
        """Return the index of the segment in which the step of this number may be, or of the first that is kept."""
        starts = [begin_of(name) for name in self._sizes]
        return max((index for index, start in enumerate(starts) if start is not None and start < sequence), default=0)

    def skip_to(self, sequence: int) -> int:
        """Count the segments that end before a step as read; return how many they are."""
        first = self.index_of(sequence)
        self._advance(sum(list(self._sizes.values())[:first]))
        return first

    def end(self) -> Place[S]:
        """Return where the machine stands, by the newest segment and the ring."""
        return list(self.pieces(len(self._sizes)))[-1].end

    def pieces(self, first: int = 0) -> Iterator[Piece[S]]:
        """Yield what each file from that one on adds, proved by its checksums.

        Raises NoJournal if there is none, or all of it went in the meantime.
        """
        found = False
        for piece in self._history.pieces(first):
            found = True
            yield piece
        if not found:
            raise NoJournal(f"there is no journal in {self._path}: no segment is whole yet. Try again.")

    def check_keys(self, begin: Place[S], end: Place[S]) -> None:
        """Prove the keys that were written down, as a start would. Raises DamagedData."""
        check_span(self._history.keys(), begin.sequence, end.sequence)

    def index(self, piece: Piece[S]) -> int:
        """Return the index of the file of a piece."""
        return list(self._sizes).index(piece.name)

    def size_bytes(self, piece: Piece[S]) -> int:
        """Return the size of the file of a piece."""
        return self._sizes[piece.name]

    def rows(self, piece: Piece[S]) -> Iterator[Row[S]]:
        """Yield the groups of a piece, each proved, and tell of the progress."""
        size = self._sizes[piece.name]
        batches = len(piece.bodies) // _BATCH_ROWS + 1
        for number, row in enumerate(piece.rows, 1):
            yield row
            if number % _BATCH_ROWS == 0:
                self._advance(size // batches)
        self._advance(size - size // batches * (batches - 1))


@contextmanager
def read_history(
    machine: Machine[S, Any],
    data_dir: Path,
    *,
    is_hidden: bool = False,
    reads_keys: bool = False,
    is_salvaging: bool = False,
) -> Iterator[Reading[S]]:
    """Give the history of a directory; reading it shows progress on a terminal. Raises NoJournal if there is none."""
    codec = Codec(machine)
    try:
        disk = LinuxDisk.inspect(data_dir)
    except CannotCreate as error:  # Nothing is created here: there is no directory of that name.
        raise NoJournal(
            f"there is no journal in {data_dir}: {_why(error)}. Name its directory with --data-dir."
        ) from error
    try:
        history = History.look(disk, codec, is_salvaging=is_salvaging, reads_keys=reads_keys)
        if not history.files:
            raise NoJournal(
                f"there is no journal in {data_dir}: it has no file {RING_NAME} and none journal-*.csv. "
                "Name its directory with --data-dir."
            )
        with click.progressbar(
            length=sum(file.size_bytes for file in history.files),
            label="reading the journal",
            file=sys.stderr,
            hidden=is_hidden or not output.is_screen(sys.stderr),
        ) as bar:
            yield Reading(codec, history, data_dir, bar.update)
    finally:
        disk.close()


def tell_beyond(begin: int | None, end: Callable[[], Place[Any]]) -> None:
    """Say on standard error where a history ends, if it does before the step from which on it was asked for."""
    if begin is not None and begin > (sequence := end().sequence):
        click.echo(f"There is no step {begin}: the last one is {sequence}.", err=True)


def _why(error: CannotCreate) -> str:
    cause = error.__cause__
    return cause.strerror if isinstance(cause, OSError) and cause.strerror else "it cannot be read"
