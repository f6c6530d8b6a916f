"""One connection by itself: no sockets, and a clock that the test moves."""

from pexservice.core.budget import Budget
from pexservice.core.judging import Place
from pexservice.core.metrics import Metrics
from pexservice.http.clock import Clock
from pexservice.http.connection import Connection, Shared
from pexservice.http.memo import Memo
from pexservice.http.router import Router
from pexservice.limits import DEFAULT
from support.client import message
from support.fake_transport import FakeTransport
from support.held_engine import HeldEngine
from support.messages import NEXT


class Wire:
    """A connection, and what is around it."""

    def __init__(self) -> None:
        self.held, self.transport, self.clock = HeldEngine(Place(1, 1)), FakeTransport(), Clock()
        memo = Memo(Router(self.clock, self.held.table(self.clock)).action)
        self.shared = Shared(self.held.as_engine, memo, self.clock, Metrics(), DEFAULT, Budget(0))
        self.connection = self.transport.handler = Connection(self.shared, lambda _: None, self.transport)

    def receive(self, data: bytes) -> None:
        self.connection.on_data(data)

    def pass_s(self, seconds: float) -> None:
        self.clock.now_s += seconds
        self.connection.sweep()


def test_a_client_is_not_late_while_the_service_keeps_it_waiting() -> None:
    """The time for a body runs from when its client was told to continue, behind the answers before it."""
    wire = Wire()
    wire.receive(NEXT + message("POST", "/next", "Expect: 100-continue", "Content-Length: 3"))
    wire.pass_s(DEFAULT.request_timeout_s + 3)
    assert wire.transport.statuses() == []
    wire.held.answer()
    assert wire.transport.statuses() == [200, 100]
    wire.pass_s(DEFAULT.request_timeout_s - 1)
    assert wire.transport.statuses() == [200, 100]
    wire.pass_s(2)
    assert wire.transport.statuses() == [200, 100, 408]


def test_a_pipeline_of_any_length_is_carried_out_in_order() -> None:
    """However much more comes than may be read ahead, all of it is carried out, reads behind the steps before them."""
    wire = Wire()
    wire.receive((NEXT * 7 + message("GET", "/livez")) * 3)
    assert len(wire.held.asked) == 7
    while wire.held.asked:
        wire.held.answer()
    assert wire.transport.statuses() == [200] * 24
    bodies = [part.split(b"\r\n\r\n")[1] for part in wire.transport.sent.split(b"HTTP/1.1 ")[1:]]
    assert bodies == ([b"1\n"] * 7 + [b"ok\n"]) * 3


def test_no_more_is_taken_after_a_drain() -> None:
    """What was asked is answered, the last answer says close, and what comes then is not carried out."""
    wire = Wire()
    wire.receive(NEXT * 2)
    wire.connection.stop()
    wire.receive(NEXT)
    while wire.held.asked:
        wire.held.answer()
    first, last = wire.transport.sent.split(b"HTTP/1.1 ")[1:]
    assert b"Connection: close" not in first
    assert b"Connection: close" in last


def test_the_last_answer_to_a_half_closed_client_says_close() -> None:
    """Once a client is known to send no more, it gets what it waits for, and hears that this was all."""
    wire = Wire()
    wire.receive(NEXT * 2)
    wire.connection.on_end()
    while wire.held.asked:
        wire.held.answer()
    first, last = wire.transport.sent.split(b"HTTP/1.1 ")[1:]
    assert b"Connection: close" not in first
    assert b"Connection: close" in last
    assert wire.transport.is_closed
