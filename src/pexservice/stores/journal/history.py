"""Reading all of it: the segments, oldest first, and the lines of the ring behind them, as one sequence of rows.

Without a lock, so also beside a running service, and of a copy. Keys, if they are wanted, are read first, so all later
ones are in rows that are read after them. The ring is read before the segments are listed: a line that was written over
by then is in a segment that is there by then. If ring and newest segment are the same afterwards, what was read belongs
together and is judged as a start would; else somebody writes, and the ring counts as far as its lines go on from the
history (`recovery.recover_copy`).
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, Self

from pexservice.core.judging import Place
from pexservice.core.machine import C, S
from pexservice.disk import Disk
from pexservice.errors import DamagedData
from pexservice.stores.journal import live_keys, whole_file
from pexservice.stores.journal import segment as segments
from pexservice.stores.journal.errors import JournalFailed, failed, mismatch
from pexservice.stores.journal.history_writer import segment_names
from pexservice.stores.journal.live_keys import LiveKeys
from pexservice.stores.journal.opening import check_new, check_pair, read_keys_file, read_ring
from pexservice.stores.journal.record import Codec, Row
from pexservice.stores.journal.recovery import Plan, recover, recover_copy
from pexservice.stores.journal.ring import RING_NAME, Ring
from pexservice.stores.journal.segment import Segment


@dataclass(frozen=True, slots=True)
class HistoryFile:
    """A file of the journal and its size on disk."""

    name: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Piece(Generic[S]):
    """The rows that one file adds to the history, from one place to another."""

    name: str
    start: Place[S]
    end: Place[S]
    bodies: Sequence[bytes]
    """The rows as they are written, without checksums."""
    rows: Iterator[Row[S]]
    """The same, to be read once. Raises DamagedData where a row does not follow from the one before."""
    dropped: int = 0
    """Lines of the ring that were in flight when it was last written to, and never answered."""
    segment: Segment[S] | None = None
    """The segment, if it is one."""


class History(Generic[S, C]):
    """The history of one directory, as it was when it was looked at."""

    def __init__(  # noqa: PLR0913 - what is in a directory.
        self,
        disk: Disk,
        codec: Codec[S, C],
        keys: bytes | None,
        ring: bytes | None,
        files: list[HistoryFile],
        *,
        is_salvaging: bool = False,
    ) -> None:
        """Use `look`."""
        self._is_salvaging = is_salvaging
        self.files = files
        """The segments, oldest first, then the ring."""
        self._disk = disk
        self._codec = codec
        self._keys = keys
        self._ring = ring
        self.is_ring_whole = True
        """Whether `pieces`, salvaging, came to no ring of which not all can be used."""

    @classmethod
    def look(cls, disk: Disk, codec: Codec[S, C], *, is_salvaging: bool = False, reads_keys: bool = False) -> Self:
        """Read the ring and list the segments. Without `reads_keys` there are no `keys`, which few users may read.

        What `is_salvaging` finds ends where the segments do, or the lines of the ring that go on from them, whatever
        else the ring holds; one that cannot be read counts as missing, and so do such keys. Raises DamagedData,
        JournalFailed, NotPermitted.
        """
        keys = None
        if reads_keys:
            keys, _ = _read_if_possible(disk, read_keys_file, is_salvaging=is_salvaging)
        ring, unread = _read_if_possible(disk, read_ring, is_salvaging=is_salvaging)
        try:
            files = []
            for name in segment_names(disk):
                with suppress(FileNotFoundError):  # As in `_read`; one missing in the middle shows as a gap.
                    files.append(HistoryFile(name, disk.size(name)))
        except OSError as error:
            raise failed("read", "the data directory", error) from error
        if unread is not None and not files:
            raise unread  # There is nothing else to salvage.
        if ring is not None:
            files.append(HistoryFile(RING_NAME, len(ring)))
        return cls(disk, codec, keys, ring, files, is_salvaging=is_salvaging)

    def pieces(self, first: int = 0) -> Iterator[Piece[S]]:
        """Yield what each file from that one on adds, in order, proving that each goes on from the one before.

        The newest segment is among them in any case. Raises DamagedData, JournalFailed, NotPermitted.
        """
        newest: Segment[S] | None = None
        segments_there = sum(file.name != RING_NAME for file in self.files)
        for file in self.files[min(first, max(segments_there - 1, 0)) :]:
            if file.name == RING_NAME:
                continue
            data = self._read(file.name, is_oldest=newest is None)
            if data is None:
                continue
            segment = segments.read(self._codec, file.name, data)
            if newest is not None and segment.opening.place != newest.place:
                reason = f"{file.name} begins at {segment.opening.place}, but {newest.name} ends at {newest.place}"
                raise mismatch(reason)
            newest = segment
            rows = segments.rows(self._codec, segment)
            yield Piece(file.name, segment.opening.place, segment.place, segment.bodies, rows, segment=segment)
        if newest is None and segments_there:
            raise _gone("all that was listed of it")
        ring = self._check_pair(newest)
        if newest is None:
            check_new(ring, None, 0)
        elif ring is not None:
            plan = self._plan(ring, newest)
            bodies = [row.body for row in plan.missing]
            rows = map(self._codec.decode_body, bodies)  # The plan proved that they follow.
            yield Piece(RING_NAME, newest.place, plan.place, bodies, rows, plan.dropped)

    def keys(self) -> LiveKeys | None:
        """Return the keys that were written down, if there are any. Raises DamagedData, JournalFailed, NotPermitted."""
        data = self._keys if self._keys is not None else read_keys_file(self._disk)  # This may be its first start.
        return None if data is None else live_keys.read(self._codec, data)

    def _check_pair(self, newest: Segment[S] | None) -> Ring[S] | None:
        try:
            return check_pair(self._codec, self._ring, newest)
        except DamagedData:
            if self._is_salvaging and newest is not None:
                self.is_ring_whole = False
                return None
            raise

    def _plan(self, ring: Ring[S], newest: Segment[S]) -> Plan[S]:
        try:
            return recover(self._codec, ring, newest)
        except DamagedData:
            if self._is_as_it_was(newest):
                if not self._is_salvaging:
                    raise
                self.is_ring_whole = False
            return recover_copy(self._codec, ring, newest, is_salvaging=self._is_salvaging)

    def _is_as_it_was(self, newest: Segment[S]) -> bool:
        names = [file.name for file in self.files if file.name != RING_NAME]
        try:
            now = [name for name in segment_names(self._disk) if name >= names[0]]
            is_same = self._disk.read(newest.name) == newest.data
        except FileNotFoundError:  # As in `_read`.
            return False
        except OSError as error:
            raise failed("read", newest.name, error) from error
        return now == names and is_same and read_ring(self._disk) == self._ring

    def _read(self, name: str, *, is_oldest: bool) -> bytes | None:
        try:
            return whole_file.read(self._disk, name)
        except FileNotFoundError as error:
            if is_oldest:
                return None  # The running service let go of its oldest segments in the meantime.
            raise _gone(name) from error
        except OSError as error:
            raise failed("read", name, error) from error


def _read_if_possible(
    disk: Disk, read: Callable[[Disk], bytes | None], *, is_salvaging: bool
) -> tuple[bytes | None, DamagedData | JournalFailed | None]:
    """Return a file, if there is one; of one that is to be salvaged without it, why it cannot be read.

    A lack of rights, descriptors or memory is no damage: who has them loses nothing. Raises as `read`.
    """
    try:
        return read(disk), None
    except (DamagedData, JournalFailed) as error:
        if not is_salvaging:
            raise
        return None, error


def _gone(what: str) -> JournalFailed:
    return JournalFailed(
        f"{what} was removed while the history was read, by a service that is to keep less of it now, or by hand. "
        "Read it again."
    )
