"""A backup of a journal, also while a service writes to it.

What was answered before the backup began is in it: the ring is read first, so what was written over by then is in the
segments that are copied after it (`history.py`). The copy is given a ring of its own, that begins where its history
ends. So it is a whole journal like any other, and a service starts on it as after a stop. It knows the same keys: of
what is salvaged without their file, none.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from typing import Final, Generic

from pexservice.core.judging import Place
from pexservice.core.known import KnownKeys
from pexservice.core.machine import C, S
from pexservice.disk import Disk
from pexservice.errors import CannotCreate, DamagedData, reason, scarcity
from pexservice.limits import DEFAULT
from pexservice.stores.journal.errors import JournalFailed, JournalFull, failed, make_room
from pexservice.stores.journal.history import History
from pexservice.stores.journal.history_writer import HistoryWriter
from pexservice.stores.journal.keys_writer import KeysWriter, check_span
from pexservice.stores.journal.live_keys import LiveKeys
from pexservice.stores.journal.opening import shape_for
from pexservice.stores.journal.record import Codec
from pexservice.stores.journal.ring import RING_NAME, Header, state_checksum
from pexservice.stores.journal.ring_writer import create
from pexservice.stores.journal.segment import Segment, begin_of

_KEYS_MAX: Final = 1 << 30
"""A backup forgets no key: how many are known, and for how long, is for the start on it to say."""


@dataclass(frozen=True, slots=True)
class Backup(Generic[S]):
    """What became of a backup."""

    end: Place[S]
    """Where it ends."""
    has_keys: bool
    """Whether the keys are in it. Without them, who asks again for a command with its key has it taken again."""
    has_whole_ring: bool = True
    """Whether all of the ring was of use. Else what was answered since the history was last written may be missing."""


async def backup(source: Disk, target: Disk, codec: Codec[S, C], *, is_salvaging: bool = False) -> Backup[S] | None:
    """Write a backup into an empty directory, and return what became of it; None if there is nothing to back up.

    With `is_salvaging`, of a journal that is damaged, as far as `History.look` finds something whole. Proves every row
    on the way. Raises DamagedData, JournalFailed, NotPermitted, CannotCreate: then the directory is as it was.
    """
    try:
        found = target.names()
    except OSError as error:
        raise failed("read", "the directory of the backup", error) from error
    if any(name == RING_NAME or begin_of(name) is not None for name in found):
        message = "there is a journal in the directory of the backup. Name an empty one."
        raise CannotCreate(message)
    try:
        history = History.look(source, codec, is_salvaging=is_salvaging, reads_keys=True)
        return await _copy(history, target, codec, is_salvaging=is_salvaging)
    except BaseException as error:
        await _clear(target, found)
        if isinstance(error, JournalFull):
            why = reason(error.__cause__) if isinstance(error.__cause__, OSError) else str(error)
            message = f"there is no room for the backup, and what was written of it was removed: {why}. "
            remedy = f"{make_room(error.__cause__)}, and run it again."
            raise scarcity(error) or JournalFailed(message + remedy) from error
        raise


async def _clear(target: Disk, found: Sequence[str]) -> None:
    """Take a backup away that is not whole, as far as that can be done: it could be taken for one that is."""
    with suppress(OSError):
        for name in set(target.names()) - set(found):
            await target.remove(name)


def _keys_of(history: History[S, C], *, is_salvaging: bool) -> LiveKeys | None:
    try:
        return history.keys()
    except (DamagedData, JournalFailed):
        if is_salvaging:
            return None
        raise


async def _copy(history: History[S, C], target: Disk, codec: Codec[S, C], *, is_salvaging: bool) -> Backup[S] | None:
    begin: Place[S] | None = None
    newest: Segment[S] | None = None
    for piece in history.pieces():
        if begin is None:
            begin, found = piece.start, _keys_of(history, is_salvaging=is_salvaging)
            keys = KeysWriter(target, codec, KnownKeys(_KEYS_MAX, inf), found)
        end = piece.end
        if found is not None:  # Else the digests were made with a secret that is lost.
            keys.read(piece.bodies, piece.start)
        if piece.segment is not None:
            for _ in piece.rows:
                pass
            newest = piece.segment
            is_interval, size_bytes = newest.opening.is_interval, DEFAULT.segment_bytes_max
            writer = HistoryWriter(target, codec, is_interval=is_interval, segment_bytes_max=size_bytes)
            writer.resume(newest, is_on_disk=False)
            await writer.write()
        else:
            for body in piece.bodies:
                writer.add(body, codec.decode_body(body).place, 0)
            await writer.write()
    if begin is None:
        return None
    if not is_salvaging:
        check_span(found, begin.sequence, end.sequence)
    keys.known.forget_after(end.sequence)
    await keys.write(end.sequence)
    shape = shape_for(target)
    checksum = state_checksum(codec, end)
    file = await create(target, Header(codec.machine.name, 1, shape, end.sequence, checksum), is_cached=True)
    file.close()
    return Backup(end, found is not None, history.is_ring_whole)
