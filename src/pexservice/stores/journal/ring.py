"""The ring, to bytes and back: `ring.csv`. No files here.

The ring makes groups durable. It is a file of a fixed size that was written in full before it got its name, and is then
written over in place, slot by slot, round and round. Slot 0 is its header, each other slot is blank or holds one line:

    v2,fibonacci,life=3,lines=1024,slot_bytes=4096,in_flight=512,base=64,base_checksum=e971773f,3e351b6e
    2,1,3,6a6f7703,1/1,67,67,2n,,2026-11-23T18:55:31.223601Z,c2118776
    `-|-|-|-- previous: the checksum of line 1              `checksum, over all before it
      | | `-- life: the ring is a new file each time the service starts, and this one is of its third start
      | `---- durable: all lines up to this one were on stable storage when this one was written
      `number  (1/1: the first line of one that its row takes; then the row's body, as in the history)

Number n is in slot 1 + (n - 1) mod `lines`. A group is one row, cut into as many lines as it takes. A line without a
body seals: it is written when nothing else comes, to say that the line before it is durable.

Text ends within the first 512 bytes of its slot and the rest is blank. A sector of a disk is at least as large, and
after a power cut is old or new; so a slot holds the line that was there before, or the new one. A slot is at least as
large as a physical block, so that a write that goes wrong takes no other line with it.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Generic, NamedTuple
from zlib import crc32

from pexservice.core.judging import Place
from pexservice.core.machine import C, S
from pexservice.errors import DamagedData
from pexservice.stores.journal.errors import damage
from pexservice.stores.journal.record import FORMAT_VERSION, Codec, unknown_machine, unknown_version

RING_NAME: Final = "ring.csv"
_SECTOR_BYTES: Final = 512
PART_BYTES_MAX: Final = 416
"""Of a row's body in one line: what 511 bytes leave beside three numbers of 20 digits, two of 5 and two checksums."""
_CHECKSUM_BYTES: Final = len(",01234567")

_HEADER = re.compile(
    rb"v([1-9][0-9]{0,8}),([A-Za-z0-9-]+),life=([0-9]{1,20}),lines=([0-9]{1,20}),slot_bytes=([0-9]{1,20}),in_flight=([0-9]{1,20}),"
    rb"base=([0-9]{1,20}),base_checksum=([0-9a-f]{8}),([0-9a-f]{8})( *\n)"
)
_LINE = re.compile(
    rb"([0-9]{1,20}),([0-9]{1,20}),([0-9]{1,20}),([0-9a-f]{8}),([0-9]{1,5})/([0-9]{1,5}),([\x20-\x7e]*),([0-9a-f]{8})"
)
_BODY = re.compile(rb"[0-9]{1,20},")


@dataclass(frozen=True, slots=True)
class Shape:
    """How a ring is laid out."""

    lines: int
    slot_bytes: int
    in_flight_max: int
    """The most lines that were written and not yet known to be durable."""

    def __post_init__(self) -> None:
        """Hold the relations between bounds."""
        why = self.contradiction(self.lines, self.slot_bytes, self.in_flight_max)
        assert why is None, why

    @staticmethod
    def contradiction(lines: int, slot_bytes: int, in_flight_max: int) -> str | None:
        """Say why there is no ring of this shape; None if there may be."""
        if in_flight_max < 1:
            return "nothing may be written"
        if lines < 2 * in_flight_max:
            return "the line that calls another durable would be written over while that is in flight"
        return "a slot is smaller than a sector" if slot_bytes < _SECTOR_BYTES else None

    @property
    def size_bytes(self) -> int:
        """The size of the file."""
        return (1 + self.lines) * self.slot_bytes

    @property
    def blank(self) -> bytes:
        """A slot without a line."""
        return fill(b"", self.slot_bytes)

    def slot(self, number: int) -> int:
        """Return the slot of a line."""
        return 1 + (number - 1) % self.lines


@dataclass(frozen=True, slots=True)
class Header:
    """What slot 0 says. It is never written over."""

    machine: str
    life: int
    shape: Shape
    base: int
    """The sequence at which this life began: the place of line 0, which is in the history."""
    base_checksum: int
    """Of the state there."""

    def encode(self) -> tuple[bytes, int]:
        """Return the slot and its checksum, from which line 1 goes on."""
        shape = self.shape
        text = (
            f"v{FORMAT_VERSION},{self.machine},life={self.life},lines={shape.lines},slot_bytes={shape.slot_bytes},"
            f"in_flight={shape.in_flight_max},base={self.base},"
            f"base_checksum={self.base_checksum:08x}"
        ).encode("ascii")
        checksum = crc32(text)
        return fill(b"%b,%08x" % (text, checksum), shape.slot_bytes), checksum


class Line(NamedTuple):
    """One line, as it was written."""

    number: int
    durable: int
    life: int
    previous: int
    """The checksum of the line before."""
    nth: int
    """Which of the lines of its row it is, from 1,"""
    of: int
    """and of how many."""
    part: bytes
    """Of the row's body. A line that seals has none."""
    checksum: int


class RingRow(NamedTuple):
    """A row of which all lines are there, `first` to `last`."""

    first: int
    last: int
    body: bytes

    @property
    def sequence(self) -> int:
        """How many commands were taken with it."""
        return int(self.body.partition(b",")[0])


class InvalidSlotError(ValueError):
    """Raised when a slot is neither blank nor holds a line that belongs there."""


def fill(text: bytes, slot_bytes: int) -> bytes:
    """Return a whole slot that begins with a text."""
    assert len(text) < _SECTOR_BYTES, "a text ends within the first sector"
    return text.ljust(slot_bytes - 1) + b"\n"


def state_checksum(codec: Codec[S, C], place: Place[S]) -> int:
    """Return the checksum by which a header knows its base."""
    return crc32(codec.machine.encode_state(place.state).encode("ascii"))


def cut(body: bytes) -> list[bytes]:
    """Cut a row's body into the parts that go into lines; one empty part for the body of a line that seals."""
    if len(body) <= PART_BYTES_MAX:  # PERF: almost all.
        return [body]
    return [body[begin : begin + PART_BYTES_MAX] for begin in range(0, len(body), PART_BYTES_MAX)]


def encode_line(  # noqa: PLR0913, PLR0917 - the fields of a line in their order, without an object for them.
    number: int, durable: int, life: int, previous: int, nth: int, of: int, part: bytes
) -> tuple[bytes, int]:
    """Return the text of a line, and its checksum."""
    text = b"%d,%d,%d,%08x,%d/%d,%b" % (number, durable, life, previous, nth, of, part)
    checksum = crc32(text)
    return b"%b,%08x" % (text, checksum), checksum


@dataclass(frozen=True, slots=True)
class Ring(Generic[S]):
    """What a ring file says: its header, and its lines by number. `invalid` tells of slots that hold neither."""

    header: Header
    checksum: int
    lines: Mapping[int, Line]
    invalid: Mapping[int, str]

    def rows(self) -> list[RingRow]:
        """Return the rows that are there as a whole, in the order of their numbers."""
        found: list[RingRow] = []
        for number in sorted(self.lines):
            line = self.lines[number]
            if line.nth == line.of and line.part:
                first = number - line.of + 1
                lines = [self.lines.get(each) for each in range(first, number + 1)]
                parts = [each.part for index, each in enumerate(lines, 1) if each is not None and each.nth == index]
                if len(parts) == line.of:
                    found.append(RingRow(first, number, b"".join(parts)))
        return found


def read(codec: Codec[S, C], data: bytes) -> Ring[S]:
    """Read a ring file. Raises DamagedData if it cannot be one of ours at all."""
    header, checksum = _read_header(codec, data)
    shape = header.shape
    if len(data) != shape.size_bytes:
        reason = f"the file is {len(data)} bytes long, and its header says {shape.size_bytes}"
        raise damage(RING_NAME, 1, 0, reason)
    lines: dict[int, Line] = {}
    invalid: dict[int, str] = {}
    blank = shape.blank
    for slot in range(1, shape.lines + 1):
        begin = slot * shape.slot_bytes
        if not data.startswith(blank, begin):  # PERF: a third of the time of a slice that is compared.
            try:
                line = decode_line(header, slot, data[begin : begin + shape.slot_bytes])
            except InvalidSlotError as error:
                invalid[slot] = str(error)
            else:
                lines[line.number] = line
    return Ring(header, checksum, lines, invalid)


def decode_line(header: Header, slot: int, held: bytes) -> Line:
    """Read the line that a slot holds. Raises InvalidSlotError."""
    text = held[:_SECTOR_BYTES].rstrip(b" \n")
    matched = _LINE.fullmatch(text)
    if matched is None or len(text) >= _SECTOR_BYTES or held != fill(text, len(held)):
        message = "it is not a line of the ring"
        raise InvalidSlotError(message)
    if b"%08x" % crc32(text[:-_CHECKSUM_BYTES]) != matched[8]:
        message = "its checksum does not match"
        raise InvalidSlotError(message)
    number, durable, life, nth, of = (int(matched[group]) for group in (1, 2, 3, 5, 6))
    if life != header.life:
        message = f"it is of life {life}, and the ring is of life {header.life}"
        raise InvalidSlotError(message)
    if number < 1 or header.shape.slot(number) != slot:
        message = f"number {number} does not belong here"
        raise InvalidSlotError(message)
    if not 0 < number - durable <= header.shape.in_flight_max:
        message = f"number {number} was not written when the lines up to {durable} were durable"
        raise InvalidSlotError(message)
    if not 1 <= nth <= of <= header.shape.in_flight_max or (nth == 1 and matched[7] and not _BODY.match(matched[7])):
        message = "it is no part of a row"
        raise InvalidSlotError(message)
    return Line(number, durable, life, int(matched[4], 16), nth, of, matched[7], int(matched[8], 16))


def linked(lines: Mapping[int, Line], numbers: Iterable[int]) -> int | None:
    """Return the first of these numbers whose line does not go on from the line before it, if both are there."""
    for number in numbers:
        before, line = lines.get(number - 1), lines.get(number)
        if before is not None and line is not None and line.previous != before.checksum:
            return number
    return None


def _read_header(codec: Codec[S, C], data: bytes) -> tuple[Header, int]:
    end = data.find(b"\n") + 1
    matched = _HEADER.fullmatch(data[:end])
    if matched is None:
        raise damage(RING_NAME, 1, 0, "it is not the header of a ring")
    checksum = int(matched[9], 16)
    if crc32(data[: matched.start(9) - 1]) != checksum:
        raise damage(RING_NAME, 1, 0, "its checksum does not match")
    foreign = unknown_version(int(matched[1])) or unknown_machine(matched[2].decode(), codec.machine.name)
    if foreign is not None:
        raise DamagedData(f"{RING_NAME} {foreign}")
    life, lines, slot_bytes, in_flight_max, base = (int(matched[index]) for index in range(3, 8))
    if end != slot_bytes:
        raise damage(RING_NAME, 1, 0, "it does not fill its slot")
    why = Shape.contradiction(lines, slot_bytes, in_flight_max)
    if why is not None:
        raise damage(RING_NAME, 1, 0, f"it contradicts itself: {why}")
    shape = Shape(lines, slot_bytes, in_flight_max)
    return Header(codec.machine.name, life, shape, base, int(matched[8], 16)), checksum
