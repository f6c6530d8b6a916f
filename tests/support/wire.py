"""One connection by itself: no sockets, and a clock that the test moves."""

from pexservice.core.budget import Budget
from pexservice.core.judging import Place
from pexservice.core.metrics import Metrics
from pexservice.http.clock import Clock
from pexservice.http.connection import Connection
from pexservice.http.memo import Memo
from pexservice.http.router import Router
from pexservice.http.shared import Shared
from pexservice.limits import DEFAULT
from support.fake_transport import FakeTransport
from support.held_engine import HeldEngine


class Wire:
    """A connection, and what is around it."""

    def __init__(self) -> None:
        self.held, self.transport, self.clock = HeldEngine(Place(1, 1)), FakeTransport(), Clock()
        memo = Memo(Router(self.clock, self.held.table(self.clock)).action)
        self.shared = Shared(self.held.as_engine, memo, self.clock, Metrics(), DEFAULT, Budget(0))
        self.connection = self.transport.handler = Connection(self.shared, lambda _: None, self.transport)

    def receive(self, data: bytes) -> None:
        """Let bytes come."""
        self.connection.on_data(data)

    def pass_s(self, seconds: float) -> None:
        """Let time pass, and deadlines be looked at."""
        self.clock.now_s += seconds
        self.connection.sweep()
