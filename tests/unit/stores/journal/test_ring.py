"""What the bytes of a segment and of a ring are worth: tables of corruptions, each with what is told of it."""

from typing import Any
from zlib import crc32

import pytest

from pexservice.core.judging import Place
from pexservice.errors import DamagedData
from pexservice.stores.journal import ring as rings
from pexservice.stores.journal import segment as segments
from pexservice.stores.journal.record import Codec, InvalidRowError, seal
from pexservice.stores.journal.recovery import recover, recover_copy
from pexservice.stores.journal.ring import RING_NAME, Header, Ring, Shape, fill
from pexservice.stores.journal.segment import Segment, segment_name
from pexservice.walk.machine import WALK
from support.ledger import LEDGER, Balance

CODEC: Codec[Any, Any] = Codec(WALK)
LEDGERS: Codec[Any, Any] = Codec(LEDGER)
SHAPE = Shape(6, 512, 3)
NAME = segment_name(7)


def segment_of(*rows: tuple[int, int, str], start: Place[int] = Place(7, 3)) -> list[bytes]:  # noqa: B008 - a frozen value.
    """Return the lines of a segment, with these rows: sequence, position, steps."""
    data, checksum = CODEC.encode_opening(start, is_interval=False, time_s=1.5)
    lines = data.splitlines(keepends=True)
    for sequence, position, steps in rows:
        row, checksum = seal(CODEC.encode_body(Place(sequence, position), steps, 2.5), checksum)
        lines.append(row)
    return lines


LINES = segment_of((10, 6, "3n"), (11, 5, "1p"), (15, 9, "4n"))


def test_a_whole_segment_is_read() -> None:
    """Its rows, the place it ends at, and that each row follows from the one before."""
    segment = segments.read(CODEC, NAME, b"".join(LINES))
    assert (segment.place, len(segment.bodies)) == (Place(15, 9), 3)
    assert [row.place.sequence for row in segments.rows(CODEC, segment)] == [10, 11, 15]
    empty = segments.read(CODEC, NAME, b"".join(LINES[:2]))
    assert (empty.place, empty.bodies) == (Place(7, 3), [])


@pytest.mark.parametrize("cut", range(1, len(b"".join(LINES))))
def test_a_segment_that_is_cut_off_within_a_line_is_damage(cut: int) -> None:
    """It was written whole. Cut between rows it is a shorter one: then the ring tells (`test_recovery.py`)."""
    data = b"".join(LINES)[:-cut]
    ends = {sum(map(len, LINES[:count])) for count in range(2, len(LINES))}
    if len(data) in ends:
        segments.read(CODEC, NAME, data)
    else:
        with pytest.raises(DamagedData, match=rf"{NAME} is damaged at line [1-5], byte offset \d+:"):
            segments.read(CODEC, NAME, data)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([*LINES[:3], LINES[4]], "line 4, byte offset .*: its checksum does not match"),
        ([*LINES, b"x"], "line 6, .*: it has no newline"),
        ([*LINES, b"\0\0\n"], "line 6, .*: its checksum does not match"),
        (LINES[1:], "line 1, byte offset 0: it is not the header row"),
        ([LINES[0], b"x\n"], "line 2, .*: its checksum does not match"),
        (segment_of((10, 7, "3n")), r"line 3, .*: its steps do not lead there from sequence [0-9]+, position [0-9]"),
        (segment_of((10, 6, "3x")), "line 3, .*: not a run-length notation"),
        (segment_of((2**64, 6, "3n")), "line 3, .*: its sequence is beyond"),
        (segment_of((10, 2**64, "3n")), "line 3, .*: not what this machine writes"),
        (segment_of(start=Place(8, 3)), "line 2, .*: its sequence 8 is not the one in the file's name"),
    ],
)
def test_what_no_write_leaves_is_damage(lines: list[bytes], told: str) -> None:
    """With file, line, byte offset and the reason."""
    with pytest.raises(DamagedData, match=told):
        segments.read(CODEC, NAME, b"".join(lines))


def test_a_row_that_does_not_follow_is_found_by_whoever_reads_all() -> None:
    """A start proves the sums of all rows, and the steps of the last."""
    segment = segments.read(CODEC, NAME, b"".join(segment_of((10, 7, "3n"), (11, 8, "1n"))))
    with pytest.raises(DamagedData, match=r"line 3, byte offset \d+: its steps do not lead there"):
        list(segments.rows(CODEC, segment))


def test_a_body_that_is_no_row_is_damage() -> None:
    """Whatever its checksum."""
    with pytest.raises(InvalidRowError, match="not a row"):
        CODEC.decode_body(b"1,2")


@pytest.mark.parametrize(
    ("what", "told"), [("v1", "version 1"), ("v3 fibonacci", "version 3"), ("v2 ledger", "another machine, 'ledger'")]
)
def test_another_program_s_segment_is_told_as_such(what: str, told: str) -> None:
    """It is whole, and not damaged."""
    header = b"sequence,amount,steps,time,checksum\n"
    row, _ = seal(f"7,3,{what},2026-01-01T00:00:00.000000Z".encode(), crc32(header))
    with pytest.raises(DamagedData, match=f"{NAME} .*{told}"):
        segments.read(CODEC, NAME, header + row)


@pytest.mark.parametrize("line", [b"x,00000000\n", b"58,11,55,89,144\n", b"1,2,3,4\n"])
def test_a_file_of_nobody_is_damage(line: bytes) -> None:
    """It is no segment of any program."""
    header = b"sequence,amount,steps,time,checksum\n"
    row, _ = seal(b"7,3,something,2026-01-01T00:00:00.000000Z", crc32(header))
    for data in (header + line, header + row):
        with pytest.raises(DamagedData, match="line 1"):
            segments.read(CODEC, NAME, data)


@pytest.mark.parametrize(("what", "told"), [("v9 fibonacci", "version 9"), ("v2 other", "'other'")])
def test_another_program_s_segment_with_our_columns_is_told_as_such(what: str, told: str) -> None:
    """Its opening row says whose it is."""
    row, _ = seal(f"7,3,{what},2026-01-01T00:00:00.000000Z".encode(), crc32(CODEC.header))
    with pytest.raises(DamagedData, match=told):
        segments.read(CODEC, NAME, CODEC.header + row)


# The ring.


def header_of(machine: str = "fibonacci", shape: Shape = SHAPE) -> Header:
    return Header(machine, 3, shape, 7, rings.state_checksum(CODEC, Place(7, 3)))


def ring_of(*parts: bytes, header: Header | None = None, rows: tuple[int, ...] = ()) -> bytes:
    """Return a ring with a line for each part; `rows` tells how many lines each row takes, if not one."""
    slot, checksum = (header or header_of()).encode()
    slots = [slot]
    counts = [(index, count) for count in (rows or [1] * len(parts)) for index in range(1, count + 1)]
    for number, part in enumerate(parts, 1):
        text, checksum = rings.encode_line(number, number - 1, 3, checksum, *counts[number - 1], part)
        slots.append(fill(text, 512))
    return b"".join(slots) + SHAPE.blank * (SHAPE.lines - len(parts))


def body(sequence: int, position: int, steps: str = "1n") -> bytes:
    return CODEC.encode_body(Place(sequence, position), steps, 2.5)


HISTORY: Segment[Any] = segments.read(CODEC, NAME, b"".join(LINES[:2]))
WHOLE = ring_of(body(8, 4), body(9, 5))


def test_a_ring_can_be_read_with_less() -> None:
    """One line of text for each slot, within its first 512 bytes."""
    lines = ring_of(body(8, 4)).decode("ascii").split("\n")
    assert len(lines) == 1 + SHAPE.lines + 1
    assert lines[0].startswith("v2,fibonacci,life=3,lines=6,slot_bytes=512,in_flight=3,base=7,base_checksum=")
    assert lines[1].startswith("1,0,3,")
    assert ",1/1,8,4,1n,,1970-01-01T00:00:02.500000Z," in lines[1]


def test_rows_of_several_lines_are_put_together() -> None:
    """Also if a line that seals stands between them; what lacks a line is no row."""
    long = body(8, 4)
    ring: Ring[int] = rings.read(CODEC, ring_of(long[:9], long[9:], b"", body(9, 5), rows=(2, 1, 1)))
    assert ring.rows() == [(1, 2, long), (4, 4, body(9, 5))]
    assert recover(CODEC, ring, HISTORY).place == Place(9, 5)
    cut: Ring[int] = rings.read(CODEC, ring_of(body(8, 4), body(9, 5)[:9], rows=(1, 2)))
    assert [row.sequence for row in cut.rows()] == [8]
    plan = recover(CODEC, cut, HISTORY)
    assert (plan.place, plan.end, plan.dropped) == (Place(8, 4), 1, 1)
    lost: Ring[int] = Ring(ring.header, ring.checksum, {2: ring.lines[2]}, {})
    assert lost.rows() == []


def _with_slot(slot: int, text: bytes) -> bytes:
    return WHOLE[: slot * 512] + text + WHOLE[(slot + 1) * 512 :]


def _line(text: bytes) -> bytes:
    return fill(b"%b,%08x" % (text, crc32(text)), 512)


@pytest.mark.parametrize(
    ("held", "told"),
    [
        (bytes(512), "it is not a line of the ring"),
        (b"x" * 511 + b"\n", "it is not a line of the ring"),
        (WHOLE[512:1023] + b" ", "it is not a line of the ring"),
        (WHOLE[512:1024].replace(b"8,4,", b"8,5,"), "its checksum does not match"),
        (_line(b"3,2,2,00000000,1/1,"), "it is of life 2, and the ring is of life 3"),
        (_line(b"4,3,3,00000000,1/1,"), "number 4 does not belong here"),
        (_line(b"9,2,3,00000000,1/1,"), "number 9 was not written when the lines up to 2 were durable"),
        (_line(b"3,2,3,00000000,0/1,"), "it is no part of a row"),
        (_line(b"3,2,3,00000000,2/1,"), "it is no part of a row"),
        (_line(b"3,2,3,00000000,1/4,"), "it is no part of a row"),
        (_line(b"3,2,3,00000000,1/1,x"), "it is no part of a row"),
        (_line(b"3,3,3,00000000,1/1,"), "number 3 was not written when the lines up to 3 were durable"),
    ],
)
def test_a_slot_that_no_write_leaves_is_damage(held: bytes, told: str) -> None:
    """With its line, which is that of the slot, its byte offset and the reason."""
    with pytest.raises(DamagedData, match=f"{RING_NAME} is damaged at line 4, byte offset 1536: {told}"):
        recover(CODEC, rings.read(CODEC, _with_slot(3, held)), HISTORY)


def _header(text: bytes) -> bytes:
    return _line(text) + SHAPE.blank * SHAPE.lines


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "it is not the header of a ring"),
        (bytes(len(WHOLE)), "it is not the header of a ring"),
        (WHOLE.replace(b"life=3", b"life=4"), "its checksum does not match"),
        (WHOLE[:-512], "the file is 3072 bytes long, and its header says 3584"),
        (WHOLE.replace(b" " * 9 + b"\n", b" " * 8 + b"\n", 1), "it does not fill its slot"),
        (ring_of(header=header_of("ledger")), "ring.csv belongs to another machine, 'ledger'"),
        (
            _header(b"v9,fibonacci,life=1,lines=6,slot_bytes=512,in_flight=3,base=0,base_checksum=00000000"),
            "version 9",
        ),
        (
            _header(b"v2,fibonacci,life=1,lines=6,slot_bytes=512,in_flight=4,base=0,base_checksum=00000000"),
            "it contradicts itself: the line that calls another durable would be written over",
        ),
    ],
)
def test_a_header_that_is_not_ours_is_told_as_such(data: bytes, told: str) -> None:
    """It is never written over, so nothing excuses what is wrong with it."""
    with pytest.raises(DamagedData, match=told):
        rings.read(CODEC, data)


def test_a_ring_does_not_belong_to_any_history() -> None:
    """The row at which the history ends is in it."""
    other: Segment[Any] = segments.read(CODEC, segment_name(70), b"".join(segment_of(start=Place(70, 3))))
    with pytest.raises(DamagedData, match=r"ends at sequence 70, from where ring\.csv does not go on"):
        recover(CODEC, rings.read(CODEC, WHOLE), other)


def test_a_copied_ring_counts_as_far_as_it_goes_on_from_the_history() -> None:
    """From its base, or from the row at which the history ends; a ring of another history counts for nothing."""
    ring: Ring[int] = rings.read(CODEC, WHOLE)
    behind: Segment[Any] = segments.read(CODEC, NAME, b"".join(segment_of((8, 4, "1n"))))
    assert recover_copy(CODEC, ring, HISTORY).place == Place(9, 5)
    assert recover_copy(CODEC, ring, behind).place == Place(9, 5)
    other: Segment[Any] = segments.read(CODEC, NAME, b"".join(segment_of((8, 0, "1r"))))
    assert recover_copy(CODEC, ring, other).place == Place(8, 0)


def test_states_of_several_fields_are_rows_like_others() -> None:
    """What a machine writes is read back, whatever its columns."""
    place = Place(4, Balance(17, "note"))
    assert LEDGERS.decode_body(LEDGERS.encode_body(place, "3:a;-1:b", 2.5)).place == place


def test_a_shape_holds_the_relations_between_its_bounds() -> None:
    """A line that calls another durable must outlive what is in flight."""
    for lines, slot_bytes, in_flight_max in ((4, 512, 3), (4, 256, 2), (4, 512, 0)):
        with pytest.raises(AssertionError):
            Shape(lines, slot_bytes, in_flight_max)
