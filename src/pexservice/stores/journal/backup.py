"""A backup of a journal, also while a service writes to it.

What was answered before the backup began is in it: the ring is read first, so what was written over by then is in the
segments that are copied after it (`history.py`). The copy is given a ring of its own, that begins where its history
ends. So it is a whole journal like any other, and a service starts on it as after a stop. It knows the same keys: of
what is salvaged without their file, none.
"""

from collections.abc import Sequence
from contextlib import suppress
from math import inf
from typing import Final

from pexservice.core.judging import Place
from pexservice.core.known import KnownKeys
from pexservice.core.machine import C, S
from pexservice.disk import Disk
from pexservice.errors import CannotCreate, DamagedData
from pexservice.limits import DEFAULT
from pexservice.stores.journal.errors import JournalFailed, JournalFull, failed
from pexservice.stores.journal.history import History
from pexservice.stores.journal.history_writer import HistoryWriter, segment_names
from pexservice.stores.journal.keys_writer import KeysWriter
from pexservice.stores.journal.live_keys import LiveKeys
from pexservice.stores.journal.opening import read_keys, shape_for
from pexservice.stores.journal.record import Codec
from pexservice.stores.journal.ring import RING_NAME, Header, state_checksum
from pexservice.stores.journal.ring_writer import create
from pexservice.stores.journal.segment import Segment

_KEYS_MAX: Final = 1 << 30
"""A backup forgets no key: how many are known, and for how long, is for the start on it to say."""


async def backup(source: Disk, target: Disk, codec: Codec[S, C], *, is_salvaging: bool = False) -> Place[S] | None:
    """Write a backup into an empty directory, and return where it ends; None if there is nothing to back up.

    With `is_salvaging`, of a journal that is damaged, as far as `History.look` finds something whole. Proves every row
    on the way. Raises DamagedData, JournalFailed, NotPermitted, CannotCreate: then the directory is as it was.
    """
    try:
        found = target.names()
    except OSError as error:
        raise failed("read", "the directory of the backup", error) from error
    if RING_NAME in found or segment_names(target):
        message = "there is a journal in the directory of the backup. Name an empty one."
        raise CannotCreate(message)
    keys = _read_keys(source, codec, is_salvaging=is_salvaging)  # First, so all later ones are in what is read next.
    try:
        return await _copy(History.look(source, codec, is_salvaging=is_salvaging), target, codec, keys)
    except BaseException as error:
        _clear(target, found)
        if isinstance(error, JournalFull):
            message = f"the backup is not whole, and was removed: {error}"
            raise JournalFailed(message) from error
        raise


def _clear(target: Disk, found: Sequence[str]) -> None:
    """Take a backup away that is not whole, as far as that can be done: it could be taken for one that is."""
    with suppress(OSError):
        for name in set(target.names()) - set(found):
            target.remove(name)


def _read_keys(source: Disk, codec: Codec[S, C], *, is_salvaging: bool) -> LiveKeys | None:
    try:
        return read_keys(source, codec)
    except DamagedData:
        if is_salvaging:
            return None
        raise


async def _copy(history: History[S, C], target: Disk, codec: Codec[S, C], found: LiveKeys | None) -> Place[S] | None:
    end: Place[S] | None = None
    newest: Segment[S] | None = None
    keys = KeysWriter(target, codec, KnownKeys(_KEYS_MAX, inf), found)
    for piece in history.pieces():
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
    if end is None:
        return None
    keys.known.forget_after(end.sequence)
    await keys.write(end.sequence)
    shape = shape_for(target)
    checksum = state_checksum(codec, end)
    file = await create(target, Header(codec.machine.name, 1, shape, end.sequence, checksum), is_cached=True)
    with suppress(OSError):
        file.close()
    return end
