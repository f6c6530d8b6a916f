"""What a request amounts to, once judged and routed.

The idea: a request is turned into an action once, and the action can be carried out any number of times. The same
bytes always mean the same action, so a client that repeats itself pays for parsing, routing and negotiation once
(see `memo.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass

from pexservice.http.answer import Answer, Head, walk_fields
from pexservice.http.request import Request
from pexservice.walk.steps import Step

Body = Callable[[int, int, str], str]
"""Makes the body of an answer from the sequence, the position, and the digits of the value."""


@dataclass(frozen=True, slots=True)
class StepAction:
    """Take a step, and answer with the value after it, or without a `body`, with the place alone.

    PERF: plain attributes, no properties; three of them are read for each step, 60 ns apiece as properties.
    """

    request: Request
    step: Step
    head: Head
    body: Body | None
    closes: bool
    """Whether the connection ends with the answer."""
    carries_value: bool
    """As `engine.Asked`."""

    def render(self, sequence: int, position: int, digits: Callable[[int], str]) -> bytes:
        """As `engine.Asked`."""
        if self.body is None:
            return self.head.bare(walk_fields(sequence, position))[1]
        return self.head.with_walk(sequence, position, self.body(sequence, position, digits(position)))


@dataclass(frozen=True, slots=True)
class ReplyAction:
    """Answer without taking a step. `reply` may raise NotApplied, if there is a `request` to turn away."""

    request: Request | None
    reply: Callable[[], Answer]
    closes: bool


@dataclass(frozen=True, slots=True)
class ContinueAction:
    """Tell a client to send the body that it announced (RFC 9110, 10.1.1). Its request is still to be answered."""

    data: bytes = b"HTTP/1.1 100 Continue\r\n\r\n"
    status: int = 100
    closes: bool = False


Action = StepAction | ReplyAction
"""What a request amounts to."""


def number(_sequence: int, _position: int, digits: str) -> str:
    """Write the original's wire format: the bare number and a newline."""
    return digits + "\n"


def document(sequence: int, position: int, digits: str) -> str:
    """Write all about the value. It is a string: JavaScript loses integers past 2^53."""
    return f'{{"sequence":{sequence},"position":{position},"digits":{len(digits)},"value":"{digits}"}}'
