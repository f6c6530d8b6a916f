"""Writing down the keys that are known, so that a start need not look for them in all of the history.

A start reads the newest segment and the ring, so the keys of all that comes before these must be in `keys.csv` before a
segment begins. And they are written down when many are new, so that a start has few rows to take keys from.
"""

import os
from collections.abc import Iterable
from typing import Any, Final

from pexservice.core.judging import Place
from pexservice.core.keys import SECRET_BYTES, Keys
from pexservice.core.known import KnownKeys
from pexservice.disk import Disk
from pexservice.stores.journal.errors import mismatch
from pexservice.stores.journal.live_keys import KEYS_NAME, LiveKeys, encode
from pexservice.stores.journal.record import Codec, InvalidRowError, has_keys
from pexservice.stores.journal.whole_file import put

_UNWRITTEN_MAX: Final = 16_384
"""Keys that a start takes from rows: some 50 ms. To write 65,536 takes 15 ms, so a microsecond for each new one."""


class KeysWriter:
    """The keys of one journal: in memory, and in their file."""

    def __init__(self, disk: Disk, codec: Codec[Any, Any], known: KnownKeys, found: LiveKeys | None) -> None:
        """`found` is what the file says; None makes a new secret."""
        self.known = known
        self.secret: Final = os.urandom(SECRET_BYTES) if found is None else found.secret
        self._disk = disk
        self._codec = codec
        self._sequence = -1 if found is None else found.sequence
        self._unwritten = 0
        self.in_place: dict[str, int] = {}
        """The file by its name, and its size, as far as this process has put it there."""
        if found is not None:
            known.read(found.lines)

    @property
    def are_many_unwritten(self) -> bool:
        """Whether it is time to write them down."""
        return self._unwritten >= _UNWRITTEN_MAX

    def are_written_before(self, begins: int) -> bool:
        """Tell whether the file has the keys of all that comes before a segment that begins there."""
        return self._sequence >= begins

    def settle(self, keys: Keys) -> None:
        """Keep the keys of a group that became durable."""
        self.known.settle(keys)
        self._unwritten += len(keys)

    def read(self, bodies: Iterable[bytes], start: Place[Any]) -> None:
        """Know the keys of rows that go on from a place, but for those that the file has. Raises DamagedData."""
        before: bytes | None = None
        codec = self._codec
        for body in bodies:
            if has_keys(body) and int(body.partition(b",")[0]) > self._sequence:
                place = start if before is None else codec.decode_body(before).place
                try:
                    self.settle(codec.keys(codec.decode_body(body), place))
                except InvalidRowError as error:
                    raise mismatch(f"the keys of {body.decode('ascii')!r:.80} are not those of a row") from error
            before = body

    async def cover(self, begins: int, end: int) -> None:
        """Write them down if a segment is to begin behind what is written, or many are new.

        `end` is the sequence up to which all durable ones are known. Raises JournalFull: then try again later; Fatal.
        """
        if not self.are_written_before(begins) or self.are_many_unwritten:
            await self.write(end)

    async def finish(self, end: int) -> None:
        """Write down what is new, for the next start to be quick. Raises as `cover`."""
        if self._unwritten:
            await self.write(end)

    async def write(self, end: int) -> None:
        """Write them down. Raises as `cover`."""
        unwritten = self._unwritten
        data = encode(self._codec, LiveKeys(self.secret, end, self.known.write()))
        await put(self._disk, KEYS_NAME, data, "the keys", is_private=True)
        self.in_place = {KEYS_NAME: len(data)}
        self._sequence = end
        self._unwritten -= unwritten


def check_span(found: LiveKeys | None, begin: int, end: int) -> LiveKeys:
    """Return what the file of keys says, of a history from one sequence to another. Raises DamagedData."""
    if found is None:
        raise mismatch(f"{KEYS_NAME} is missing, and without it no command that was taken with a key can be told")
    if found.sequence > end:
        raise mismatch(f"{KEYS_NAME} has keys up to sequence {found.sequence}, and the history ends at {end}")
    if found.sequence < begin:
        raise mismatch(f"{KEYS_NAME} ends at sequence {found.sequence}, from where the history does not go on")
    return found
