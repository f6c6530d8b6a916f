"""What a request amounts to, once judged and routed.

A request is turned into an action once, and the action can be carried out any number of times. The same bytes always
mean the same action, so a client that repeats itself pays for parsing, routing and negotiation once (see `memo.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic

from pexservice.core.machine import C, Refusal, S
from pexservice.http.answer import Head, refused
from pexservice.http.forms import Body, Fields
from pexservice.http.request import Request


@dataclass(frozen=True, slots=True)
class CommandAction(Generic[S, C]):
    """Have a command taken, and answer with the state after it, or without a `body`, with the header fields alone.

    PERF: plain attributes, no properties; three of them are read for each command, 60 ns apiece as properties.
    """

    request: Request
    command: C
    head: Head
    fields: Fields[S]
    body: Body[S] | None
    status: int
    closes: bool
    """Whether the connection ends with the answer."""
    carries_value: bool
    """As `group.Asked`."""

    def render(self, sequence: int, state: S) -> bytes:
        """As `group.Asked`."""
        fields = self.fields(sequence, state)
        if self.body is None:
            return self.head.bare(fields)
        return self.head.with_body(self.body(sequence, state), fields)

    def render_refusal(self, sequence: int, state: S, refusal: Refusal) -> bytes:
        """As `group.Asked`."""
        return refused(self.head.clock, self.request, refusal, self.fields(sequence, state))


@dataclass(frozen=True, slots=True)
class ReplyAction:
    """Answer without a command. `reply` may raise NotApplied, if there is a `request` to turn away."""

    request: Request | None
    reply: Callable[[], bytes]
    closes: bool


Action = CommandAction[Any, Any] | ReplyAction
