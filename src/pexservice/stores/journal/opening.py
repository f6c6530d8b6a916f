"""Opening a journal: what is there, and the steps from there to a new ring.

    look      read ring and newest segment, and plan (`recovery.py`). Changes nothing
    1 settle  make durable in the ring what is part of the journal and not known to be
    2 history bring into the history what it lacks
    3 ring    a new one, of the next life, that begins where the history ends
    4 serve

In this order: the old ring must not go before the history has its rows, and those must not be written before they are
durable in the ring. A crash anywhere leads here again. What is over the limit of the history goes before 2, which may
have no room else. Without room for 2 or 3 the journal can be read, and waits for room.

    ring                              history   it is
    none                              none      a new directory; damage if `keys.csv` has keys
    of life 1, without a line         none      a new directory, whose first start was cut off: nothing was answered;
                                                damage if the ring begins where a new one does not, as that of a backup
    any other                         none      damage: the history is missing
    none                              there     damage: the ring is missing
    there                             there     what `recovery.py` says

The keys that are known (`keys_writer.py`) are written before ring and history at the first start, and later before a
segment begins. So where these two are the keys are, too, and they are of no later moment; else it is damage.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Generic

import structlog

from pexservice.core.judging import Place
from pexservice.core.machine import C, S
from pexservice.disk import Disk, FixedFile
from pexservice.stores.journal import live_keys, whole_file
from pexservice.stores.journal import ring as rings
from pexservice.stores.journal import segment as segments
from pexservice.stores.journal.errors import JournalFull, failed, mismatch
from pexservice.stores.journal.history_writer import HistoryWriter, segment_names
from pexservice.stores.journal.keys_writer import KeysWriter, check_span
from pexservice.stores.journal.live_keys import KEYS_NAME, LiveKeys
from pexservice.stores.journal.record import Codec
from pexservice.stores.journal.recovery import Plan, recover
from pexservice.stores.journal.ring import RING_NAME, Header, Ring, Shape, state_checksum
from pexservice.stores.journal.ring_writer import create, settle
from pexservice.stores.journal.segment import Segment

log = structlog.get_logger()

LINES: Final = 1_024
"""1,024 lines of 4,096 bytes are read, proved, and written anew in some 6 ms of processor time, which every start pays
(docs/speed.md). Half of them last 25 ms at 20,000 groups a second: longer than the history takes to be written."""
_LINES_MIN: Final = 16
"""As many as four groups in flight, and the one that seals, need if each takes a line, twice and more."""
_SHARE: Final = 4
"""Of the room that there is, one part for the ring, one for the old ring beside it, and the rest for the history."""


@dataclass(frozen=True, slots=True)
class Found(Generic[S]):
    """What is in a directory, and what to do about it."""

    plan: Plan[S]
    ring: bytes
    shape: Shape | None
    """Of the ring that is there."""
    newest: Segment[S] | None
    """The newest segment of the history."""
    keys: LiveKeys | None = None
    older: tuple[Segment[S], ...] = ()
    """The segments before the newest whose rows may have keys that the file of keys has not, oldest first."""


def look(disk: Disk, codec: Codec[S, C], *, begin: Callable[[], Place[S] | None] = lambda: None) -> Found[S]:
    """Find where the machine stands; in a new directory, where `begin` says. Changes nothing.

    Raises DamagedData, JournalFailed, NotPermitted, and what `begin` does.
    """
    data, newest = read_ring(disk), read_newest(disk, codec)
    ring = check_pair(codec, data, newest)
    if ring is None or data is None or newest is None:
        keys, start = read_keys(disk, codec), begin() or Place(0, codec.machine.initial)
        check_new(ring, keys, start.sequence)
        return Found(Plan(start, 1, (), (), 0), b"", None, None)
    plan = recover(codec, ring, newest)
    if plan.dropped:
        log.info("lines in flight at the end, never answered, dropped", lines=plan.dropped)
    keys = check_span(read_keys(disk, codec), 0, plan.place.sequence)
    older = _read_older(disk, codec, newest, keys.sequence)
    return Found(plan, data, ring.header.shape, newest, keys, older)


def check_new(ring: Ring[S] | None, keys: LiveKeys | None, begin: int) -> None:
    """Raise DamagedData if something in a new directory, which begins at a sequence, tells that it is none.

    Commands were taken if there are keys, or if a file is of a later sequence than that of a first start that was cut
    off: it was to begin where this one does, or at 0, before there was a walk to take over.
    """
    if ring is not None and ring.header.base not in (0, begin):
        raise mismatch(f"{RING_NAME} goes on from sequence {ring.header.base}, and the history is missing")
    if keys is not None and keys.lines:
        raise mismatch(f"{KEYS_NAME} has keys, and {RING_NAME} and the history are missing")
    if keys is not None and keys.sequence not in (0, begin):
        raise mismatch(f"{KEYS_NAME} is of sequence {keys.sequence}, and {RING_NAME} and the history are missing")


def read_keys(disk: Disk, codec: Codec[S, C]) -> LiveKeys | None:
    """Return what the file of keys holds, if there is one. Raises DamagedData, JournalFailed, NotPermitted."""
    data = read_keys_file(disk)
    return None if data is None else live_keys.read(codec, data)


def read_keys_file(disk: Disk) -> bytes | None:
    """Return the bytes of the file of keys, if there is one. Raises DamagedData, JournalFailed, NotPermitted."""
    try:
        return whole_file.read(disk, KEYS_NAME) if KEYS_NAME in disk.names() else None
    except OSError as error:
        raise failed("read", KEYS_NAME, error) from error


def _read_older(disk: Disk, codec: Codec[S, C], newest: Segment[S], sequence: int) -> tuple[Segment[S], ...]:
    """Return the segments that reach back to a sequence: none, unless an older file of keys was put back."""
    found: list[Segment[S]] = []
    oldest = newest
    while oldest.opening.place.sequence > sequence:
        older = read_newest(disk, codec, before=oldest.name)
        if older is None:
            raise mismatch(f"{KEYS_NAME} ends at sequence {sequence}, from where the history does not go on")
        if older.place != oldest.opening.place:
            raise mismatch(f"{oldest.name} does not begin where {older.name} ends")
        found.insert(0, older)
        oldest = older
    return tuple(found)


def read_ring(disk: Disk) -> bytes | None:
    """Return the bytes of the ring, if there is one. Raises DamagedData, JournalFailed, NotPermitted."""
    try:
        return whole_file.read(disk, RING_NAME) if RING_NAME in disk.names() else None
    except OSError as error:
        raise failed("read", RING_NAME, error) from error


def read_newest(disk: Disk, codec: Codec[S, C], before: str | None = None) -> Segment[S] | None:
    """Read and prove the newest segment, or the newest one before another.

    Raises DamagedData, JournalFailed, NotPermitted.
    """
    name = "the data directory"
    try:
        names = [each for each in segment_names(disk) if before is None or each < before]
        if not names:
            return None
        name = names[-1]
        data = whole_file.read(disk, name)
    except OSError as error:
        raise failed("read", name, error) from error
    return segments.read(codec, name, data)


def check_pair(codec: Codec[S, C], data: bytes | None, newest: Segment[S] | None) -> Ring[S] | None:
    """Return the ring by the table above, if there is one; without a segment too in a new directory (`check_new`).

    Raises DamagedData.
    """
    ring = rings.read(codec, data) if data is not None else None
    if newest is None and ring is not None and (ring.header.life > 1 or ring.lines or ring.invalid):
        raise mismatch(f"{RING_NAME} is there, and the history is missing")
    if newest is not None and ring is None:
        raise mismatch(f"the history is there, and {RING_NAME} is missing")
    return ring


def shape_for(disk: Disk) -> Shape:
    """Return the shape of a new ring on a disk, a smaller one on a small disk. Raises JournalFailed."""
    try:
        block_bytes = disk.block_bytes()
        room_bytes = min(disk.free_bytes() // _SHARE, disk.file_bytes_max())
    except OSError as error:
        raise failed("look at", "the file system of the journal", error) from error
    lines = max(_LINES_MIN, min(LINES, room_bytes // block_bytes - 1))
    return Shape(lines, block_bytes, lines // 2)


class Opener(Generic[S, C]):
    """The steps of a start, which can be tried again from where they stopped."""

    def __init__(
        self, disk: Disk, codec: Codec[S, C], found: Found[S], history: HistoryWriter[S, C], keys: KeysWriter
    ) -> None:
        self._disk = disk
        self._codec = codec
        self._history = history
        self._keys = keys
        if found.newest is None:
            history.begin(found.plan.place)
        else:
            history.resume(found.newest)
            for segment in (*found.older, found.newest):
                keys.read(segment.bodies, segment.opening.place)
            keys.read([row.body for row in found.plan.missing], found.newest.place)
        for row in found.plan.missing:
            history.add(row.body, codec.decode_body(row.body).place, 0)
        history.turn()
        self._is_first = found.newest is None
        self._found = replace(found, newest=None, keys=None, older=())  # Some MiB, and not looked at again.

    async def settle(self) -> None:
        """Step 1. Raises Fatal."""
        found = self._found
        if found.shape is not None:
            await settle(self._disk, found.ring, found.shape, found.plan.settle)
            self._found = replace(found, ring=b"")  # As above.

    async def renew(self, wanted: Shape | None, *, is_cached: bool) -> tuple[FixedFile, Header]:
        """Do steps 2 and 3; at the first start of all 3 and 2. Raises JournalFull: then try again later; and Fatal.

        The ring gets the shape that is wanted, if one is, else the one that suits the disk.
        """
        await self._history.forget()  # First: it makes room for all that follows, and the ring need not be small.
        shape = wanted or shape_for(self._disk)
        if self._is_first:
            await self._keys.write(self._found.plan.place.sequence)
        else:
            await self._history.write()
            self._history.renumber()
        header = self._header(shape)
        file = await create(self._disk, header, is_cached=is_cached)
        if wanted is None and shape.lines < LINES:
            log.warning("free space, or the file size limit, allows a smaller ring", wanted=LINES, allowed=shape.lines)
        if self._is_first:
            try:
                await self._history.write()
            except JournalFull:
                file.close()
                raise
        return file, header

    def _header(self, shape: Shape) -> Header:
        plan, machine = self._found.plan, self._codec.machine
        base_checksum = state_checksum(self._codec, plan.place)
        return Header(machine.name, plan.life, shape, plan.place.sequence, base_checksum)
