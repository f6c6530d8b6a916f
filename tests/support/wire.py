"""One connection by itself: no sockets, and a clock that the test moves."""

from typing import Any, cast

from pexservice.core.budget import Budget
from pexservice.core.judging import Place
from pexservice.core.metrics import Metrics
from pexservice.errors import NotApplied
from pexservice.http.action import StreamAction
from pexservice.http.answer import Answer, Head
from pexservice.http.clock import Clock
from pexservice.http.connection import Connection
from pexservice.http.endpoint import READ, Endpoint
from pexservice.http.feed import Feed, Watch
from pexservice.http.memo import Memo
from pexservice.http.router import Router
from pexservice.http.shared import Shared
from pexservice.limits import DEFAULT
from support.fake_transport import FakeTransport
from support.held_engine import HeldEngine


class StubFeed:
    """As `Feed`, as far as a connection knows it: says nothing but what a test has it say."""

    def __init__(self) -> None:
        self.watches: set[Watch] = set()
        self.caught_up: list[Watch] = []
        self.error: NotApplied | None = None

    def join(self, watch: Watch) -> None:
        self.watches.add(watch)

    def leave(self, watch: Watch) -> None:
        self.watches.discard(watch)

    def catch_up(self, watch: Watch) -> None:
        self.caught_up.append(watch)

    def endpoint(self, clock: Clock) -> Endpoint:
        """Return a path that is answered without an end."""
        head = Head(clock, 200, {}, None)

        def begin() -> Answer:
            if self.error is not None:
                raise self.error
            answer, data = head.bare()
            return answer, data + b"first\n"

        feed = cast("Feed[Any]", self)
        return Endpoint("/watch", READ, "", lambda asked: StreamAction(asked, feed, begin, not asked.keep_alive), {})


class Wire:
    """A connection, and what is around it."""

    def __init__(self) -> None:
        self.held, self.transport, self.clock = HeldEngine(Place(1, 1)), FakeTransport(), Clock()
        self.feed = StubFeed()
        memo = Memo(Router(self.clock, [*self.held.table(self.clock), self.feed.endpoint(self.clock)]).action)
        self.shared = Shared(self.held.as_engine, memo, self.clock, Metrics(), DEFAULT, Budget(0))
        self.connection = self.transport.handler = Connection(self.shared, lambda _: None, self.transport)

    def receive(self, data: bytes) -> None:
        """Let bytes come."""
        self.connection.on_data(data)

    def pass_s(self, seconds: float) -> None:
        """Let time pass, and deadlines be looked at."""
        self.clock.now_s += seconds
        self.connection.sweep()
