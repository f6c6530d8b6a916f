"""What the bytes of a segment are worth: a table of corruptions, each with its expected outcome."""

from zlib import crc32

import pytest

from pexservice.core.store import Place
from pexservice.errors import DamagedData
from pexservice.stores.journal.record import HEADER, encode_group, encode_opening
from pexservice.stores.journal.segment import read, segment_name
from pexservice.walk.steps import NEXT, Run, fold, runs

NAME = segment_name(7)
GROUPS = (b"nnn", b"nprn", b"n", b"np" * 400)


def build(groups: tuple[bytes, ...] = GROUPS, *, interval: bool = False) -> list[bytes]:
    """Return the lines of a segment, opening row included, header row first."""
    place = Place(7, 3)
    opening, checksum = encode_opening(place, interval=interval, time_s=1.5)
    lines = opening.splitlines(keepends=True)
    for steps in groups:
        group = runs(steps)
        place = Place(place.sequence + len(steps), fold(group)(place.position))
        row, checksum = encode_group(place, group, 2.5, checksum)
        lines.append(row)
    return lines


LINES = build()
WHOLE = b"".join(LINES)
BEFORE_LAST = len(WHOLE) - len(LINES[-1])


def rows_of(data: bytes) -> int:
    """Return how many groups a segment that is not damaged holds."""
    segment = read(NAME, data)
    assert len(list(segment.groups())) == len(segment.rows)
    return len(segment.rows)


def test_a_whole_segment_is_clean() -> None:
    """All rows count, and the last one tells the place."""
    segment = read(NAME, WHOLE)
    assert segment.place == Place(7 + 3 + 4 + 1 + 800, 2)
    assert (len(segment.rows), segment.valid_bytes, segment.torn_bytes) == (4, len(WHOLE), 0)


@pytest.mark.parametrize("nuls", [0, 1, 511, 5000])
def test_a_cut_at_any_byte_of_the_rows_leaves_a_torn_tail(nuls: int) -> None:
    """Whole rows before the cut count; what is left of the next, and NULs after it, is a torn tail."""
    opening, *ends = [sum(map(len, LINES[: count + 1])) for count in range(1, len(LINES))]
    for cut in range(opening, len(WHOLE) + 1):
        assert rows_of(WHOLE[:cut] + bytes(nuls)) == sum(end <= cut for end in ends)


@pytest.mark.parametrize("nuls", [0, 1, 511, 5000])
@pytest.mark.parametrize("interval", [False, True])
def test_a_cut_in_the_first_two_lines_is_damage(nuls: int, *, interval: bool) -> None:
    """They were durable before the file got its name: a file without them, even an empty one, is no crash's work."""
    opening = b"".join(build((), interval=interval))
    for cut in range(len(opening)):
        line, offset = (1, 0) if cut < len(HEADER) else (2, len(HEADER))
        with pytest.raises(DamagedData, match=f"{NAME} is damaged at line {line}, byte offset {offset}:"):
            read(NAME, opening[:cut] + bytes(nuls))


@pytest.mark.parametrize("row", [1, 2])
def test_the_chain_sees_where_a_row_ends(row: int) -> None:
    """Two rows joined into one, or an empty row put between two, is damage: a CRC alone would not see either."""
    joined = LINES[row][: LINES[row].rindex(b",")] + LINES[row + 1]
    empty = LINES[row][LINES[row].rindex(b",") :]
    for lines in ([*LINES[:row], joined, *LINES[row + 2 :]], [*LINES[: row + 1], empty, *LINES[row + 1 :]]):
        with pytest.raises(DamagedData):
            read(NAME, b"".join(lines))


def test_any_sectors_of_the_last_write_may_be_lost() -> None:
    """A long row of which some 512-byte sectors read as NUL is a torn tail."""
    first, last = BEFORE_LAST // 512, (len(WHOLE) - 1) // 512
    assert last - first >= 2
    for lost in range(1, 1 << (last - first + 1)):
        data = bytearray(WHOLE)
        for sector in range(first, last + 1):
            if lost >> (sector - first) & 1:
                begin, end = max(sector * 512, BEFORE_LAST), min((sector + 1) * 512, len(WHOLE))
                data[begin:end] = bytes(end - begin)
        assert rows_of(bytes(data)) == len(GROUPS) - 1


def test_any_flipped_bit_is_damage() -> None:
    """One flipped bit anywhere is found, and its file and line are named; no row changes or goes missing silently."""
    whole = b"".join(build((b"nn", b"npr", b"p")))
    for offset in range(len(whole)):
        for bit in range(8):
            data = bytearray(whole)
            data[offset] ^= 1 << bit
            with pytest.raises(DamagedData, match=rf"{NAME} is damaged at line [1-5], byte offset \d+") as caught:
                read(NAME, bytes(data))
            named = int(str(caught.value).split("byte offset ")[1].split(":")[0])
            assert named <= offset


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param([*LINES[:3], LINES[4], LINES[3], LINES[5]], id="rows swapped"),
        pytest.param([*LINES[:4], LINES[3], *LINES[4:]], id="row repeated"),
        pytest.param([*LINES[:3], *LINES[4:]], id="row removed"),
        pytest.param([*LINES[:2], *LINES[3:]], id="first row removed"),
        pytest.param([LINES[0], *LINES[2:]], id="opening row removed"),
        pytest.param(LINES[1:], id="header row removed"),
        pytest.param([*LINES[:5], b"\0" * 40 + b"\n", LINES[5]], id="row after a hole"),
        pytest.param([*LINES, b"815,2,1n,2026-01-01T00:00:00.000000Z,00000000\n"], id="foreign row"),
        pytest.param([*LINES, b"\n"], id="empty line"),
        pytest.param([b"58,11,55,89,144\n"], id="foreign file"),
        pytest.param([b"<!doctype html>"], id="foreign file without a line"),
        pytest.param([*LINES[:4], LINES[4][:-1] + b"\0", LINES[5]], id="row joined to the next by a NUL"),
        pytest.param([LINES[0], LINES[1][:-1] + b"\0", LINES[2]], id="opening row joined to the next by a NUL"),
        pytest.param([LINES[0], LINES[1].replace(b"7,", b"8,", 1), *LINES[2:]], id="opening row edited"),
    ],
)
def test_complete_lines_that_do_not_fit_are_damage(lines: list[bytes]) -> None:
    """What no torn write can leave behind is damage."""
    with pytest.raises(DamagedData):
        read(NAME, b"".join(lines))


@pytest.mark.parametrize("lost", range(1, len(GROUPS) + 1))
def test_lost_last_rows_cannot_be_told(lost: int) -> None:
    """A segment without its last rows looks like one before they were written."""
    assert rows_of(b"".join(LINES[:-lost])) == len(GROUPS) - lost


def test_a_segment_of_another_name_is_damage() -> None:
    """The opening row must begin where the file's name says."""
    with pytest.raises(DamagedData, match="is not the one in the file's name"):
        read(segment_name(8), WHOLE)


def test_a_later_version_is_refused() -> None:
    """A segment of an unknown format version is whole, but not for this program."""
    body = b"7,3,v2,2026-01-01T00:00:00.000000Z"
    row = b"%b,%08x\n" % (body, crc32(body + b"\n", crc32(HEADER)))
    with pytest.raises(DamagedData, match="format version 'v2' is not known"):
        read(NAME, HEADER + row)


def test_a_hole_in_an_interval_segment_is_torn() -> None:
    """Under interval everything from a lost sector on was promised to nobody."""
    lines = build(interval=True)
    lines[4] = bytes(len(lines[4]))
    assert rows_of(b"".join(lines)) == 2


def test_wrong_arithmetic_is_found() -> None:
    """A row whose checksum is right but whose steps do not lead to its place is damage."""
    opening, checksum = encode_opening(Place(7, 3), interval=False, time_s=1.5)
    wrong, checksum = encode_group(Place(9, 3), [Run(2, NEXT)], 2.5, checksum)
    right, _ = encode_group(Place(10, 4), [Run(1, NEXT)], 3.5, checksum)
    with pytest.raises(DamagedData, match=r"line 3, byte offset \d+: its steps do not lead there"):
        read(NAME, opening + wrong)
    segment = read(NAME, opening + wrong + right)  # A start proves the sums of all rows, and the steps of the last.
    with pytest.raises(DamagedData, match=r"line 3, byte offset \d+: its steps do not lead there"):
        list(segment.groups())


def test_numbers_that_no_walk_comes_to_are_damage() -> None:
    """A row whose numbers do not fit into 64 bits is damage, whatever its checksum."""
    opening, checksum = encode_opening(Place(7, 2**64 - 1), interval=False, time_s=1.5)
    row, _ = encode_group(Place(8, 2**64), [Run(1, NEXT)], 2.5, checksum)
    with pytest.raises(DamagedData, match="beyond"):
        read(NAME, opening + row)
