"""Fuzzed journal: whatever the bytes of a segment, nothing is ever read from it that was not written to it.

a segment is built, and changed. What comes of it may be its first rows, as they were written, if the change
left whole rows and nothing else; or an error that names file, line and offset. Anything else would be a walk that went
wrong without a word.
"""

import re
from dataclasses import dataclass
from random import Random
from typing import Final

from pexservice.core.judging import Place, judge
from pexservice.errors import DamagedData
from pexservice.stores.journal.record import Codec, seal
from pexservice.stores.journal.segment import Segment, read, rows, segment_name
from pexservice.walk.machine import WALK
from pexservice.walk.steps import NEXT, PREVIOUS, RESET
from torture.attack import Attack, Bench, Violation, require
from torture.mutation import Mutator

INPUTS_A_ROUND: Final = 10_000
INPUTS_A_SEGMENT: Final = 250
GROUPS_MAX: Final = 8
CODEC: Final = Codec(WALK)
TOKENS: Final = [bytes(1), bytes(16), bytes(512), b"\n", b"\r\n", b",", b"0", b"n", b"p", b"r", CODEC.header]
_MESSAGE = re.compile(r"(\S+) is damaged at line (\d+), byte offset (\d+): .+")


@dataclass(frozen=True)
class Written:
    """A segment as it was written: its lines, and where the walk stood after each, the opening row first."""

    name: str
    lines: list[bytes]
    places: list[Place[int]]
    is_interval: bool

    @property
    def data(self) -> bytes:
        """All its bytes."""
        return b"".join(self.lines)


def run(bench: Bench) -> int:
    """Read 10,000 changed segments."""
    with bench.in_process():
        for _ in range(INPUTS_A_ROUND // INPUTS_A_SEGMENT):
            written, foreign = write(bench.rng, time_s=1.5), write(bench.rng, time_s=2.5)
            require(_rows(written, written.data) == len(written.lines) - 2, "a segment was not read as it was written")
            mutator = Mutator(bench.rng, [written.data], [*TOKENS, *foreign.lines[1:], *written.lines])
            for _ in range(INPUTS_A_SEGMENT):
                data = mutator.make()
                try:
                    mutator.learn(data, outcome(written, data))
                except Violation:
                    (bench.directory / written.name).write_bytes(data)
                    raise
    return INPUTS_A_ROUND


def write(rng: Random, *, time_s: float) -> Written:
    """Build a segment of some random groups, a few of them long."""
    place, is_interval = Place(rng.randrange(1000), rng.randrange(5)), rng.random() < 0.25
    opening, checksum = CODEC.encode_opening(place, is_interval=is_interval, time_s=time_s)
    name, lines, places = segment_name(place.sequence), opening.splitlines(keepends=True), [place]
    for _ in range(rng.randint(0, GROUPS_MAX)):
        steps = rng.choices((NEXT, PREVIOUS, RESET), (6, 3, 1), k=rng.choice((1, 3, 40, 600)))
        place = judge(WALK, place, steps).end
        row, checksum = seal(CODEC.encode_body(place, WALK.encode(steps), time_s), checksum)
        lines.append(row)
        places.append(place)
    return Written(name, lines, places, is_interval)


def outcome(written: Written, data: bytes) -> str | int:
    """Read a changed segment; return what came of it: the reason of an error, or the number of rows."""
    try:
        return _rows(written, data)
    except DamagedData as damage:
        matched = _MESSAGE.match(str(damage))
        require(matched is not None, f"an error does not say where in {data!r}: {damage}")
        assert matched is not None
        name, line, offset = matched[1], int(matched[2]), int(matched[3])
        before = data[:offset]
        is_line = before.count(b"\n") == line - 1 and (not before or before.endswith(b"\n"))
        require(name == written.name and is_line, f"there is no such line in {data!r}: {damage}")
        require(written.data.startswith(before), f"the damage in {data!r} is before the place that is named: {damage}")
        return str(damage).partition(": ")[2]
    except Violation:
        raise
    except Exception as error:
        raise Violation(f"{data!r} raised {error!r}") from error


def _rows(written: Written, data: bytes) -> int:
    """Read a segment and return how many rows it has. Raises Violation, DamagedData."""
    segment = read(CODEC, written.name, data)
    _require_true(written, segment, data)
    return len(segment.bodies)


def _require_true(written: Written, segment: Segment[int], data: bytes) -> None:
    kept = written.lines[: len(segment.bodies) + 2]
    require(data == b"".join(kept), f"rows that were not written were read from {data!r}: {segment}")
    places = [segment.opening.place, *(row.place for row in rows(CODEC, segment))]
    require(places == written.places[: len(kept) - 1], f"{data!r} leads elsewhere: {places}")
    require(segment.place == places[-1], f"{data!r} ends elsewhere: {segment.place}")
    require(segment.opening.is_interval == written.is_interval, f"{data!r} changed its durability")


ATTACK: Final = Attack(
    "fuzzed journal",
    run,
    rounds=20,
    rounds_short=1,
    sabotage="skip-checksum",
    noticed="^the damage in|does not say where|rows that were not written|(leads|ends) elsewhere",
    cycles=200_000,
)
