"""Connections of the service without sockets, disk or time.

The idea: what a connection does with bytes is decided by its own code, the routes and the memory of requests seen
before. Here the engine takes every step and answers it at once, always from the same place, so that the same requests
must give the same bytes, whichever way the service came to understand them.
"""

from typing import Final, cast

from pexservice.core.budget import Budget
from pexservice.core.engine import Caller, Engine
from pexservice.core.metrics import Metrics
from pexservice.core.store import Place
from pexservice.http.access import Access
from pexservice.http.action import StepAction
from pexservice.http.clock import Clock
from pexservice.http.connection import Connection, Shared
from pexservice.http.memo import Memo
from pexservice.limits import DEFAULT
from pexservice.walk.endpoints import Routes
from pexservice.walk.steps import Step
from support.fake_transport import FakeTransport

PLACE: Final = Place(7, 3)
CLOCK: Final = Clock()
"""It stands still, so that two answers with the same meaning are the same."""


class _Walk:
    place = PLACE

    def digits(self) -> str:
        return "2"


class _Engine:
    def __init__(self) -> None:
        self.steps = bytearray()
        self._asked: list[tuple[StepAction, Caller[StepAction]]] = []

    def submit(self, step: Step, asked: StepAction, caller: Caller[StepAction]) -> None:
        self.steps.append(step)
        self._asked.append((asked, caller))

    def answer(self) -> None:
        """Answer what was submitted, and what is submitted on that."""
        while self._asked:
            asked, caller = self._asked.pop(0)
            caller.deliver(asked, asked.render(PLACE.sequence, PLACE.position, lambda _position: "2"))


class Desk:
    """Serves connections that share, as those of one server do, what was seen before."""

    def __init__(self) -> None:
        self._engine = _Engine()
        routes = Routes(_Walk(), CLOCK, Access(()), unready=lambda: None, metrics=lambda: "")
        engine = cast("Engine[StepAction]", self._engine)
        self._shared = Shared(engine, Memo(routes.action), CLOCK, Metrics(), DEFAULT, Budget(DEFAULT.unsent_bytes_max))

    def exchange(self, *pieces: bytes) -> tuple[bytes, bytes, bool]:
        """Receive bytes on a new connection; return the steps taken, the bytes sent, and whether it was ended."""
        transport = FakeTransport()
        transport.handler = Connection(self._shared, lambda _: None, transport)
        self._engine.steps.clear()
        for piece in pieces:
            for begin in range(0, len(piece), DEFAULT.read_bytes_max):
                # What comes while reading is paused was read before it.
                if not transport.is_closed:
                    transport.handler.on_data(piece[begin : begin + DEFAULT.read_bytes_max])
                self._engine.answer()
        return bytes(self._engine.steps), transport.sent, transport.is_shut_down or transport.is_closed
