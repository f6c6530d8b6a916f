"""What a history of steps comes to, in numbers that people ask for, and whether all of it can be explained.

The numbers are exact for what they can be exact about. A step of unknown outcome, asked and never answered, may be in
the walk or not; so a step that was taken twice shows only where more steps are in the walk than were asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pexservice.core.judging import Place
from pexservice.trial.linearizability import Violation, check
from pexservice.trial.operation import Operation


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of the steps that were asked for."""

    answered: int
    """Steps that were answered as taken."""
    lost: int
    """Steps that were answered and that the walk does not have."""
    twice: int
    """Steps in the walk that nobody asked for."""
    unknown: int
    """Steps that were asked for and not answered: each taken once or not at all."""
    unknown_taken: int
    """Those of them that are in the walk."""
    turned_away: int
    """Requests that were answered with 503: not taken, and safe to repeat."""
    violation: str
    """What no order of all operations explains, as the judge has it; empty if everything is explained."""

    @property
    def is_kept(self) -> bool:
        """Whether every promise was kept, of which there must have been one."""
        return self.answered > 0 and not (self.lost or self.twice or self.violation)


def judge(history: Sequence[Operation], begin: Place[int], end: Place[int]) -> Verdict:
    """Return what a history comes to, of a walk that stood at `begin` before it and at `end` after it."""
    answered = [each.place.sequence for each in history if each.step is not None and each.place is not None]
    unknown = sum(each.step is not None and each.is_unknown for each in history)
    kept = sum(begin.sequence < sequence <= end.sequence for sequence in set(answered))
    unexplained = end.sequence - begin.sequence - kept
    try:
        check(history, begin, end)
        violation = ""
    except Violation as found:
        violation = str(found)
    return Verdict(
        answered=len(answered),
        lost=len(answered) - kept,
        twice=max(unexplained - unknown, 0),
        unknown=unknown,
        unknown_taken=max(min(unexplained, unknown), 0),
        turned_away=sum(each.status not in {0, 200, 204} for each in history),
        violation=violation,
    )
