"""Fuzzed ring: whatever the bytes of a ring, no line is ever believed that was not written to it.

A small ring is written, some laps of it, and changed. What a start makes of it may be a place on the walk, if each slot
holds a line that was written there at some time, or none; or an error that says where. Which of those places it must be
is for the table of recovery to say, and for its test, which tries every state of every line.
"""

from dataclasses import dataclass
from random import Random
from typing import Final

from pexservice.core.judging import Place, judge
from pexservice.errors import DamagedData
from pexservice.stores.journal import ring as rings
from pexservice.stores.journal import segment as segments
from pexservice.stores.journal.record import Codec, seal
from pexservice.stores.journal.recovery import recover
from pexservice.stores.journal.ring import RING_NAME, Header, Shape
from pexservice.stores.journal.segment import Segment
from pexservice.walk.machine import WALK
from pexservice.walk.steps import NEXT, PREVIOUS, RESET
from torture.attack import Attack, Bench, Violation, require
from torture.mutation import CHANGES_MAX, Mutator

_INPUTS_A_ROUND: Final = 10_000
_INPUTS_A_RING: Final = 250
_SHAPE: Final = Shape(12, 512, 6)
_LAPS: Final = 3
_CODEC: Final = Codec(WALK)
_TOKENS: Final = [bytes(1), bytes(512), b"\n", b" ", b",", b"0", _SHAPE.blank]


@dataclass(frozen=True)
class Written:
    """A ring as it was written, and the newest segment behind it."""

    data: bytes
    slots: list[set[bytes]]
    """What each slot ever held."""
    places: list[Place[int]]
    """Where the walk stood after each row, the history's end first."""
    history: Segment[int]


def run(bench: Bench) -> int:
    """Read 10,000 changed rings."""
    with bench.in_process():
        for _ in range(_INPUTS_A_ROUND // _INPUTS_A_RING):
            written, foreign = _write(bench.rng, life=1), _write(bench.rng, life=2)
            require(_place(written, written.data) == written.places[-1], "a ring was not read as it was written")
            mutator = Mutator(bench.rng, [written.data], _TOKENS)
            for _ in range(_INPUTS_A_RING):
                # Most that changes the size is told by the size alone.
                is_of_slots = bench.rng.random() < 0.9
                data = _changed(bench.rng, written, foreign) if is_of_slots else mutator.make()
                try:
                    mutator.learn(data, _outcome(written, data))
                except Violation:
                    (bench.directory / RING_NAME).write_bytes(data)
                    raise
    return _INPUTS_A_ROUND


def _write(rng: Random, *, life: int) -> Written:
    """Write rows of one line or a few, each calling durable what some of those in flight let it."""
    place = Place(rng.randrange(1000), rng.randrange(5))
    header = Header(WALK.name, life, _SHAPE, place.sequence, rings.state_checksum(_CODEC, place))
    slot, previous = header.encode()
    slots = [{slot}, *({_SHAPE.blank} for _ in range(_SHAPE.lines))]
    ring = [slot, *[_SHAPE.blank] * _SHAPE.lines]
    opening, chain = _CODEC.encode_opening(place, is_interval=False, time_s=1.0)
    rows, ends = [opening], [(0, place, len(opening))]
    number = durable = 0
    for _ in range(rng.randrange(1, _LAPS * _SHAPE.lines)):
        steps = rng.choices((NEXT, PREVIOUS, RESET), (6, 3, 1), k=rng.choice((1, 3, 500)))
        place = judge(WALK, place, steps).end
        body = _CODEC.encode_body(place, WALK.encode(steps), 2.0)
        parts = rings.cut(body)
        if len(parts) > 3:
            parts = rings.cut(body := _CODEC.encode_body(place := Place(ends[-1][1].sequence + 1, 0), "1r", 2.0))
        for nth, part in enumerate(parts, 1):
            number += 1
            durable = rng.choice([each for each, *_ in ends if each >= max(durable, number - 6)] or [durable])
            text, previous = rings.encode_line(number, durable, life, previous, nth, len(parts), part)
            ring[_SHAPE.slot(number)] = rings.fill(text, _SHAPE.slot_bytes)
            slots[_SHAPE.slot(number)].add(ring[_SHAPE.slot(number)])
        row, chain = seal(body, chain)
        rows.append(row)
        ends.append((number, place, ends[-1][2] + len(row)))
    # The first line of the last row that the history has is still in the ring.
    behind = [index for index, (last, *_) in enumerate(ends) if number - last < _SHAPE.lines - 6 or last == number]
    index = rng.choice([each for each in behind if each or number <= _SHAPE.lines])
    data = b"".join(rows)[: ends[index][2]]
    history = segments.read(_CODEC, segments.segment_name(ends[0][1].sequence), data)
    return Written(b"".join(ring), slots, [end for _, end, _ in ends[index:]], history)


def _changed(rng: Random, written: Written, foreign: Written) -> bytes:
    """Change some slots, to what they held before or to anything else."""
    size = _SHAPE.slot_bytes
    slots = [written.data[begin : begin + size] for begin in range(0, len(written.data), size)]
    for _ in range(min(CHANGES_MAX, 1 + int(rng.expovariate(1)))):
        index, other = rng.randrange(len(slots)), rng.randrange(len(slots))
        at = rng.randrange(min(len(slots[index].rstrip()) + 1, size))
        match rng.randrange(8):
            case 0 | 1 | 2:
                slots[index] = rng.choice(sorted(written.slots[index]))
            case 3:
                slots[index] = rng.choice(sorted(foreign.slots[index]))
            case 4:
                slots[index], slots[other] = slots[other], slots[index]
            case 5:
                slots[index] = rng.choice([bytes(size), slots[index][:at].ljust(size - 1) + b"\n"])
            case 6:
                slots[index] = slots[index][:at] + rng.randbytes(1) + slots[index][at + 1 :]
            case _:
                slots[index] = (
                    slots[index][:at] + bytes([slots[index][at] ^ 1 << rng.randrange(8)]) + slots[index][at + 1 :]
                )
    return b"".join(slots)


def _outcome(written: Written, data: bytes) -> str | int:
    """Read a changed ring; return what came of it: the reason of an error, or the sequence."""
    try:
        return _place(written, data).sequence
    except DamagedData as damage:
        # A line that is believed though it was changed may contradict the history, which is as it was written.
        require(f"{written.history.name} is damaged" not in str(damage), f"the history is blamed: {damage}")
        says_where = f"{RING_NAME} is damaged at line " in str(damage) or "the journal is damaged: " in str(damage)
        require(says_where or "was never released" in str(damage), f"an error does not say where: {damage}")
        return str(damage).partition(": ")[2]
    except Violation:
        raise
    except Exception as error:
        raise Violation(f"{data!r} raised {error!r}") from error


def _place(written: Written, data: bytes) -> Place[int]:
    """Return where a start begins. Raises Violation, DamagedData."""
    place = recover(_CODEC, rings.read(_CODEC, data), written.history).place
    require(place in written.places, f"the walk never was at {place}")
    for slot, held in enumerate(written.slots):
        text = data[slot * _SHAPE.slot_bytes :][: _SHAPE.slot_bytes]
        require(text in held, f"a line that was not written is believed: {text!r} in slot {slot}")
    return place


ATTACK: Final = Attack(
    "fuzzed ring",
    run,
    rounds=20,
    rounds_short=1,
    sabotage="skip-checksum",
    # What is believed without its checksum leads to a wrong place, or contradicts what is read behind it.
    noticed="^(the walk never was|a line that was not written is believed|the history is blamed|an error does not say)"
    "|raised ValueError",
    cycles=200_000,
)
