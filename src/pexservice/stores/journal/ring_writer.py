"""The ring of this life: which line goes where, and which are durable.

    last        the last line that was sent to the disk
    written     all lines up to it were written to the page cache, if that is where they go
    durable     all lines up to it are on stable storage; every new line says so

Writes are done in any order, and count in that of their numbers: a group is durable once it and all before it are.
After one failed write nothing more is: what came of it cannot be known.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Final, Generic

import structlog

from pexservice.core.machine import C, S
from pexservice.disk import Disk, FixedFile
from pexservice.errors import Fatal, defect, scarcity
from pexservice.stores.journal.errors import failed, gone, translate
from pexservice.stores.journal.flight import Flight
from pexservice.stores.journal.ring import RING_NAME, Header, Shape, encode_line, fill
from pexservice.stores.journal.whole_file import new_name, remove_if_there, sync_names

log = structlog.get_logger()

_CHUNK_BYTES: Final = 1 << 20


class RingWriter(Generic[S, C]):
    """Sends lines, and tells in their order which became durable."""

    def __init__(
        self,
        file: FixedFile,
        header: Header,
        on_durable: Callable[[Flight[S, C]], None],
        on_written: Callable[[Flight[S, C]], None],
    ) -> None:
        """Both are told of each group, in order; `on_written` of those alone that are cached, and before a sync.

        Use `create` for the file.
        """
        self.file = file
        self.shape: Final[Shape] = header.shape
        self.last = 0
        self.written = 0
        self.durable = 0
        self.failure: Fatal | None = None
        self._life: Final = header.life
        self._checksum = header.encode()[1]
        self._on_durable = on_durable
        self._on_written = on_written
        self._under_way: deque[Flight[S, C]] = deque()
        self._unwritten: deque[Flight[S, C]] = deque()
        """Those that are cached, up to then; also what has no lines waits for those before it."""
        self._syncing = asyncio.Lock()

    def has_room(self, count: int, kept: int) -> bool:
        """Tell whether so many more lines may be sent, if line `kept` must not be written over."""
        last = self.last + count
        return last - self.shape.lines < max(kept, 1) and last - self.durable <= self.shape.in_flight_max

    @property
    def is_sync_due(self) -> bool:
        """Whether half of the lines are cached that may be: the other half has room for what comes during the sync.

        PERF: at all of them, whoever asks waits for the sync; 10 clients, `interval`: p99 11 -> 4 ms.
        """
        return self.last - self.durable >= (self.shape.in_flight_max + 1) // 2

    @property
    def rows_under_way(self) -> int:
        """How many rows were sent and are not yet durable, those before them counted in."""
        return len(self._under_way)

    def send(self, flight: Flight[S, C], *, is_cached: bool) -> None:
        """Write the lines of a group. After a failure it is told of that, and nothing is written.

        With `is_cached` they are durable with a `sync` that begins when they are written.
        """
        if self.failure is not None:
            flight.finish(self.failure)
            return
        flight.first = self.last + 1
        data = self._encode(flight.parts)
        flight.last = self.last
        assert self.last - self.durable <= self.shape.in_flight_max, "no more is in flight than the header says"
        writes = self._placed(flight.first, data) if data else []
        flight.writes_left = len(writes)
        if data or not is_cached:
            self._under_way.append(flight)
        if is_cached:
            self._unwritten.append(flight)
        if not data:
            self._pass_written() if is_cached else self._advance()
        told = partial(self._cached if is_cached else self._written, flight)
        for offset, piece in writes:
            self.file.write(offset, piece, told)

    async def sync(self) -> None:
        """Make durable what was written so far. Raises Fatal."""
        async with self._syncing:  # Of two at a time that fail the system tells one only.
            if self.failure is not None:
                raise self.failure
            last = self.written
            try:
                await self.file.sync()
            except OSError as error:
                raise self._fail(error) from error
            self._check_whole()
            while self._under_way and self._under_way[0].last <= last:
                self._pass()

    def check_in_place(self, disk: Disk, sizes: Mapping[str, int]) -> None:
        """Raise Fatal unless the ring, and other files of these sizes, have the names that they were given.

        A file that somebody renames can be written to as before, and no start finds it.
        """
        for name, size_bytes in {RING_NAME: self.shape.size_bytes, **sizes}.items():
            try:
                is_in_place = disk.size(name) == size_bytes
            except FileNotFoundError:
                is_in_place = False
            except OSError as error:
                raise self._end(failed("look at", name, error)) from error
            if not is_in_place:
                raise self._end(gone(name))

    def close(self) -> None:
        """Let go of the file."""
        self.file.close()

    def _encode(self, parts: list[bytes]) -> bytes:
        """Return the slots of a group's lines, which get their numbers here."""
        slot_bytes, count = self.shape.slot_bytes, len(parts)
        slots = []
        for index, part in enumerate(parts, 1):
            self.last += 1
            text, self._checksum = encode_line(self.last, self.durable, self._life, self._checksum, index, count, part)
            slots.append(fill(text, slot_bytes))
        return slots[0] if len(slots) == 1 else b"".join(slots)

    def _placed(self, first: int, data: bytes) -> list[tuple[int, bytes]]:
        """Return where the slots from line `first` on go: in two pieces if the ring ends between them."""
        shape = self.shape
        slot = shape.slot(first)
        room_bytes = (shape.lines + 1 - slot) * shape.slot_bytes
        offset = slot * shape.slot_bytes
        if len(data) <= room_bytes:
            return [(offset, data)]
        return [(offset, data[:room_bytes]), (shape.slot_bytes, data[room_bytes:])]

    def _written(self, flight: Flight[S, C], error: OSError | None) -> None:
        self._count(flight, error, self._under_way, self._advance)

    def _cached(self, flight: Flight[S, C], error: OSError | None) -> None:
        self._count(flight, error, self._unwritten, self._pass_written)

    def _count(
        self, flight: Flight[S, C], error: OSError | None, queue: deque[Flight[S, C]], go_on: Callable[[], None]
    ) -> None:
        """Count one write of a group; with its last one `go_on` in the queue, if it is the first there."""
        if self.failure is not None:
            return
        if error is not None:
            self._fail(error)
            return
        flight.writes_left -= 1
        if flight is queue[0] and not flight.writes_left:
            try:
                self._check_whole()
                go_on()
            except Fatal:
                return
            except Exception as unforeseen:  # noqa: BLE001 - whatever it is, it must not leave groups waiting.
                self._end(scarcity(unforeseen) or _defective(unforeseen))

    def _pass_written(self) -> None:
        while self._unwritten and not self._unwritten[0].writes_left:
            flight = self._unwritten.popleft()
            self.written = flight.last
            self._on_written(flight)

    def _advance(self) -> None:
        while self._under_way and not self._under_way[0].writes_left:
            self._pass()

    def _pass(self) -> None:
        """Tell of the oldest group, which is durable. It goes last, so that a defect on the way leaves it to `_end`."""
        flight = self._under_way[0]
        assert flight.last >= self.durable, "groups become durable in their order"
        self.durable = flight.last
        self._on_durable(flight)
        self._under_way.popleft()

    def _check_whole(self) -> None:
        """Raise Fatal if the file was removed or cut: what is written to it is lost."""
        try:
            is_whole = self.file.is_whole()
        except OSError as error:
            raise self._fail(error) from error
        if not is_whole:
            raise self._end(gone(RING_NAME))

    def _fail(self, error: OSError) -> Fatal:
        return self._end(failed("write to", RING_NAME, error))

    def _end(self, failure: Fatal) -> Fatal:
        """Answer nothing more of what is under way."""
        self.failure = failure
        ended = (*self._under_way, *self._unwritten)
        self._under_way, self._unwritten = deque(), deque()
        for flight in ended:
            if not flight.is_done:
                flight.finish(failure)
        return failure


def _defective(error: Exception) -> Fatal:
    log.critical("unexpected error, a defect of this program", defect=defect(error))
    return Fatal("a group could not be completed: please report the line above; then start again")


async def create(disk: Disk, header: Header, *, is_cached: bool) -> FixedFile:
    """Put a new, blank ring in the place of the old one.

    Raises JournalFull, with the old one still there; JournalFailed; NotPermitted.
    """
    temporary, shape = new_name(RING_NAME), header.shape
    file: FixedFile | None = None
    try:
        await remove_if_there(disk, temporary)
        new = await disk.create(temporary)
        try:
            await new.append(header.encode()[0])
            per_chunk = max(1, _CHUNK_BYTES // shape.slot_bytes)
            chunk = shape.blank * per_chunk
            for first in range(0, shape.lines, per_chunk):
                await new.append(chunk[: (shape.lines - first) * shape.slot_bytes])
            await new.sync()
        finally:
            new.close()
        file = await disk.open_fixed(temporary, is_cached=is_cached)
        await disk.rename(temporary, RING_NAME)
        await sync_names(disk, RING_NAME)
    except BaseException as error:
        if file is not None:
            file.close()
        if isinstance(error, OSError):
            with suppress(OSError):  # What is left of it would take room. The error that is under way tells more.
                await disk.remove(temporary)
            raise translate("make the new ring", RING_NAME, error) from error
        raise
    return file


async def settle(disk: Disk, data: bytes, shape: Shape, slots: tuple[int, ...]) -> None:
    """Write these slots of the ring again, as they are, and make them durable. Raises Fatal."""
    if not slots:
        return
    try:
        file = await disk.open_fixed(RING_NAME, is_cached=True)
        try:
            for slot in slots:
                offset = slot * shape.slot_bytes
                written: asyncio.Future[OSError | None] = asyncio.get_running_loop().create_future()
                file.write(offset, data[offset : offset + shape.slot_bytes], written.set_result)
                if (error := await written) is not None:
                    raise error
            await file.sync()
        finally:
            file.close()
    except OSError as error:
        raise failed("settle", RING_NAME, error) from error
