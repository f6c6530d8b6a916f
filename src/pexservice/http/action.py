"""What a request amounts to, once judged and routed.

A request is turned into an action once, and the action can be carried out any number of times. The same bytes always
mean the same action, so a client that repeats itself pays for parsing, routing and negotiation once (see `memo.py`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Final, Generic

from pexservice.core.keys import Terms, keyed
from pexservice.core.machine import C, Refusal, S
from pexservice.http.answer import Answer, Head, problem, refused
from pexservice.http.clock import Clock
from pexservice.http.feed import Feed
from pexservice.http.forms import Body, Fields
from pexservice.http.request import Request

_REPLAYED: Final = "Idempotency-Replayed: true\r\n"


@dataclass(slots=True)  # PERF: one is made for each command with a key; frozen, that takes 0.9 us more.
class CommandAction(Generic[S, C]):
    """Have a command taken, and answer with the state after it, or without a `body`, with the header fields alone.

    PERF: plain attributes, no properties; three of them are read for each command, 60 ns apiece as properties.
    """

    request: Request
    command: C
    head: Head
    fields: Fields[S]
    body: Body[S] | None
    closes: bool
    """Whether the connection ends with the answer."""
    carries_value: bool
    """As `core.caller.Asked`."""
    terms: Terms | None = None
    """As `core.caller.Asked`."""

    def with_key(self, key: bytes) -> "CommandAction[S, C]":
        """Return the same with a key."""
        terms = keyed(key) if self.terms is None else self.terms._replace(key=key)
        return CommandAction(
            self.request, self.command, self.head, self.fields, self.body, self.closes, self.carries_value, terms
        )

    def render(self, sequence: int, state: S) -> Answer:
        """As `core.caller.Asked`."""
        head, fields = self.head, self.fields(sequence, state)
        if self.body is None:
            return head.bare(fields)
        body = self.body(sequence, state)
        # PERF: as `Head.with_body`, without a call: 0.1 us less.
        date = head.clock.date
        text = f"{head.start}{date}\r\n{fields}Content-Length: {len(body)}\r\n\r\n{body}"
        try:
            return head, text.encode("ascii")
        except UnicodeEncodeError:  # PERF: asking beforehand costs each command; this, only who writes more than ASCII.
            return head.with_body(body, fields)

    def render_replay(self, sequence: int, state: S) -> Answer:
        """As `core.caller.Asked`."""
        fields = self.fields(sequence, state) + _REPLAYED
        return self.head.bare(fields) if self.body is None else self.head.with_body(self.body(sequence, state), fields)

    def render_refusal(self, sequence: int, state: S, refusal: Refusal) -> Answer:
        """As `core.caller.Asked`."""
        return refused(self.head.clock, self.request, refusal, self.fields(sequence, state))


@dataclass(frozen=True, slots=True)
class ReplyAction:
    """Answer without a command. `reply` may raise NotApplied, if there is a `request` to turn away."""

    request: Request | None
    reply: Callable[[], Answer]
    closes: bool
    reads: bool = False
    """Whether it tells the place of the engine, which then must not be older than the request."""


def turned_away(
    clock: Clock, request: Request, status: int, detail: str, more: Mapping[str, str] | None = None
) -> ReplyAction:
    """Return the action that answers with an error, with `more` header fields."""
    return ReplyAction(request, partial(problem, clock, request, status, detail, more=more), not request.keep_alive)


@dataclass(frozen=True, slots=True)
class StreamAction:
    """Tell the client what happens, until one of the two has enough: the connection's last answer, if it begins."""

    request: Request
    feed: Feed[Any]
    begin: Callable[[], Answer]
    """Makes the head and what the client is told at once. May raise NotApplied."""
    closes: bool
    reads: ClassVar = True
    """As `ReplyAction.reads`."""


@dataclass(frozen=True, slots=True)
class ContinueAction:
    """Tell a client to send the body that it announced (RFC 9110, 10.1.1). Its request is still to be answered."""

    data: bytes = b"HTTP/1.1 100 Continue\r\n\r\n"
    status: int = 100
    closes: bool = False


Action = CommandAction[Any, Any] | ReplyAction | StreamAction
