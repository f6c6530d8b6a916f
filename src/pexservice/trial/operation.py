"""What clients asked, when, and what they were told: the evidence that a round is judged by."""

from dataclasses import dataclass
from itertools import count
from math import inf
from typing import Final

from pexservice.core.judging import Place
from pexservice.walk.steps import NEXT, PREVIOUS, RESET, Step

PATHS: Final[dict[Step | None, str]] = {NEXT: "/next", PREVIOUS: "/previous", RESET: "/reset", None: "/current"}
"""Where each step is asked for; None is a read."""

NO_ANSWER: Final = 0
"""The status of an operation that was never answered: it happened, or it did not."""


_numbers = count()


def new_connection() -> int:
    """Return a number that no other connection has."""
    return next(_numbers)


@dataclass(slots=True)
class Operation:
    """One request, of a step or, without one, a read. Times are monotonic seconds."""

    step: Step | None
    invoked_s: float
    answered_s: float = inf
    status: int = NO_ANSWER
    place: Place[int] | None = None
    """What a 2xx answer told."""
    value: str | None = None
    """The digits in it, if there were any."""
    connection: int | None = None
    """Which connection it was sent on (`new_connection`), if it was one of several there without waiting for answers.
    Those of one connection are listed in the order in which they were sent."""
    closes: bool = False
    """Whether the answer said that it is the connection's last."""

    @property
    def is_taken(self) -> bool:
        """Whether it was answered as done."""
        return self.place is not None

    @property
    def is_unknown(self) -> bool:
        """Whether it may have been done or not."""
        return self.status == NO_ANSWER
