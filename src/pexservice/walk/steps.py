"""The three steps, and what a whole group of them amounts to.

The idea: each step maps a position to a position by a *clamp*, n -> max(n + shift, floor):

    next      n -> max(n + 1, 1)
    previous  n -> max(n - 1, 0)
    reset     n -> max(n - infinity, 0)

Clamps are closed under composition: max(max(n + a, b) + c, d) = max(n + a + c, max(b + c, d)). So a group of any length
folds to one clamp and a count, and a store can commit a thousand steps as one constant-size statement.

On disk a group is written run-length encoded, `3n1p1r`: three next, one previous, one reset.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Final, NewType

Step = NewType("Step", int)
"""One step, as the byte that stands for it in a group: `NEXT`, `PREVIOUS` or `RESET`."""

NEXT: Final = Step(ord("n"))
PREVIOUS: Final = Step(ord("p"))
RESET: Final = Step(ord("r"))

STEP_NAMES: Final = {NEXT: "next", PREVIOUS: "previous", RESET: "reset"}

_RUNS = re.compile(r"(?:[1-9][0-9]{0,17}[npr])+", re.ASCII)
_RUN = re.compile(r"([0-9]+)([npr])", re.ASCII)


@dataclass(frozen=True, slots=True)
class Clamp:
    """The function n -> max(n + shift, floor) on positions n >= 0. A `shift` of None is minus infinity."""

    shift: int | None
    floor: int

    def __call__(self, position: int) -> int:
        """Apply the function."""
        return self.floor if self.shift is None else max(position + self.shift, self.floor)

    def then(self, after: "Clamp") -> "Clamp":
        """Return the composition: this clamp first, `after` second."""
        if self.shift is None or after.shift is None:
            return Clamp(None, after(self.floor))
        return Clamp(self.shift + after.shift, after(self.floor))


IDENTITY: Final = Clamp(0, 0)


@dataclass(frozen=True, slots=True)
class Run:
    """`count` >= 1 times the same step."""

    count: int
    step: Step

    @property
    def clamp(self) -> Clamp:
        """What the run amounts to."""
        if self.step == NEXT:
            return Clamp(self.count, self.count)
        if self.step == PREVIOUS:
            return Clamp(-self.count, 0)
        return Clamp(None, 0)


def runs(steps: bytes) -> list[Run]:
    """Cut a group, one byte a step, into its runs."""
    if steps.count(steps[:1]) == len(steps):  # PERF: all alike, the common group: 0.3 us instead of 3 us for 64 steps.
        return [Run(len(steps), Step(steps[0]))] if steps else []
    return [Run(sum(1 for _ in same), Step(step)) for step, same in groupby(steps)]


def expand(notation: list[Run]) -> bytes:
    """Undo `runs`."""
    return b"".join(bytes([run.step]) * run.count for run in notation)


def fold(notation: list[Run]) -> Clamp:
    """Return the one clamp that a whole group amounts to."""
    clamp = IDENTITY
    for run in notation:
        clamp = clamp.then(run.clamp)
    return clamp


def encode(notation: list[Run]) -> str:
    """Write the runs as text: `3n1p1r`."""
    return "".join(f"{run.count}{run.step:c}" for run in notation)


def decode(text: str) -> list[Run]:
    """Read what `encode` wrote. Raises ValueError for anything that it would not have written."""
    notation = [Run(int(count), Step(ord(step))) for count, step in _RUN.findall(text)]
    if not _RUNS.fullmatch(text) or any(a.step == b.step for a, b in pairwise(notation)):
        message = f"not a run-length notation of steps: {text!r:.80}"
        raise ValueError(message)
    return notation


def positions(start: int, steps: bytes) -> Sequence[int]:
    """Return the position after each step of a group that began at `start`."""
    if steps.count(NEXT) == len(steps):  # PERF: as in `runs`.
        return range(start + 1, start + 1 + len(steps))
    after = []
    position = start
    for step in steps:
        if step == NEXT:
            position += 1
        elif step == RESET:
            position = 0
        elif position:
            position -= 1
        after.append(position)
    return after
