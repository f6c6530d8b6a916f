"""What a power cut makes of a write that was not synced.

A disk writes whole sectors of 512 bytes, in any order, and until a sync it owes nobody any of them. So each such write
is kept, lost, or torn: some of its sectors are there and the others are not.
"""

from collections.abc import Iterator
from itertools import pairwise
from random import Random
from typing import Final

SECTOR_BYTES: Final = 512


def survivors(rng: Random, offset: int, data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the pieces of one unsynced write that are on the disk after the cut, with their offsets."""
    fate = rng.choice(["kept", "lost", "torn"])
    if fate == "kept":
        yield offset, data
    elif fate == "torn":
        end = offset + len(data)
        edges = [offset, *range(offset - offset % SECTOR_BYTES + SECTOR_BYTES, end, SECTOR_BYTES), end]
        for first, last in pairwise(edges):
            if rng.random() < 0.5:
                yield first, data[first - offset : last - offset]
