"""What the bytes of a segment are worth: a table of corruptions, each with its expected outcome, for two machines."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import pytest

from pexservice.core.judging import Place, judge
from pexservice.core.machine import Machine
from pexservice.errors import DamagedData
from pexservice.stores.journal.record import Codec, InvalidRowError
from pexservice.stores.journal.segment import read, segment_name
from pexservice.walk.machine import WALK, Walk
from support.machines import COUNTER, Counter

NAME = segment_name(7)

Lines = list[bytes]


@dataclass(frozen=True)
class Written:
    """Groups of one machine, and the segment that they make."""

    machine: Machine[Any, Any]
    begin: Place[Any]
    groups: tuple[Sequence[Any], ...]
    end: Place[Any]

    @property
    def codec(self) -> Codec[Any, Any]:
        return Codec(self.machine)

    def lines(self, *groups: Sequence[Any], is_interval: bool = False) -> Lines:
        """Return the lines of a segment of some groups, opening row included, header row first."""
        opening, checksum = self.codec.encode_opening(self.begin, is_interval=is_interval, time_s=1.5)
        lines, place = opening.splitlines(keepends=True), self.begin
        for commands in groups:
            place = judge(self.machine, place, commands).end
            row, checksum = self.codec.encode_row(place, self.machine.encode(commands), 2.5, checksum)
            lines.append(row)
        return lines

    def rows_of(self, data: bytes) -> int:
        """Return how many rows a segment that is not damaged holds."""
        segment = read(self.codec, NAME, data)
        assert len(list(segment.rows(self.codec))) == len(segment.lines)
        return len(segment.lines)


WALKED = Written(WALK, Place(7, 3), (b"nnn", b"nprn", b"n", b"np" * 400), Place(7 + 3 + 4 + 1 + 800, 2))
COUNTED = Written(COUNTER, Place(7, (3, 2)), ([1, 1, 1], [1, -1, -3, 4], [-7], [1, -1] * 400), Place(815, (0, 2 + 808)))


@pytest.fixture(params=[WALKED, COUNTED], ids=lambda written: written.machine.name)
def written(request: pytest.FixtureRequest) -> Written:
    found: Written = request.param
    return found


def test_a_whole_segment_is_clean(written: Written) -> None:
    """All rows count, and the last one tells the place."""
    data = b"".join(written.lines(*written.groups))
    segment = read(written.codec, NAME, data)
    assert segment.place == written.end
    assert (len(segment.lines), segment.valid_bytes, segment.torn_bytes) == (4, len(data), 0)


@pytest.mark.parametrize("nuls", [0, 1, 511, 5000])
def test_a_cut_at_any_byte_of_the_rows_leaves_a_torn_tail(written: Written, nuls: int) -> None:
    """Whole rows before the cut count; what is left of the next, and NULs after it, is a torn tail."""
    lines = written.lines(*written.groups)
    data = b"".join(lines)
    opening, *ends = [sum(map(len, lines[: count + 1])) for count in range(1, len(lines))]
    for cut in range(opening, len(data) + 1):
        assert written.rows_of(data[:cut] + bytes(nuls)) == sum(end <= cut for end in ends)


@pytest.mark.parametrize("nuls", [0, 1, 511, 5000])
@pytest.mark.parametrize("is_interval", [False, True])
def test_a_cut_in_the_first_two_lines_is_damage(written: Written, nuls: int, *, is_interval: bool) -> None:
    """They were durable before the file got its name: a file without them, even an empty one, is no crash's work."""
    header, opening = written.lines(is_interval=is_interval)
    for cut in range(len(header + opening)):
        line, offset = (1, 0) if cut < len(header) else (2, len(header))
        with pytest.raises(DamagedData, match=f"{NAME} is damaged at line {line}, byte offset {offset}:"):
            read(written.codec, NAME, (header + opening)[:cut] + bytes(nuls))


@pytest.mark.parametrize("row", [1, 2])
def test_the_chain_sees_where_a_row_ends(written: Written, row: int) -> None:
    """Two rows joined into one, or an empty row put between two, is damage: a CRC alone would not see either."""
    whole = written.lines(*written.groups)
    joined = whole[row][: whole[row].rindex(b",")] + whole[row + 1]
    empty = whole[row][whole[row].rindex(b",") :]
    for lines in ([*whole[:row], joined, *whole[row + 2 :]], [*whole[: row + 1], empty, *whole[row + 1 :]]):
        with pytest.raises(DamagedData):
            read(written.codec, NAME, b"".join(lines))


def test_any_sectors_of_the_last_write_may_be_lost(written: Written) -> None:
    """A long row of which some 512-byte sectors read as NUL is a torn tail."""
    lines = written.lines(*written.groups)
    whole = b"".join(lines)
    before_last = len(whole) - len(lines[-1])
    first, last = before_last // 512, (len(whole) - 1) // 512
    assert last - first >= 2
    for lost in range(1, 1 << (last - first + 1)):
        data = bytearray(whole)
        for sector in range(first, last + 1):
            if lost >> (sector - first) & 1:
                begin, end = max(sector * 512, before_last), min((sector + 1) * 512, len(whole))
                data[begin:end] = bytes(end - begin)
        assert written.rows_of(bytes(data)) == len(written.groups) - 1


def test_any_flipped_bit_is_damage(written: Written) -> None:
    """One flipped bit anywhere is found, and its file and line are named; no row changes or goes missing silently."""
    whole = b"".join(written.lines(*written.groups[:3]))
    for offset in range(len(whole)):
        for bit in range(8):
            data = bytearray(whole)
            data[offset] ^= 1 << bit
            with pytest.raises(DamagedData, match=rf"{NAME} is damaged at line [1-5], byte offset \d+") as caught:
                read(written.codec, NAME, bytes(data))
            named = int(str(caught.value).split("byte offset ")[1].split(":")[0])
            assert named <= offset


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda lines: [*lines[:3], lines[4], lines[3], lines[5]], id="rows swapped"),
        pytest.param(lambda lines: [*lines[:4], lines[3], *lines[4:]], id="row repeated"),
        pytest.param(lambda lines: [*lines[:3], *lines[4:]], id="row removed"),
        pytest.param(lambda lines: [*lines[:2], *lines[3:]], id="first row removed"),
        pytest.param(lambda lines: [lines[0], *lines[2:]], id="opening row removed"),
        pytest.param(lambda lines: lines[1:], id="header row removed"),
        pytest.param(lambda lines: [*lines[:5], b"\0" * 40 + b"\n", lines[5]], id="row after a hole"),
        pytest.param(lambda lines: [*lines, b"815,2,1n,2026-01-01T00:00:00.000000Z,00000000\n"], id="foreign row"),
        pytest.param(lambda lines: [*lines, b"\n"], id="empty line"),
        pytest.param(lambda _: [b"58,11,55,89,144\n"], id="foreign file"),
        pytest.param(lambda _: [b"<!doctype html>"], id="foreign file without a line"),
        pytest.param(lambda lines: [*lines[:4], lines[4][:-1] + b"\0", lines[5]], id="row joined to the next by a NUL"),
        pytest.param(
            lambda lines: [lines[0], lines[1][:-1] + b"\0", lines[2]], id="opening row joined to the next by a NUL"
        ),
        pytest.param(lambda lines: [lines[0], lines[1].replace(b"7,", b"8,", 1), *lines[2:]], id="opening row edited"),
    ],
)
def test_complete_lines_that_do_not_fit_are_damage(written: Written, change: Callable[[Lines], Lines]) -> None:
    """What no torn write can leave behind is damage."""
    with pytest.raises(DamagedData, match="is damaged"):
        read(written.codec, NAME, b"".join(change(written.lines(*written.groups))))


@pytest.mark.parametrize("lost", [1, 2, 3, 4])
def test_lost_last_rows_cannot_be_told(written: Written, lost: int) -> None:
    """A segment without its last rows looks like one before they were written."""
    lines = written.lines(*written.groups)
    assert written.rows_of(b"".join(lines[:-lost])) == len(written.groups) - lost


def test_a_segment_of_another_name_is_damage(written: Written) -> None:
    """The opening row must begin where the file's name says."""
    with pytest.raises(DamagedData, match="is not the one in the file's name"):
        read(written.codec, segment_name(8), b"".join(written.lines(*written.groups)))


class _Namesake(Walk):
    """Of the same columns as the walk, and the same rows, but not the same."""

    name = "stairs"


class _Changed(Counter):
    """Has the name of the counter, but other columns."""

    columns = ("count", "times")


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [(COUNTED, WALK), (WALKED, COUNTER), (WALKED, _Namesake())],
    ids=["with more columns", "with fewer columns", "with the same columns"],
)
def test_another_machine_s_journal_is_told_from_damage(theirs: Written, ours: Machine[Any, Any]) -> None:
    """It is whole, so the error says whose it is and whose this program is, and how to name the right one."""
    for is_interval in (False, True):
        with pytest.raises(DamagedData) as caught:
            read(Codec(ours), NAME, b"".join(theirs.lines(*theirs.groups, is_interval=is_interval)))
        assert caught.value.exit_status == 65
        assert str(caught.value) == (
            f"{NAME} belongs to another machine, {theirs.machine.name!r}, and this program runs {ours.name!r}. "
            "Nothing was changed. Name the right directory with --data-dir."
        )


def test_an_opening_row_is_of_one_machine() -> None:
    """Also where the columns are the same, and nobody looked whose it is before."""
    _, opening = WALKED.lines()
    assert WALKED.codec.decode_opening(opening[:-1]).place == WALKED.begin
    with pytest.raises(InvalidRowError, match="it is not an opening row of this machine"):
        Codec(_Namesake()).decode_opening(opening[:-1])


def test_a_damaged_journal_of_another_machine_is_damage() -> None:
    """What cannot prove whose it is belongs to nobody."""
    header, opening = COUNTED.lines()
    for data in (header + opening[:-1], header + opening.replace(b"counter", b"carter"), header, opening):
        with pytest.raises(DamagedData, match="is damaged at line 1, byte offset 0"):
            read(Codec(WALK), NAME, data)


def _sealed(header: bytes, body: bytes) -> bytes:
    """Return a header row and an opening row with the checksum that belongs there."""
    return header + b"%b,%08x\n" % (body, crc32(body + b"\n", crc32(header)))


@pytest.mark.parametrize("header", [WALKED.codec.header, b"sequence,position,steps,who,time,checksum\n"])
@pytest.mark.parametrize(
    ("version", "reason"),
    [
        (b"v1", "version 1, which was never released and which nothing reads any more. Nothing was changed. Name a"),
        (b"v1-interval", "version 1, which was never released"),
        (b"v3 fibonacci", "version 3, and this program knows none after 2. Nothing was changed. Upgrade the program."),
        (b"v10 fibonacci something new", "version 10, and this program knows none after 2"),
    ],
)
def test_another_version_is_told_from_damage(header: bytes, version: bytes, reason: str) -> None:
    """A segment of a format version that this program does not know is whole, but not for it."""
    data = _sealed(header, b"7,3,%b,2026-01-01T00:00:00.000000Z" % version)
    with pytest.raises(DamagedData, match=re.escape(f"{NAME} is of format {reason}")):
        read(Codec(WALK), NAME, data)


@pytest.mark.parametrize(
    ("header", "what", "reason"),
    [
        (_Changed().columns, b"v2 counter", "line 1, byte offset 0: it is not the header row of this machine's"),
        (COUNTER.columns, b"v0 counter", "line 2, byte offset 46: it is not an opening row of this machine"),
        (COUNTER.columns, b"v2", "line 2, byte offset 46: it is not an opening row of this machine"),
        (COUNTER.columns, b"v2 counter now", "line 2, byte offset 46: it is not an opening row of this machine"),
    ],
)
def test_an_opening_row_that_nothing_wrote_is_damage(header: tuple[str, ...], what: bytes, reason: str) -> None:
    """A whole chain of checksums proves nothing to a program that would not have written it."""
    first = ",".join(("sequence", *header, "commands", "time", "checksum")) + "\n"
    data = _sealed(first.encode(), b"7,3,2,%b,2026-01-01T00:00:00.000000Z" % what)
    with pytest.raises(DamagedData, match=re.escape(f"{NAME} is damaged at {reason}")):
        read(Codec(COUNTER), NAME, data)


def test_a_hole_in_an_interval_segment_is_torn(written: Written) -> None:
    """Under interval everything from a lost sector on was promised to nobody."""
    lines = written.lines(*written.groups, is_interval=True)
    lines[4] = bytes(len(lines[4]))
    assert written.rows_of(b"".join(lines)) == 2


@pytest.mark.parametrize(
    ("written", "states", "commands"),
    [(WALKED, (3, 4), ("2n", "1n")), (COUNTED, ((3, 2), (4, 3)), ("1 1", "1"))],
    indirect=["written"],
)
def test_wrong_arithmetic_is_found(written: Written, states: tuple[Any, Any], commands: tuple[str, str]) -> None:
    """A row whose checksum is right but whose commands do not lead to its place is damage."""
    codec = written.codec
    opening, checksum = codec.encode_opening(written.begin, is_interval=False, time_s=1.5)
    wrong, checksum = codec.encode_row(Place(9, states[0]), commands[0], 2.5, checksum)
    right, _ = codec.encode_row(Place(10, states[1]), commands[1], 3.5, checksum)
    reason = rf"line 3, byte offset \d+: its {written.machine.commands_column} do not lead there from"
    with pytest.raises(DamagedData, match=reason):
        read(codec, NAME, opening + wrong)
    segment = read(codec, NAME, opening + wrong + right)  # A start proves the sums of all, and the last's commands.
    with pytest.raises(DamagedData, match=reason):
        list(segment.rows(codec))
