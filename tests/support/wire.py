"""One connection by itself: no sockets, and a clock that the test moves."""

from typing import Any, cast

from pexservice.core.budget import Budget
from pexservice.core.engine import Caller, Engine
from pexservice.core.metrics import Metrics
from pexservice.core.store import Place
from pexservice.errors import NotApplied
from pexservice.http.access import Access
from pexservice.http.action import StepAction
from pexservice.http.clock import Clock
from pexservice.http.connection import Connection, Shared
from pexservice.http.memo import Memo
from pexservice.limits import DEFAULT
from pexservice.walk.endpoints import Routes
from pexservice.walk.steps import Step
from support.fake_transport import FakeTransport


class Held:
    """An engine whose steps are answered when the test says so; also the walk, which stands still."""

    place = Place(1, 1)

    def __init__(self) -> None:
        self.asked: list[tuple[StepAction, Caller[StepAction]]] = []

    def digits(self) -> str:
        return "1"

    def submit(self, _step: Step, asked: StepAction, caller: Caller[StepAction]) -> None:
        self.asked.append((asked, caller))

    def answer(self) -> None:
        asked, caller = self.asked.pop(0)
        caller.deliver(asked, asked.render(1, 1, lambda _position: "1"))

    def refuse(self, error: NotApplied) -> None:
        asked, caller = self.asked.pop(0)
        caller.refuse(asked, error)


class Wire:
    """A connection, and what is around it."""

    def __init__(self) -> None:
        self.held, self.transport, self.clock = Held(), FakeTransport(), Clock()
        routes = Routes(self.held, self.clock, Access(()), unready=lambda: None, metrics=lambda: "")
        engine = cast("Engine[Any]", self.held)
        self.shared = Shared(engine, Memo(routes.action), self.clock, Metrics(), DEFAULT, Budget(0))
        self.connection = self.transport.handler = Connection(self.shared, lambda _: None, self.transport)

    def receive(self, data: bytes) -> None:
        self.connection.on_data(data)

    def pass_s(self, seconds: float) -> None:
        self.clock.now_s += seconds
        self.connection.sweep()
