"""Writing the history behind the ring: rows that are durable there, as whole segments.

Rows gather in memory, in the bytes of the segment they will be in. When they are to be on the disk the whole segment is
written under another name, synced, renamed, and the directory synced: so it appears in one step, and nothing that is
synced is ever added to. A segment that is still small is written again later, longer, in the place of its shorter self;
once it is `segment_bytes_max` or more it is left alone and the next begins. So there are few files, however often the
history is brought up to date, and what is written more than once is bounded.
"""

import time
from collections import deque
from dataclasses import dataclass
from itertools import pairwise
from typing import Generic

import structlog

from pexservice.core.judging import Place
from pexservice.core.machine import C, S
from pexservice.disk import Disk
from pexservice.stores.journal.errors import JournalFull
from pexservice.stores.journal.keys_writer import KeysWriter
from pexservice.stores.journal.record import Codec, seal
from pexservice.stores.journal.segment import Segment, begin_of, segment_name
from pexservice.stores.journal.whole_file import put, sync_names

log = structlog.get_logger()


@dataclass(slots=True)
class _Growing(Generic[S]):
    """The segment that rows are added to. What is on disk is its beginning, or nothing."""

    name: str
    data: bytearray
    checksum: int
    place: Place[S]
    kept: int
    """The first line of its last row, or 0."""
    is_on_disk: bool
    begins: int
    """The sequence of its opening row."""


class HistoryWriter(Generic[S, C]):
    """Brings durable rows into the history."""

    def __init__(  # noqa: PLR0913 - what a history is bounded by is told one by one.
        self,
        disk: Disk,
        codec: Codec[S, C],
        *,
        is_interval: bool,
        segment_bytes_max: int,
        history_bytes_max: int = 0,
        keys: KeysWriter | None = None,
    ) -> None:
        """Then `resume` or `begin`. `keys` are written down before a segment begins; a limit of 0 keeps all."""
        self._keys = keys
        self._disk = disk
        self._codec = codec
        self._is_ours_interval = is_interval
        self._is_interval = is_interval
        """How the rows that are added came to be, which the opening row says of all rows behind it."""
        self._segment_bytes_max = segment_bytes_max
        self._history_bytes_max = history_bytes_max
        self._growing: _Growing[S] | None = None
        self._full: deque[_Growing[S]] = deque()
        self.kept = 0
        """The first line of the last row that is in the synced history: it must stay, for a start to link to."""
        self.waiting = 0
        """How many rows are not there yet."""
        self.in_place: dict[str, int] = {}
        """The segment that was written last by its name, and its size."""
        self._has_grown = True
        """Whether there may be a segment more since the history was last held to its limit."""

    @property
    def segment_bytes(self) -> int:
        """The size of the segment that rows are added to."""
        return len(self._growing.data) if self._growing is not None else 0

    @property
    def is_behind(self) -> bool:
        """Whether there is something that `write` would write."""
        return bool(self._full) or (self._growing is not None and not self._growing.is_on_disk)

    def begin(self, place: Place[S]) -> "_Growing[S]":
        """Go on in a new segment. Its opening row is written even if no row follows."""
        assert self._growing is None or self._growing.place == place, "the history has no gap"
        opening, checksum = self._codec.encode_opening(place, is_interval=self._is_interval, time_s=time.time())
        name = segment_name(place.sequence)
        self._growing = _Growing(name, bytearray(opening), checksum, place, 0, is_on_disk=False, begins=place.sequence)
        return self._growing

    def resume(self, segment: Segment[S], *, is_on_disk: bool = True) -> None:
        """Go on behind the newest segment, or in it if it is small, with rows that came to be as its own did."""
        self._is_interval = segment.opening.is_interval
        data = bytearray(segment.data)
        self._growing = _Growing(
            segment.name, data, segment.checksum, segment.place, 0, is_on_disk, segment.opening.place.sequence
        )
        self.in_place = {segment.name: len(data)} if is_on_disk else {}

    def add(self, body: bytes, place: Place[S], first: int) -> None:
        """Add a row that led to a place, and whose first line is durable in the ring under this number."""
        growing = self._growing
        assert growing is not None, "it was begun"
        if len(growing.data) >= self._segment_bytes_max:
            growing = self._begin_next(growing)
        row, growing.checksum = seal(body, growing.checksum)
        growing.data += row
        growing.place = place
        growing.kept = first
        growing.is_on_disk = False
        self.waiting += 1

    def turn(self) -> None:
        """Go on with rows of this service: in a new segment, if those that are there came to be otherwise."""
        growing = self._growing
        assert growing is not None, "it was begun"
        if self._is_interval != self._is_ours_interval:
            self._is_interval = self._is_ours_interval
            self._begin_next(growing)

    def _begin_next(self, growing: _Growing[S]) -> _Growing[S]:
        if not growing.is_on_disk:
            self._full.append(growing)
        return self.begin(growing.place)

    def renumber(self) -> None:
        """Forget the numbers of lines: a new ring begins, and all rows are in the history."""
        assert not self.is_behind, "a new ring begins where the history ends"
        assert self._growing is not None, "it was begun"
        self.kept = self._growing.kept = 0

    async def write(self) -> None:
        """Bring all rows onto the disk that are there now, and forget what is over the limit then.

        Without room for them, that comes first. Raises JournalFull: then try again later; and Fatal.
        """
        try:
            await self._write()
        except JournalFull:
            self._has_grown = True  # The newest segment has since it began, which is not looked at elsewhere.
            if not await self.forget():
                raise
            await self._write()
        await self.forget()

    async def _write(self) -> None:
        while True:
            segment = self._full[0] if self._full else self._growing
            if segment is None or not self.is_behind:
                return
            await self._cover(segment)
            is_full = bool(self._full)  # Rows are added meanwhile, so it may be by now.
            # PERF: a copy, 0.1 ms for 1 MiB; rows are added while it is written.
            data, kept, waiting = bytes(segment.data), segment.kept, self.waiting
            await put(self._disk, segment.name, data, "the segment")
            self._has_grown |= segment.name not in self.in_place
            self.in_place = {segment.name: len(data)}
            self.kept = kept
            if not is_full:
                self.waiting -= waiting
                segment.is_on_disk = len(segment.data) == len(data)
                return
            self._full.popleft()

    async def _cover(self, segment: _Growing[S]) -> None:
        """Have the keys of all that comes before a segment written down."""
        if self._keys is not None and self._growing is not None:
            await self._keys.cover(segment.begins, self._growing.place.sequence)

    async def forget(self) -> bool:
        """Remove the oldest segments while there is more than the limit, and tell whether any went. Raises Fatal.

        Never the newest on the disk, which the ring goes on from, nor one whose keys are in no file: after an older
        file of keys was put back, a start reads the segments behind it.
        """
        if not self._history_bytes_max or not self._has_grown:
            return False  # PERF: to look at 1,000 segments takes 2 ms.
        self._has_grown = has_removed = False
        try:
            names = segment_names(self._disk)
            sizes = {name: self._disk.size(name) for name in names}
            excess = sum(sizes.values()) - self._history_bytes_max
            for name, following in pairwise(names):
                if excess <= 0:
                    break
                if self._keys is not None and not self._keys.are_written_before(begin_of(following) or 0):
                    self._has_grown = True  # They are written with the next row, once there is room.
                    break
                await self._disk.remove(name)
                has_removed = True
                # One by one: else a power cut could take a newer one, leave an older one, and so a gap.
                await sync_names(self._disk, name)
                excess -= sizes[name]
                log.info("history over its limit, oldest segment removed", segment=name)
        except OSError as error:
            self._has_grown = True  # So that it is tried again.
            log.warning("could not remove an old segment", error=str(error))
        return has_removed


def segment_names(disk: Disk) -> list[str]:
    """Return the names of the segments of a directory, oldest first. Raises OSError."""
    return sorted(name for name in disk.names() if begin_of(name) is not None)
