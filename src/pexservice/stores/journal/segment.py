"""One segment file: its name, and what its bytes are worth. No files here, only their bytes.

Our assumptions about disks. Between two syncs there is at most one write to a segment, the row of one group, at the end
of the file. A power cut leaves of that write any of its 512-byte sectors, the others reading as NUL or not being there.
What was synced stays, and header and opening row were synced before the file got its name. So after a crash the file is
its durable rows, then possibly one *torn tail*. Without a valid opening row it is damaged, even if it is empty.

    what follows the last valid row                         it is
    nothing                                                 clean
    a line without its newline                              a torn tail: never answered, left behind
    one line in which bytes read as NUL, or only NULs       a torn tail
    a whole row whose newline was replaced by a byte        damage: a torn write does not change a byte
    a complete line with a wrong checksum                   damage
    anything else, above all anything after such a line     damage

In a segment written under `--durability interval` many rows may lie between two syncs. There everything from the first
line with NULs on was promised to nobody, and is a torn tail.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, Generic

from pexservice.core.judging import Place
from pexservice.core.machine import C, S
from pexservice.errors import DamagedData
from pexservice.stores.journal.record import Codec, InvalidRowError, Opening, Row, check

_NAME = re.compile(r"journal-([0-9]{20})\.csv", re.ASCII)
_SUFFIX_NEW: Final = ".new"
_SUFFIX_TORN: Final = ".torn"


def segment_name(sequence: int) -> str:
    """Return the name of the segment that starts after `sequence`."""
    return f"journal-{sequence:020}.csv"


def new_name(name: str) -> str:
    """Return the name that a segment has until it is whole and durable."""
    return name + _SUFFIX_NEW


def torn_name(name: str) -> str:
    """Return the name under which a torn segment is kept when a new one takes its name."""
    return name + _SUFFIX_TORN


def sequence_of(name: str) -> int | None:
    """Return the sequence that a segment of this name starts after, or None if it is no segment's name."""
    matched = _NAME.fullmatch(name)
    return int(matched[1]) if matched else None


@dataclass(frozen=True, slots=True)
class Segment(Generic[S]):
    """What the bytes of a segment are worth: its proved rows, and where the last of them leads."""

    name: str
    opening: Opening[S]
    lines: list[bytes]
    place: Place[S]
    valid_bytes: int
    torn_bytes: int

    def rows(self, codec: Codec[S, Any]) -> Iterator[Row[S]]:
        """Decode the rows in order, proving that each follows from the one before it. Raises DamagedData."""
        before = self.opening.place
        for index, line in enumerate(self.lines):
            try:
                row = codec.decode_row(line)
                codec.follow(row, before)
            except InvalidRowError as error:
                offset = self.valid_bytes - sum(len(later) + 1 for later in self.lines[index:])
                raise damage(self.name, index + 3, offset, str(error)) from error
            yield row
            before = row.place


def read(codec: Codec[S, C], name: str, data: bytes) -> Segment[S]:
    """Prove the rows of a segment by their checksums. Raises DamagedData, naming file, line and byte offset."""
    opening = _read_opening(codec, name, data)
    lines = data.split(b"\n")
    checksum, valid = opening.checksum, 2
    try:
        for line in islice(lines, 2, len(lines) - 1):
            checksum = check(line, checksum)
            valid += 1
    except InvalidRowError as error:
        reason = str(error)
    else:
        reason = "it is whole, but its newline was changed to another byte"
    rows = lines[2:valid]
    valid_bytes = sum(len(line) + 1 for line in lines[:valid])
    rest = data[valid_bytes:]
    if not _is_torn(rest, checksum, interval=opening.is_interval):
        raise damage(name, valid + 1, valid_bytes, reason)
    place = opening.place
    try:
        if len(rows) > 1:
            place = codec.decode_row(rows[-2]).place
        if rows:
            last = codec.decode_row(rows[-1])
            codec.follow(last, place)
            place = last.place
    except InvalidRowError as error:
        raise damage(name, valid, valid_bytes - len(rows[-1]) - 1, str(error)) from error
    return Segment(name, opening, rows, place, valid_bytes, len(rest))


def _read_opening(codec: Codec[S, C], name: str, data: bytes) -> Opening[S]:
    foreign = codec.foreign(data)
    if foreign is not None:
        raise DamagedData(f"{name} {foreign}")
    if not data.startswith(codec.header):
        raise damage(name, 1, 0, "it is not the header row of this machine's journal")
    line, newline, _ = data[len(codec.header) :].partition(b"\n")
    if not newline:
        raise damage(name, 2, len(codec.header), "it has no newline")
    try:
        opening = codec.decode_opening(line)
    except InvalidRowError as error:
        raise damage(name, 2, len(codec.header), str(error)) from error
    if opening.place.sequence != sequence_of(name):
        reason = f"its sequence {opening.place.sequence} is not the one in the file's name"
        raise damage(name, 2, len(codec.header), reason)
    return opening


def _is_torn(rest: bytes, checksum: int, *, interval: bool) -> bool:
    """Tell whether what follows the last valid row, whose checksum is given, is a torn tail or nothing."""
    line, newline, after = rest.partition(b"\n")
    if newline and interval:
        return b"\0" in line
    if newline:
        # A whole row, a NUL instead of its newline, and more behind it: two writes, so the first was synced.
        is_one_write = not _is_row(line.partition(b"\0")[0], checksum)
        return b"\0" in line and is_one_write and not after.strip(b"\0")
    return not rest or rest.endswith(b"\0") or not _is_row(rest[:-1], checksum)


def _is_row(line: bytes, checksum: int) -> bool:
    try:
        check(line, checksum)
    except InvalidRowError:
        return False
    return True


def damage(name: str, line: int, offset: int, reason: str) -> DamagedData:
    """Return the error for a damaged line, with what an operator can do about it."""
    return DamagedData(
        f"{name} is damaged at line {line}, byte offset {offset}: {reason}. Nothing was changed. "
        "Restore the file from a backup, or see 'Damaged journal' in docs/operations.md."
    )
