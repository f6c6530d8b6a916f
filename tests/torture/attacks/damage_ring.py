"""What can become of the bytes of the ring. How each kind is judged is told in `damage.py`."""

from collections.abc import Iterator
from random import Random
from typing import Final

from pexservice.core.judging import Place
from pexservice.stores.journal.ring import RING_NAME
from torture.attacks.specimen import Damage

_BLANKS_TRIED: Final = 200
"""Of the bytes that are blank, so many are hurt; of those with text, each bit."""


def bit_flipped(ring: bytes, end: Place[int], rng: Random) -> Iterator[Damage]:
    for at in _places(ring, rng):
        for bit in range(8):
            data = bytearray(ring)
            data[at] ^= 1 << bit
            yield _damage(bytes(data), end)


def nulled(ring: bytes, end: Place[int], rng: Random) -> Iterator[Damage]:
    """A sector, a slot, or a single byte."""
    slot_bytes = ring.index(b"\n") + 1
    for begin in range(0, len(ring), slot_bytes):
        yield _damage(ring[:begin] + bytes(512) + ring[begin + 512 :], end)
        yield _damage(ring[:begin] + bytes(slot_bytes) + ring[begin + slot_bytes :], end)
    for at in _places(ring, rng):
        yield _damage(ring[:at] + b"\0" + ring[at + 1 :], end)


def blanked(ring: bytes, end: Place[int], _rng: Random) -> Iterator[Damage]:
    """A line whose write was lost, after it had been answered."""
    slot_bytes = ring.index(b"\n") + 1
    blank = b"\n".rjust(slot_bytes)
    for begin in range(slot_bytes, len(ring), slot_bytes):
        if ring[begin : begin + slot_bytes] != blank:
            yield _damage(ring[:begin] + blank + ring[begin + slot_bytes :], end)


def cut(ring: bytes, end: Place[int], rng: Random) -> Iterator[Damage]:
    for size in (0, 1, 511, 512, 4096, len(ring) - 4096, len(ring) - 1, rng.randrange(len(ring))):
        yield _damage(ring[:size], end)


def grown(ring: bytes, end: Place[int], rng: Random) -> Iterator[Damage]:
    for more in (b"\n", bytes(512), b" " * 4095 + b"\n", rng.randbytes(100)):
        yield _damage(ring + more, end)


def slots_swapped(ring: bytes, end: Place[int], _rng: Random) -> Iterator[Damage]:
    """A line in a slot that is not its own."""
    slot_bytes = ring.index(b"\n") + 1
    slots = [ring[begin : begin + slot_bytes] for begin in range(0, len(ring), slot_bytes)]
    for index in range(1, len(slots)):
        changed = list(slots)
        changed[index - 1], changed[index] = changed[index], changed[index - 1]
        if changed != slots:
            yield _damage(b"".join(changed), end)


def of_another_life(ring: bytes, end: Place[int], _rng: Random) -> Iterator[Damage]:
    """The header of another start."""
    yield _damage(ring.replace(b",life=", b",life=1", 1), end)


def _places(ring: bytes, rng: Random) -> list[int]:
    text = [at for at, byte in enumerate(ring) if byte not in b" \n"]
    return [*text, *(rng.randrange(len(ring)) for _ in range(_BLANKS_TRIED))]


def _damage(ring: bytes, end: Place[int]) -> Damage:
    return Damage({RING_NAME: ring}, end, names="is damaged")
