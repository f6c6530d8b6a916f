"""The judge of what clients of all replicas were told, as one history.

A step that was answered has a sequence of its own, so the order is known and nothing has to be searched for. It holds:

    each sequence up to the last is some step's answer, but for at most as many as there are steps of unknown outcome
    the position is what the step makes of the position before it
    what ended before another began has a lower sequence, and a read shows no less than what ended before it began
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Told:
    """What one client was told, by the clock of all."""

    path: str
    began_s: float
    ended_s: float
    sequence: int | None
    """None if it never was: the outcome is unknown."""
    position: int = 0

    @property
    def is_step(self) -> bool:
        """Whether it asked for a step."""
        return self.path != "/current"


def violations(told: Sequence[Told], last: int) -> list[str]:
    """Return what is wrong with a history that ended at a sequence, a sentence each."""
    steps = sorted((each for each in told if each.is_step and each.sequence is not None), key=_sequence)
    unknown = sum(each.is_step and each.sequence is None for each in told)
    found = [f"two answers with sequence {_sequence(a)}" for a, b in pairwise(steps) if _sequence(a) == _sequence(b)]
    missing = last - len({_sequence(each) for each in steps})
    if missing > unknown:
        found.append(f"{missing} steps that nobody was told of, and {unknown} of unknown outcome: some were doubled")
    if steps and _sequence(steps[-1]) > last:
        found.append(f"sequence {_sequence(steps[-1])} was answered, and the walk stands at {last}: steps were lost")
    for before, after in pairwise(steps):
        if _sequence(after) == _sequence(before) + 1 and after.position != _after(before.position, after.path):
            found.append(f"position {after.position} at sequence {after.sequence} behind {before.position}")
    return found + _out_of_time(told)


def _out_of_time(told: Sequence[Told]) -> list[str]:
    """Find what shows less than had ended when it began: one pass over both orders."""
    found = []
    ended = sorted((each for each in told if each.sequence is not None), key=lambda each: each.ended_s)
    newest, index = 0, 0
    for each in sorted(ended, key=lambda each: each.began_s):
        while ended[index].ended_s < each.began_s:
            newest = max(newest, _sequence(ended[index]))
            index += 1
        if _sequence(each) < newest + each.is_step:
            found.append(f"{each.path} was told {each.sequence} after {newest} had been: stale, or lost")
    return found


def _sequence(told: Told) -> int:
    assert told.sequence is not None, "it was told"
    return told.sequence


def _after(position: int, path: str) -> int:
    return {"/next": position + 1, "/previous": max(position - 1, 0), "/reset": 0}[path]
