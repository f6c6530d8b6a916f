"""One segment of the history: its name, and what its bytes are worth. No files here, only their bytes.

A segment is written under another name, synced, and only then given its own, in one step. So it is whole, always: there
is no torn tail, nothing to cut off, and whatever does not prove itself to the last byte is damaged.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic

from pexservice.core.judging import Place
from pexservice.core.machine import C, S
from pexservice.errors import DamagedData
from pexservice.stores.journal.errors import damage
from pexservice.stores.journal.record import Codec, InvalidRowError, Opening, Row, body_of, check

_NAME = re.compile(r"journal-([0-9]{20})\.csv", re.ASCII)


def segment_name(sequence: int) -> str:
    """Return the name of the segment that begins after so many commands. Names sort as sequences do."""
    return f"journal-{sequence:020}.csv"


def begin_of(name: str) -> int | None:
    """Return the sequence that a segment of this name starts after, or None if it is no segment's name."""
    matched = _NAME.fullmatch(name)
    return int(matched[1]) if matched else None


@dataclass(frozen=True, slots=True)
class Segment(Generic[S]):
    """What a segment holds: rows whose checksums were proved, and where the last of them leads."""

    name: str
    data: bytes
    opening: Opening[S]
    bodies: list[bytes]
    """The rows, each without its checksum."""
    place: Place[S]
    checksum: int
    """That of the last row, from which another would go on."""


def read(codec: Codec[S, C], name: str, data: bytes) -> Segment[S]:
    """Prove a segment by its checksums, and that its last row follows. Raises DamagedData: file, line, byte offset."""
    opening = _read_opening(codec, name, data)
    lines = data.split(b"\n")
    checksum, number = opening.checksum, 2
    try:
        for line in lines[2:-1]:
            checksum = check(line, checksum)
            number += 1
    except InvalidRowError as error:
        raise _damage_of(name, lines, number, str(error)) from error
    if lines[-1]:
        raise _damage_of(name, lines, number, "it has no newline, and segments are written whole")
    bodies = [body_of(line) for line in lines[2:-1]]
    before = opening.place
    number -= min(2, len(bodies))
    try:
        for body in bodies[-2:]:
            row = codec.decode_body(body)
            if body is bodies[-1]:
                codec.follow(row, before)
            before = row.place
            number += 1
    except InvalidRowError as error:
        raise _damage_of(name, lines, number, str(error)) from error
    return Segment(name, data, opening, bodies, before, checksum)


def rows(codec: Codec[S, C], segment: Segment[S]) -> Iterator[Row[S]]:
    """Decode the rows in order, proving that each follows from the one before. Raises DamagedData."""
    before = segment.opening.place
    for index, body in enumerate(segment.bodies):
        try:
            row = codec.decode_body(body)
            codec.follow(row, before)
        except InvalidRowError as error:
            raise damaged_row(segment, index, str(error)) from error
        yield row
        before = row.place


def damaged_row(segment: Segment[S], index: int, reason: str) -> DamagedData:
    """Return the error for the row of this index that is not what it should be: file, line, byte offset."""
    return _damage_of(segment.name, segment.data.split(b"\n"), index + 2, reason)


def _read_opening(codec: Codec[S, C], name: str, data: bytes) -> Opening[S]:
    foreign = codec.foreign(data)
    if foreign is not None:
        raise DamagedData(f"{name} {foreign}")
    if not data.startswith(codec.header):
        raise damage(name, 1, 0, "it is not the header row of a journal")
    row, newline, _ = data[len(codec.header) :].partition(b"\n")
    if not newline:
        raise damage(name, 2, len(codec.header), "it has no newline")
    try:
        opening = codec.decode_opening(row)
    except InvalidRowError as error:
        raise damage(name, 2, len(codec.header), str(error)) from error
    if opening.place.sequence != begin_of(name):
        reason = f"its sequence {opening.place.sequence} is not the one in the file's name"
        raise damage(name, 2, len(codec.header), reason)
    return opening


def _damage_of(name: str, lines: list[bytes], index: int, reason: str) -> DamagedData:
    return damage(name, index + 1, sum(len(line) + 1 for line in lines[:index]), reason)
