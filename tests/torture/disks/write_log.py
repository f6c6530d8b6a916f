"""What a block device was written, in order, and the disk that a power cut would have left at any point of it.

A flush makes durable what came before it, and nothing else does. So the disk at a cut is all writes up to the last
flush before the cut, and of those after it each one kept, lost or torn.

A record is 20 bytes, little-endian, and the data; one without data is a flush:

    time, monotonic seconds (float64) | offset in bytes (uint64) | size in bytes (uint32) | data
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Final

from torture.disks.fates import survivors

_HEAD: Final = struct.Struct("<dQI")


@dataclass(frozen=True, slots=True)
class Record:
    """A write that arrived at the device or, without data, a flush."""

    time_s: float
    offset: int
    data: bytes


def pack(record: Record) -> bytes:
    """Return the bytes of a record."""
    return _HEAD.pack(record.time_s, record.offset, len(record.data)) + record.data


def unpack(data: bytes, count: int) -> list[Record]:
    """Return the first `count` records."""
    records, at = [], 0
    for _ in range(count):
        time_s, offset, size = _HEAD.unpack_from(data, at)
        at += _HEAD.size + size
        records.append(Record(time_s, offset, data[at - size : at]))
    return records


def images(records: list[Record], size_bytes: int, cuts: Iterable[int], rng: Random) -> Iterator[bytearray]:
    """Yield the disk as a power cut leaves it just before the record of each of these indices, which must rise."""
    durable = bytearray(size_bytes)
    synced = 0
    for cut in cuts:
        last = max((index + 1 for index in range(synced, cut) if not records[index].data), default=synced)
        for record in records[synced:last]:
            durable[record.offset : record.offset + len(record.data)] = record.data
        synced = last
        image = durable.copy()
        for record in records[synced:cut]:
            for offset, piece in survivors(rng, record.offset, record.data):
                image[offset : offset + len(piece)] = piece
        yield image
