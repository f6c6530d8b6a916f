"""Connections of the service without sockets, disk or time.

What a connection does with bytes is decided by its own code, the routes and the memory of requests seen before. Here
the engine takes every step and answers it at once, always from the same place, so that the same requests must give the
same bytes, whichever way the service came to understand them.
"""

from typing import Final

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

PLACE: Final = Place(7, 3)
CLOCK: Final = Clock()
"""It stands still, so that two answers with the same meaning are the same."""


class Desk:
    """Serves connections that share, as those of one server do, what was seen before."""

    def __init__(self) -> None:
        self._engine = HeldEngine(PLACE)
        memo = Memo(Router(CLOCK, self._engine.table(CLOCK)).action)
        budget = Budget(DEFAULT.unsent_bytes_max)
        self._shared = Shared(self._engine.as_engine, memo, CLOCK, Metrics(), DEFAULT, budget)

    def exchange(self, *pieces: bytes) -> tuple[bytes, bytes, bool]:
        """Receive bytes on a new connection; return the steps taken, the bytes sent, and whether it was ended."""
        transport = FakeTransport()
        transport.handler = Connection(self._shared, lambda _: None, transport)
        steps = bytearray()
        for piece in pieces:
            for begin in range(0, len(piece), DEFAULT.read_bytes_max):
                # What comes while reading is paused was read before it.
                if not transport.is_closed:
                    transport.handler.on_data(piece[begin : begin + DEFAULT.read_bytes_max])
                while self._engine.asked:
                    steps.append(self._engine.asked[0][0].command)
                    self._engine.answer()
        return bytes(steps), transport.sent, transport.is_shut_down or transport.is_closed
