"""The table of recovery: every state of every line of a small ring, every flipped bit, a crash at every step."""

import asyncio
from collections.abc import Iterator, Mapping
from itertools import combinations, product
from random import Random

import pytest
from structlog.testing import capture_logs

from pexservice.core.judging import Place
from pexservice.errors import DamagedData
from pexservice.limits import Limits
from pexservice.stores.journal import ring as rings
from pexservice.stores.journal import segment as segments
from pexservice.stores.journal.journal import Journal
from pexservice.stores.journal.opening import look
from pexservice.stores.journal.options import Options
from pexservice.stores.journal.record import Codec, seal
from pexservice.stores.journal.recovery import TABLE, Holds, Means, classify, due, recover, recover_copy
from pexservice.stores.journal.ring import RING_NAME, Header, Line, Ring, Shape
from pexservice.stores.journal.segment import Segment, segment_name
from pexservice.walk.machine import WALK
from pexservice.walk.steps import NEXT
from support.faults import PowerCut
from support.simulated_disk import SimulatedDisk

CODEC = Codec(WALK)
LAPS = 3
GARBAGE = -1


class Run:
    """All lines that a life could write, `of` for each row, when all but the last `lag` were durable."""

    def __init__(self, lines: int, in_flight_max: int, lag: int, of: int = 1) -> None:
        self.of = of
        self.shape = Shape(lines, 512, in_flight_max)
        start = Place(0, 0)
        self.header = Header("fibonacci", 1, self.shape, 0, rings.state_checksum(CODEC, start))
        _, self.checksum = self.header.encode()
        self.lines: dict[int, Line] = {}
        self.histories: list[Segment[int]] = []
        opening, chain = CODEC.encode_opening(start, is_interval=False, time_s=1.0)
        data, checksum = opening, self.checksum
        for number in range(LAPS * lines + 1):
            if number:
                nth, step = (number - 1) % of + 1, (number - 1) // of + 1
                body = CODEC.encode_body(Place(step, step), "1n", 2.0)
                part = body[9 * (nth - 1) :] if nth == of else body[9 * (nth - 1) : 9 * nth]
                durable = max(0, (number - lag) // of * of)
                text, after = rings.encode_line(number, durable, 1, checksum, nth, of, part)
                slot = self.shape.slot(number)
                self.lines[number] = rings.decode_line(self.header, slot, rings.fill(text, 512))
                checksum = after
                if nth == of:
                    row, chain = seal(body, chain)
                    data += row
            self.histories.append(segments.read(CODEC, segment_name(0), data))

    def ring(self, held: Mapping[int, int]) -> Ring[int]:
        """Return the ring whose slots hold these numbers, 0 for a blank and -1 for garbage."""
        lines = {number: self.lines[number] for number in held.values() if number > 0}
        return Ring(self.header, self.checksum, lines, {slot: "?" for slot in held if held[slot] == GARBAGE})


def explained_by(run: Run, held: Mapping[int, int], history: int) -> list[int]:
    """Return every end at which a crash could leave this: a definition by brute force, beside the table."""
    size, of, there = run.shape.lines, run.of, set(held.values())
    ends = []
    for end in range(0, LAPS * size + 1, of):
        newest = {slot: max((n for n in range(slot, end + 1, size)), default=0) for slot in held}
        is_said = history <= end and all(run.lines[n].durable <= end for n in held.values() if n > 0)
        is_whole = all(held[slot] == newest[slot] or held[slot] > end for slot in held)
        is_last = not there.issuperset(range(end + 1, end + of + 1))
        is_linked = there.issuperset(range(max(1, history - of + 1), end + 1))
        if is_said and is_whole and is_last and is_linked:
            ends.append(end)
    return ends


@pytest.mark.parametrize(
    ("lines", "in_flight_max", "lag", "of"),
    [(4, 2, 1, 1), (4, 2, 2, 1), (5, 2, 2, 1), (6, 3, 3, 1), (4, 2, 1, 2), (6, 3, 1, 2), (6, 3, 1, 3)],
)
def test_every_state_of_every_line_has_one_meaning(lines: int, in_flight_max: int, lag: int, of: int) -> None:
    """What a ring and a history amount to is what some crash leaves, which one end explains; else it is damage."""
    run = Run(lines, in_flight_max, lag, of)
    accepted = 0
    choices = [[0, GARBAGE, *(slot + lap * lines for lap in range(LAPS))] for slot in range(1, lines + 1)]
    for numbers in product(*(choice if lines < 6 else [choice[0], *choice[2:]] for choice in choices)):
        held = dict(enumerate(numbers, 1))
        ring = run.ring(held)
        top = max(numbers)
        lowest = max(0, top - lines) // of * of
        for history in range(lowest, min(top + 1 + of, LAPS * lines + 1), of):
            ends = explained_by(run, held, history)
            assert len(ends) <= 1
            if ends:
                plan = recover(CODEC, ring, run.histories[history])
                assert (plan.end, plan.place.sequence, len(plan.missing)) == (
                    ends[0],
                    ends[0] // of,
                    (ends[0] - history) // of,
                )
                assert plan.dropped == sum(number > ends[0] for number in numbers)
                accepted += 1
            else:
                with pytest.raises(DamagedData):
                    recover(CODEC, ring, run.histories[history])
    assert accepted > 20


def _crashes(run: Run) -> Iterator[tuple[dict[int, int], int, int]]:
    """Give every ring that a crash of a legal run leaves, the end of its history, and what was answered."""
    size, flying = run.shape.lines, run.shape.in_flight_max
    slots = range(1, size + 1)
    for durable in range((LAPS - 1) * size + 1):
        for sent in range(durable, durable + flying + 1):
            for history in range(durable + 1):
                if sent - size >= max(history, 1):
                    continue
                under_way = range(durable + 1, sent + 1)
                for count in range(len(under_way) + 1):
                    for landed in combinations(under_way, count):
                        there = [*range(1, durable + 1), *landed]
                        held = {slot: max((n for n in there if run.shape.slot(n) == slot), default=0) for slot in slots}
                        yield held, history, durable


@pytest.mark.parametrize(("lines", "in_flight_max"), [(4, 2), (6, 3)])
def test_whatever_a_crash_leaves_is_taken_and_holds_what_was_answered(lines: int, in_flight_max: int) -> None:
    """Any of the lines in flight may have come to be: no clean ring is refused, and no answered line is lost."""
    run = Run(lines, in_flight_max, in_flight_max)
    for held, history, answered in _crashes(run):
        assert recover(CODEC, run.ring(held), run.histories[history]).end >= answered


def test_the_table_has_each_case_once() -> None:
    """A slot in which no line is due cannot hold it, nor an earlier one; all other cases are in the table."""
    cases = set(product(Holds, [True, False])) - {(Holds.THE_LINE, False), (Holds.EARLIER, False)}
    assert set(TABLE) == cases


def test_garbage_is_damage_in_the_table_too() -> None:
    """A slot that holds no line means damage, wherever the end is."""
    run = Run(4, 2, 1)
    assert classify(run.ring({1: GARBAGE, 2: 0, 3: 0, 4: 0}), 0)[1] is Means.DAMAGED


@pytest.mark.parametrize("lines", [4, 5])
def test_due_is_the_greatest_number_up_to_the_end(lines: int) -> None:
    """It is that which belongs into the slot, or 0."""
    for slot in range(1, lines + 1):
        for end in range(4 * lines):
            assert due(slot, end, lines) == max((n for n in range(slot, end + 1, lines)), default=0)


def _chained(run: Run, number: int) -> Ring[int]:
    """Return a ring whose line of this number was written by somebody else."""
    ring = run.ring(dict(enumerate(range(1, 4), 1)))
    lines = dict(ring.lines)
    lines[number] = lines[number]._replace(previous=1)
    return Ring(ring.header, ring.checksum, lines, {})


@pytest.mark.parametrize(("number", "told"), [(1, "the header"), (2, "the one before")])
def test_lines_go_on_from_each_other(number: int, told: str) -> None:
    """Line 1 goes on from the header, and each from the one before."""
    with pytest.raises(DamagedData, match=f"does not go on from {told}"):
        recover(CODEC, _chained(Run(4, 2, 1), number), Run(4, 2, 1).histories[0])


def test_rows_that_both_have_are_the_same() -> None:
    """The ring and the history must tell the same of each row."""
    run = Run(4, 2, 1)
    opening, checksum = CODEC.encode_opening(Place(0, 0), is_interval=False, time_s=1.0)
    data = opening
    for number in (1, 2):
        row, checksum = seal(CODEC.encode_body(Place(number, number), "1n", 9.0 if number == 1 else 2.0), checksum)
        data += row
    with pytest.raises(
        DamagedData, match=r"line 3, byte offset [0-9]+: its row of sequence 1 is not the one in ring.csv"
    ):
        recover(CODEC, run.ring({1: 1, 2: 2, 3: 0, 4: 0}), segments.read(CODEC, segment_name(0), data))


def test_a_ring_of_another_state_is_damage() -> None:
    """At the base the states must be the same, not only the sequences."""
    run = Run(4, 2, 1)
    data, _ = CODEC.encode_opening(Place(0, 5), is_interval=False, time_s=1.0)
    with pytest.raises(DamagedData, match="does not begin in the state"):
        recover(CODEC, run.ring({}), segments.read(CODEC, segment_name(0), data))


def test_rows_must_lead_where_they_say() -> None:
    """A line that is whole, but whose steps do not lead to its place, is damage."""
    run = Run(4, 2, 1)
    body = CODEC.encode_body(Place(1, 2), "1n", 2.0)
    line = Line(1, 0, 1, run.checksum, 1, 1, body, 1)
    with pytest.raises(DamagedData, match=r"ring.csv is damaged at line 2, byte offset 512: its steps do not lead"):
        recover(CODEC, Ring(run.header, run.checksum, {1: line}, {}), run.histories[0])
    ring: Ring[int] = Ring(run.header, run.checksum, {1: line}, {})
    with pytest.raises(DamagedData, match="its steps do not lead"):
        recover_copy(CODEC, ring, run.histories[0])
    assert recover_copy(CODEC, ring, run.histories[0], is_salvaging=True).missing == ()


OPTIONS = Options(Limits(heal_period_s=10.0), shape=Shape(8, 512, 4))


def _crashed(steps: int) -> SimulatedDisk:
    """Return a disk on which so many steps were answered, most of them in the ring only, and two more in flight."""
    disk = SimulatedDisk(Random(1))

    async def scenario() -> None:
        journal = await Journal.open(disk, CODEC, look(disk, CODEC), OPTIONS)
        for count in range(steps):
            await journal.commit([NEXT])
            if count == steps - 4:
                await journal._write_history()
        disk.fixed[-1].held = []
        journal.commit([NEXT])
        journal.commit([NEXT])

    with capture_logs():
        asyncio.run(scenario())
    return disk


@pytest.mark.parametrize("steps", [5, 11])
def test_no_flipped_bit_goes_unnoticed(steps: int) -> None:
    """Wherever in the ring or the newest segment it is, the last answered line included, the start is refused."""
    disk = _crashed(steps)
    assert look(disk, CODEC).plan.place == Place(steps, steps)
    for name in (RING_NAME, segment_name(0)):
        written = disk.inodes[name].written
        for offset in range(len(written)):
            for bit in range(8):
                written[offset] ^= 1 << bit
                with pytest.raises(DamagedData):
                    look(disk, CODEC)
                written[offset] ^= 1 << bit


@pytest.mark.parametrize("is_power", [True, False])
def test_a_crash_at_any_step_of_a_start_changes_nothing(*, is_power: bool) -> None:
    """The next start finds the same, however often it is cut off, whichever of the lines in flight came to be."""
    for seed in range(40):
        disk = _crashed(11)
        disk.rng = Random(seed)
        disk = disk.powered_off() if is_power else disk.killed()
        with capture_logs():
            expected = look(disk, CODEC).plan.place
            for cut in range(1, 100):
                disk.faults.operations_until_cut = cut
                try:
                    asyncio.run(_open(disk))
                except PowerCut:
                    disk = disk.powered_off() if is_power else disk.killed()
                else:
                    break
                assert look(disk, CODEC).plan.place == expected
            assert cut > 7


async def _open(disk: SimulatedDisk) -> None:
    await Journal.open(disk, CODEC, look(disk, CODEC), OPTIONS)
