"""One connection by itself: no sockets, and a clock that the test moves."""

import asyncio
from typing import Any, cast

import pytest

from pexservice.core.engine import Caller, Engine
from pexservice.core.metrics import Metrics
from pexservice.core.store import Place
from pexservice.http.access import Access
from pexservice.http.action import StepAction
from pexservice.http.answer import Clock
from pexservice.http.connection import Connection, Shared
from pexservice.http.memo import Memo
from pexservice.limits import REQUEST_TIMEOUT_S
from pexservice.walk.endpoints import Routes
from pexservice.walk.steps import Step
from support.client import message
from support.messages import NEXT


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


class Transport(asyncio.Transport):
    """Keeps what is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent += data

    def hold(self, data: bytes) -> None:
        self.write(data)

    def statuses(self) -> list[int]:
        return [int(answer[:3]) for answer in self.sent.split(b"HTTP/1.1 ")[1:]]

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return False

    def write_eof(self) -> None: ...
    def close(self) -> None: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...


class Wire:
    """A connection, and what is around it."""

    def __init__(self) -> None:
        self.held, self.transport, self.clock = Held(), Transport(), Clock()
        routes = Routes(self.held, self.clock, Access(()), unready=lambda: None, metrics=lambda: "")
        engine = cast("Engine[Any]", self.held)
        shared = Shared(engine, Memo(routes.action), self.clock, Metrics(), keep_alive_s=75)
        self.connection = Connection(shared, lambda _: None, lambda _: None)
        self.connection.connection_made(self.transport)

    def receive(self, data: bytes) -> None:
        self.connection.data_received(data)

    def pass_s(self, seconds: float) -> None:
        self.clock.now_s += seconds
        self.connection.sweep()


def test_a_client_is_not_late_while_the_service_keeps_it_waiting() -> None:
    """The time for a body runs from when its client was told to continue, behind the answers before it."""
    wire = Wire()
    wire.receive(NEXT + message("POST", "/next", "Expect: 100-continue", "Content-Length: 3"))
    wire.pass_s(REQUEST_TIMEOUT_S + 3)
    assert wire.transport.statuses() == []
    wire.held.answer()
    assert wire.transport.statuses() == [200, 100]
    wire.pass_s(REQUEST_TIMEOUT_S - 1)
    assert wire.transport.statuses() == [200, 100]
    wire.pass_s(2)
    assert wire.transport.statuses() == [200, 100, 408]


@pytest.mark.parametrize(
    ("data", "has_body"),
    [
        (b"HEAD / HTTP/1.1\r\nHost: x\r\n", False),
        (b"HEAD ", False),
        (message("HEAD", "/", "Content-Length: 3"), False),
        (NEXT[:-2], True),
        (b"HEAD", True),
        (message("GET", "/", "Content-Length: 3"), True),
    ],
)
def test_a_late_head_is_answered_without_a_body(data: bytes, has_body: bool) -> None:  # noqa: FBT001
    """As soon as the method is known; the length is that of the body that GET would have got."""
    bodies = []
    for sent in (data, NEXT[:-2]):
        wire = Wire()
        wire.receive(sent)
        wire.pass_s(REQUEST_TIMEOUT_S + 1)
        assert wire.transport.statuses() == [408]
        bodies.append(wire.transport.sent.partition(b"\r\n\r\n"))
    (head, _, body), (expected, _, full) = bodies
    assert (head, body) == (expected, full if has_body else b"")
    assert b"Content-Length: %d\r\n" % len(full) in head + b"\r\n"


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
    wire.connection.take_no_more()
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
    assert wire.connection.eof_received()
    while wire.held.asked:
        wire.held.answer()
    first, last = wire.transport.sent.split(b"HTTP/1.1 ")[1:]
    assert b"Connection: close" not in first
    assert b"Connection: close" in last
    assert not wire.connection.eof_received()
