"""The listener and its connections.

The idea: deadlines are looked at once a second in one pass over all connections (10,000 of them: some milliseconds),
so a request costs no timer. When all places are taken, the connection that has been idle longest makes room.
"""

import asyncio
import socket
from collections import deque

import structlog

from pexservice.http.connection import Connection, Shared
from pexservice.http.transport import Poller
from pexservice.limits import DRAIN_COLD_S, DRAIN_IDLE_S, SWEEP_PERIOD_S

log = structlog.get_logger()

_ACCEPTS = 16
"""How many newcomers are accepted in one go, before those who are there get their turn again."""
_VICTIMS = 64
"""How many idle connections are looked up in one go when places run out."""


class Server:
    """Accepts connections on a listening socket, sweeps them, and drains them in the end."""

    def __init__(self, shared: Shared, *, connections_max: int) -> None:
        self._shared = shared
        self._connections_max = connections_max
        self._connections: set[Connection] = set()
        self._victims: deque[Connection] = deque()
        self._exhausted_at_s = 0.0
        self._refusal_logged_at_s = 0.0
        self._listeners: list[socket.socket] = []
        self._is_paused = False
        self._poller: Poller | None = None
        self._sweeping: asyncio.TimerHandle | None = None
        self._emptied: asyncio.Future[None] | None = None

    @property
    def connections(self) -> int:
        """How many connections there are."""
        return len(self._connections)

    @property
    def late_s(self) -> float:
        """As `Clock.late_s`."""
        return self._shared.clock.late_s

    def start(self, listener: socket.socket) -> None:
        """Begin to accept, on one of any number of listeners."""
        listener.setblocking(False)
        if listener.family != socket.AF_UNIX:
            # For a socket that was passed without it: who connects from now on inherits it.
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._listeners.append(listener)
        if self._poller is None:
            self._poller = Poller()
            self._sweep()
        asyncio.get_running_loop().add_reader(listener, self._accept, listener)

    def _accept(self, listener: socket.socket) -> None:
        """Take connections that wait; without a descriptor for one, let them wait until the next sweep."""
        assert self._poller is not None
        try:
            for _ in range(_ACCEPTS):
                client, _ = listener.accept()
                self._poller.adopt(client, Connection(self._shared, self._on_made, self._on_lost))
        except (BlockingIOError, ConnectionAbortedError):
            pass
        except OSError as error:
            log.warning("cannot accept connections, they wait", error=error.strerror)
            for each in self._listeners:
                asyncio.get_running_loop().remove_reader(each)
            self._is_paused = True

    def _go_on_accepting(self) -> None:
        self._is_paused = False
        for each in self._listeners:
            asyncio.get_running_loop().add_reader(each, self._accept, each)

    async def drain(self, timeout_s: float) -> None:
        """Stop accepting, answer what was accepted, and close every connection, within the timeout."""
        loop = asyncio.get_running_loop()
        self._shared.draining = True
        for each in self._listeners:
            loop.remove_reader(each)
            each.close()
        self._is_paused = False
        if self._connections:
            self._emptied = loop.create_future()
            self._close_cold()
            ending = loop.call_later(DRAIN_IDLE_S, self._take_no_more)
            try:
                await asyncio.wait_for(self._emptied, timeout_s)
            except TimeoutError:
                log.warning("drain timeout, closing the rest", connections=len(self._connections))
            ending.cancel()
        for connection in list(self._connections):
            connection.abort()
        if self._sweeping is not None:
            self._sweeping.cancel()
        if self._poller is not None:
            self._poller.close()

    def _close_cold(self) -> None:
        assert self._poller is not None
        self._poller.look()  # A connection on which a request waits in the kernel is not idle.
        now_s = self._shared.clock.now_s
        for connection in list(self._connections):
            if connection.is_idle and now_s - connection.active_s >= DRAIN_COLD_S:
                connection.close()

    def _take_no_more(self) -> None:
        assert self._poller is not None
        self._poller.look()  # A connection on which a request waits in the kernel is not idle.
        for connection in list(self._connections):
            connection.take_no_more()

    def _on_made(self, connection: Connection) -> None:
        self._shared.metrics.connections_accepted += 1
        self._connections.add(connection)
        if len(self._connections) > self._connections_max:
            self._make_room(connection)

    def _on_lost(self, connection: Connection) -> None:
        self._connections.discard(connection)
        if not self._connections and self._emptied is not None and not self._emptied.done():
            self._emptied.set_result(None)

    def _make_room(self, newcomer: Connection) -> None:
        now_s = self._shared.clock.now_s
        if not self._victims and self._exhausted_at_s != now_s:
            idle = [each for each in self._connections if each.is_idle and each is not newcomer]
            self._victims.extend(sorted(idle, key=lambda each: each.active_s)[:_VICTIMS])
            if len(idle) <= _VICTIMS:  # Those were all: it is no use to look again before the next sweep.
                self._exhausted_at_s = now_s
        while self._victims:
            victim = self._victims.popleft()
            if victim in self._connections and victim.is_idle:
                self._shared.metrics.connections_evicted += 1
                self._connections.discard(victim)
                victim.close()
                return
        self._shared.metrics.connections_turned_away += 1
        if now_s != self._refusal_logged_at_s:
            self._refusal_logged_at_s = now_s
            log.warning("connection refused, none is idle", connections=self._connections_max)
        newcomer.abort()

    def _sweep(self) -> None:
        self._sweeping = asyncio.get_running_loop().call_later(SWEEP_PERIOD_S, self._sweep)
        self._shared.clock.tick()
        for connection in list(self._connections):
            connection.sweep()
        if self._is_paused:
            self._go_on_accepting()
