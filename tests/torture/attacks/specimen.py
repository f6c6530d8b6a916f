"""A journal that the real service wrote, taken apart, and what a damage to it is.

A damage carries what its judge has to know, from the specimen's bytes and the clients' answers alone: the last place
before it, and what an honest message must name. Nothing here trusts the code that is judged.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from shutil import rmtree
from typing import Final
from zlib import crc32

from pexservice.core.judging import Place
from pexservice.stores.journal.record import Codec
from pexservice.trial.operation import PATHS
from pexservice.walk.machine import WALK
from pexservice.walk.steps import NEXT, PREVIOUS, RESET, STEP_NAMES
from support.client import message
from torture.attack import Bench, require

CODEC: Final = Codec(WALK)
HEADER: Final = CODEC.header
SEGMENTS: Final = 3
LINES_MIN: Final = 5
"""Of the newest segment: three rows, so that the middle one can be hurt."""

Content = bytes | None | Callable[[Path], object]
"""What becomes of a file: other bytes, nothing, or whatever a function makes of its path."""


@dataclass(frozen=True)
class Damage:
    """What is done, and the facts that it is judged by."""

    changes: dict[str, Content]
    kept: Place[int]
    """The place after the last row before the damage."""
    names: str = ""
    """What an error must say: the file, and the beginning of the first line that is not what it was."""
    is_of_modes: bool = False
    """Whether it is one only to a user without root's privileges."""

    @property
    def is_of_bytes(self) -> bool:
        """Whether it only writes and removes files."""
        return not any(callable(content) for content in self.changes.values())


@dataclass(frozen=True)
class Line:
    """A line, its newline included, the byte offset that it begins at, and the place that it leads to."""

    begin: int
    data: bytes
    place: Place[int]

    @property
    def body(self) -> bytes:
        """The row up to its checksum."""
        return self.data.rpartition(b",")[0]


@dataclass(frozen=True)
class File:
    """A segment, line by line: header row, opening row, group rows."""

    name: str
    lines: list[Line]

    @cached_property
    def data(self) -> bytes:
        """The whole file."""
        return b"".join(line.data for line in self.lines)

    @property
    def opening(self) -> Place[int]:
        """Where the segment began."""
        return self.lines[1].place

    def hurt(self, data: bytes, at: int) -> Damage:
        """Return the damage of having other bytes, the first line that differs being the one around `at`."""
        before = [line for line in self.lines if line.begin + len(line.data) <= at]
        begin = sum(len(line.data) for line in before)
        return Damage(
            {self.name: data}, before[-1].place if before else self.opening, named(self.name, len(before), begin)
        )


@dataclass(frozen=True)
class Specimen:
    """A whole journal of three segments, where it ends, and its history as `journal export` must print it."""

    directory: Path
    files: list[File]
    end: Place[int]
    history: set[str]


def named(name: str, lines_before: int = 1, offset: int = len(HEADER)) -> str:
    """Return what an error must say about a line; by default about the opening row."""
    return f"{name} is damaged at line {lines_before + 1}, byte offset {offset}:"


def specimen(bench: Bench) -> Specimen:
    """Have the service write a journal of three segments: starts with a few groups of mixed steps each."""
    directory = bench.directory / "specimen"
    history: set[str] = set()
    end, files = Place(0, 0), list[File]()
    while len(files) != SEGMENTS or len(files[-1].lines) < LINES_MIN:
        if len(files) > SEGMENTS:
            rmtree(directory)
            history, end = set(), Place(0, 0)
        with bench.serving(directory, small_segments=True) as service:
            with service.connect() as client:
                for _ in range(bench.rng.randint(1, 3)):
                    steps = bench.rng.choices([NEXT, PREVIOUS, RESET], [6, 2, 1], k=bench.rng.randint(1, 4))
                    client.send(b"".join(message("POST", PATHS[step]) for step in steps))
                    for step in steps:
                        answer = client.read()
                        end = Place(answer.sequence, answer.position)
                        history.add(f"{end.sequence},{STEP_NAMES[step]},{end.state}\n")
            require(service.stop() == 0, f"a stop did not end with 0: {service.log}")
        files = [_file(path) for path in sorted(directory.glob("journal-*.csv"))]
    require(files[-1].lines[-1].place == end, f"the last answer was {end}, and the last row is {files[-1].lines[-1]}")
    return Specimen(directory, files, end, history)


def _file(path: Path) -> File:
    header, *rows = path.read_bytes().splitlines(keepends=True)
    places = [Place(*map(int, row.split(b",")[:2])) for row in rows]
    lines = [Line(0, header, places[0])]
    for row, place in zip(rows, places, strict=True):
        lines.append(Line(lines[-1].begin + len(lines[-1].data), row, place))
    return File(path.name, lines)


def chained(bodies: list[bytes], header: bytes = HEADER) -> bytes:
    """Return the rows with these bodies as a segment, each with the checksum that belongs there."""
    checksum, rows = crc32(header), [header]
    for body in bodies:
        checksum = crc32(body + b"\n", checksum)
        rows.append(b"%b,%08x\n" % (body, checksum))
    return b"".join(rows)


def forged(file: File, index: int, count: int) -> bytes:
    """Return the first lines of a file, one of them with another position, in a whole chain of checksums."""
    bodies = [line.body for line in file.lines[1:count]]
    sequence, position, *rest = bodies[index - 1].split(b",")
    bodies[index - 1] = b",".join([sequence, b"%d" % (int(position) ^ 1), *rest])
    return chained(bodies)
