"""Connections of the service without sockets, disk or time.

The idea: what a connection does with bytes is decided by its own code, the routes and the memory of requests seen
before. Here the engine takes every step and answers it at once, always from the same place, so that the same requests
must give the same bytes, whichever way the service came to understand them.
"""

import asyncio
from typing import Final, cast

from pexservice.core.engine import Caller, Engine
from pexservice.core.metrics import Metrics
from pexservice.core.store import Place
from pexservice.http.access import Access
from pexservice.http.action import StepAction
from pexservice.http.answer import Clock
from pexservice.http.connection import Connection, Shared
from pexservice.http.memo import Memo
from pexservice.limits import READ_BYTES_MAX
from pexservice.walk.endpoints import Routes
from pexservice.walk.steps import Step

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


class _Transport(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self.is_ended = False

    def get_write_buffer_size(self) -> int:
        return 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.is_ended, "it wrote behind its last answer"
        self.sent += data

    def hold(self, data: bytes) -> None:
        self.write(data)

    def write_eof(self) -> None:
        self.is_ended = True

    def close(self) -> None:
        self.is_ended = True

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None:
        """Do nothing: what comes while reading is paused was read before it."""

    def resume_reading(self) -> None:
        """Do nothing."""


class Desk:
    """Serves connections that share, as those of one server do, what was seen before."""

    def __init__(self) -> None:
        self._engine = _Engine()
        routes = Routes(_Walk(), CLOCK, Access(()), unready=lambda: None, metrics=lambda: "")
        engine = cast("Engine[StepAction]", self._engine)
        self._shared = Shared(engine, Memo(routes.action), CLOCK, Metrics(), keep_alive_s=75)

    def exchange(self, *pieces: bytes) -> tuple[bytes, bytes, bool]:
        """Receive bytes on a new connection; return the steps taken, the bytes sent, and whether it was ended."""
        transport = _Transport()
        connection = Connection(self._shared, lambda _: None, lambda _: None)
        connection.connection_made(transport)
        self._engine.steps.clear()
        for piece in pieces:
            for begin in range(0, len(piece), READ_BYTES_MAX):
                part = piece[begin : begin + READ_BYTES_MAX]
                connection.data_received(part)
                self._engine.answer()
        return bytes(self._engine.steps), transport.sent, transport.is_ended
