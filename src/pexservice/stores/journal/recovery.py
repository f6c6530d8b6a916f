"""What to make of a ring and the history behind it. No files here: a function from what is there to a plan.

Our assumptions about disks. A sector is old or new. What was synced stays. A direct write that was reported done is
there; one that was not may be there or not, whatever came of the others. History is whole files, which appear in one
step. And each number of a ring is written once: the lines of one file never contradict each other, unless it is
damaged.

From what is there follow
    h      the line whose row is the last of the history; 0 if that is the base
    known  the greatest of h and of what any line calls durable
    e      the end: from known on, as far as there are lines, but no further than the last whole row

and what each slot means. `due` is the greatest number up to e that belongs there.

    the slot holds               due: none      due: a line    means
    a line with the number due   -              x              committed
    a line with a later number   x              x              in flight at the crash, never answered: dropped
    nothing                      x                             never written
    nothing                                     x              damage: that line was durable
    a line with an earlier one   -              x              damage: as above
    anything else                x              x              damage: no crash makes it

Then the steps of a start: *settle* the lines beyond known, which nobody called durable yet, by writing them again as
they are, synced; write the rows behind h into the *history*; make a *new ring*, of the next life; *serve*. A crash
between or within them leads to the same plan, or to what is left of it. Lines in flight are never wiped: they may be
the only ones to say that an earlier line was durable.

What this cannot tell, since a crash leaves the same bytes: the loss of the last line or lines (an old line or a blank
is back in each of their slots) while no later line and no row of the history calls them durable, at most
`in_flight_max` lines; a ring and a history that were taken back together to an earlier moment; a forgery.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, Generic

from pexservice.core.judging import Place
from pexservice.core.machine import C, S
from pexservice.errors import DamagedData
from pexservice.stores.journal.errors import damage, mismatch
from pexservice.stores.journal.record import Codec, InvalidRowError
from pexservice.stores.journal.ring import RING_NAME, Line, Ring, RingRow, Shape, linked, state_checksum
from pexservice.stores.journal.segment import Segment, damaged_row


class Holds(Enum):
    """What a slot holds, beside what is due in it."""

    THE_LINE = auto()
    LATER = auto()
    EARLIER = auto()
    NOTHING = auto()
    ANYTHING_ELSE = auto()


class Means(Enum):
    """What that means."""

    COMMITTED = auto()
    DROPPED = auto()
    NEVER_WRITTEN = auto()
    MISSING = auto()
    DAMAGED = auto()


TABLE: Final[Mapping[tuple[Holds, bool], Means]] = {
    # (the slot holds, a line is due)
    (Holds.THE_LINE, True): Means.COMMITTED,
    (Holds.LATER, False): Means.DROPPED,
    (Holds.LATER, True): Means.DROPPED,
    (Holds.NOTHING, False): Means.NEVER_WRITTEN,
    (Holds.NOTHING, True): Means.MISSING,
    (Holds.EARLIER, True): Means.MISSING,
    (Holds.ANYTHING_ELSE, False): Means.DAMAGED,
    (Holds.ANYTHING_ELSE, True): Means.DAMAGED,
}
"""Where no line is due none can be it or come before it: these two are not there."""


@dataclass(frozen=True, slots=True)
class Plan(Generic[S]):
    """What a start has to do."""

    place: Place[S]
    """Where the machine stands."""
    life: int
    """Of the new ring."""
    settle: tuple[int, ...]
    """The slots to write again as they are."""
    missing: tuple[RingRow, ...]
    """The rows that the history lacks."""
    dropped: int
    """How many lines were in flight, and are not part of the journal."""
    end: int = 0
    """The last line that counts."""


def recover(codec: Codec[S, C], ring: Ring[S], history: Segment[S]) -> Plan[S]:
    """Return the plan for a ring and the newest segment of the history. Raises DamagedData."""
    shape, lines = ring.header.shape, ring.lines
    for slot, reason in ring.invalid.items():
        raise damage(RING_NAME, slot + 1, slot * shape.slot_bytes, reason)
    rows = ring.rows()
    start = _end_of_history(codec, ring, rows, history)
    known = max([start, *(line.durable for line in lines.values())])
    end = _end(lines, known)
    meanings = classify(ring, end)
    for slot, means in meanings.items():
        if means is Means.MISSING:
            reason = f"line {due(slot, end, shape.lines)} was durable and is not there"
            raise damage(RING_NAME, slot + 1, slot * shape.slot_bytes, reason)
    broken = linked(lines, lines)
    if broken is not None:
        slot = shape.slot(broken)
        raise damage(RING_NAME, slot + 1, slot * shape.slot_bytes, f"line {broken} does not go on from the one before")
    if 1 in lines and lines[1].previous != ring.checksum:
        raise damage(RING_NAME, 2, shape.slot_bytes, "line 1 does not go on from the header")
    _check_rows_are_the_same(rows, end, history)
    missing = tuple(row for row in rows if start < row.last <= end)
    place = _follow(codec, missing, history.place, shape)
    dropped = sum(means is Means.DROPPED for means in meanings.values())
    settle = tuple(shape.slot(number) for number in range(known + 1, end + 1))
    return Plan(place, ring.header.life + 1, settle, missing, dropped, end)


def recover_copy(codec: Codec[S, C], ring: Ring[S], history: Segment[S], *, is_salvaging: bool = False) -> Plan[S]:
    """Return the plan for files that were copied at different moments: the history, and the lines that go on from it.

    What it finds is always a beginning of what was answered; if the ring was copied first, it holds all that was
    answered before. Raises DamagedData at a row that does not follow; what `is_salvaging` finds ends before it.
    """
    rows = {row.sequence: row for row in ring.rows()}
    found = rows.get(history.place.sequence)
    start = 0 if history.place.sequence == ring.header.base else None
    if found is not None and history.bodies and found.body == history.bodies[-1]:
        start = found.last
    missing: list[RingRow] = []
    if start is not None:
        end = start
        while end + 1 in ring.lines and linked(ring.lines, [end + 1]) is None:
            end += 1
        missing = [row for row in rows.values() if start < row.last <= end]
    place = history.place
    for index, row in enumerate(missing):
        try:
            place = _follow(codec, (row,), place, ring.header.shape)
        except DamagedData:
            if not is_salvaging:
                raise
            del missing[index:]
            break
    return Plan(place, ring.header.life + 1, (), tuple(missing), 0)


def due(slot: int, end: int, lines: int) -> int:
    """Return the greatest number up to `end` that belongs into a slot, or 0."""
    return max(0, end - (end - slot) % lines)


def classify(ring: Ring[S], end: int) -> dict[int, Means]:
    """Return what each slot means."""
    size = ring.header.shape.lines
    held = {ring.header.shape.slot(number): number for number in ring.lines}
    meanings = {}
    for slot in range(1, size + 1):
        number = due(slot, end, size)
        meanings[slot] = TABLE[_holds(ring, held, slot, number), number > 0]
    return meanings


def _holds(ring: Ring[S], held: Mapping[int, int], slot: int, number: int) -> Holds:
    if slot in ring.invalid:
        return Holds.ANYTHING_ELSE
    if slot not in held:
        return Holds.NOTHING
    if held[slot] == number:
        return Holds.THE_LINE
    return Holds.LATER if held[slot] > number else Holds.EARLIER


def _end_of_history(codec: Codec[S, C], ring: Ring[S], rows: list[RingRow], history: Segment[S]) -> int:
    """Return the line at which the history ends. It is never written over, so it is there."""
    place, base = history.place, ring.header.base
    if place.sequence == base:
        if state_checksum(codec, place) != ring.header.base_checksum:
            raise mismatch(f"{RING_NAME} does not begin in the state in which {history.name} ends")
        return 0
    for row in rows:
        if row.sequence == place.sequence:
            return row.last
    raise mismatch(f"{history.name} ends at sequence {place.sequence}, from where {RING_NAME} does not go on")


def _end(lines: Mapping[int, Line], known: int) -> int:
    end = known
    while end + 1 in lines:
        end += 1
    while end > known and lines[end].nth < lines[end].of:
        end -= 1
    return end


def _check_rows_are_the_same(rows: list[RingRow], end: int, history: Segment[S]) -> None:
    """Raise DamagedData unless what is in both the ring and the segment is the same."""
    bodies = {row.sequence: row.body for row in rows if row.last <= end}
    first = min(bodies, default=None)
    for index in reversed(range(len(history.bodies))):
        body = history.bodies[index]
        sequence = int(body.partition(b",")[0])
        if first is None or sequence < first:
            return
        if bodies.get(sequence, body) != body:
            raise damaged_row(history, index, f"its row of sequence {sequence} is not the one in {RING_NAME}")


def _follow(codec: Codec[S, C], rows: tuple[RingRow, ...], place: Place[S], shape: Shape) -> Place[S]:
    """Prove that these rows lead on from a place, and return where to. Raises DamagedData."""
    for found in rows:
        try:
            row = codec.decode_body(found.body)
            codec.follow(row, place)
        except InvalidRowError as error:
            slot = shape.slot(found.first)
            raise damage(RING_NAME, slot + 1, slot * shape.slot_bytes, str(error)) from error
        place = row.place
    return place
