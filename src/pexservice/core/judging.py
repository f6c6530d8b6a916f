"""What a group of commands comes to, from where it begins.

Whoever orders groups judges them: whether a machine takes a command depends on the state at its turn, and only whoever
puts groups in order knows that state. So this is one pure function, and each store says where it runs: in the process
that has the journal, or in whatever it shares with other processes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic

from pexservice.core.machine import C, Machine, Refusal, S


@dataclass(frozen=True, slots=True)
class Place(Generic[S]):
    """Where a machine stands: `sequence` commands were ever taken, and they led to `state`."""

    sequence: int
    state: S


@dataclass(frozen=True, slots=True)
class Judgement(Generic[S, C]):
    """What became of a group that began at `start`."""

    start: Place[S]
    end: Place[S]
    states: Sequence[S]
    """As `Outcomes.states`."""
    refusals: Mapping[int, Refusal]
    """As `Outcomes.refusals`."""
    taken: Sequence[C]
    """The commands that were taken, which are all that is kept."""


def judge(machine: Machine[S, C], start: Place[S], commands: Sequence[C]) -> Judgement[S, C]:
    """Return what becomes of one or more commands."""
    states, refusals = machine.apply(start.state, commands)
    assert len(states) == len(commands) > 0, "each command has an outcome"
    taken = commands if not refusals else [each for index, each in enumerate(commands) if index not in refusals]
    return Judgement(start, Place(start.sequence + len(taken), states[-1]), states, refusals, taken)
