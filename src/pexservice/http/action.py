"""What a request amounts to, once judged and routed.

The idea: a request is turned into an action once, and the action can be carried out any number of times. The same
bytes always mean the same action, so a client that repeats itself pays for parsing, routing and negotiation once
(see `memo.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass

from pexservice.http.answer import Head, walk_fields
from pexservice.http.request import Request
from pexservice.steps import Step
from pexservice.store import Place

Body = Callable[[Place, str], str]
"""Makes the body of an answer from the place and the digits of the value."""


@dataclass(frozen=True, slots=True)
class StepAction:
    """Take a step, and answer with the value after it, or without a `body`, with the place alone."""

    request: Request
    step: Step
    head: Head
    body: Body | None

    @property
    def closes(self) -> bool:
        """Whether the connection ends with the answer."""
        return not self.request.keep_alive

    @property
    def carries_value(self) -> bool:
        """As `engine.Asked`."""
        return self.body is not None

    def render(self, sequence: int, position: int, digits: Callable[[int], str]) -> bytes:
        """As `engine.Asked`."""
        place = Place(sequence, position)
        if self.body is None:
            return self.head.bare(walk_fields(place))
        return self.head.with_body(self.body(place, digits(position)), walk_fields(place))


@dataclass(frozen=True, slots=True)
class ReplyAction:
    """Answer without taking a step. `reply` may raise NotApplied, if there is a `request` to turn away."""

    request: Request | None
    reply: Callable[[], bytes]
    closes: bool


Action = StepAction | ReplyAction


def number(_place: Place, digits: str) -> str:
    """Write the original's wire format: the bare number and a newline."""
    return digits + "\n"


def document(place: Place, digits: str) -> str:
    """Write all about the value. It is a string: JavaScript loses integers past 2^53."""
    return f'{{"sequence":{place.sequence},"position":{place.position},"digits":{len(digits)},"value":"{digits}"}}'
