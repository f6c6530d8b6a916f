"""The listeners and their connections.

Deadlines are looked at once a second in one pass over all connections (10,000 of them: some milliseconds), so a request
costs no timer. When there are as many connections as may be, the one that has been idle longest makes room.
"""

import asyncio
import socket
from collections import deque
from collections.abc import Callable

import structlog

from pexservice.errors import why
from pexservice.http.connection import Connection
from pexservice.http.listener import Listener
from pexservice.http.shared import Shared
from pexservice.http.socket_state import reset_when_closed
from pexservice.http.sockets import Poller
from pexservice.http.transport import Transport

log = structlog.get_logger()

_ACCEPTS = 16
"""How many newcomers are accepted in one go, before those who are there get their turn again."""
_VICTIMS = 64
"""How many idle connections are looked up in one go when no more connections may be open."""
_LOOKS_MAX = 100_000
"""How many connections are looked at between two sweeps for the few that are idle: some 20 ms, however many come."""


class Server:
    """Accepts connections on listening sockets, sweeps them, and drains them in the end."""

    def __init__(self, shared: Shared, *, connections_max: int) -> None:
        """Must be called with an event loop running."""
        self._shared = shared
        self._connections_max = connections_max
        self._connections: dict[Connection, None] = {}
        """In the order in which they came: among those idle since the same sweep, the first one makes room."""
        self._victims: deque[tuple[Connection, float]] = deque()
        """Those idle longest, and since when, as of when they were looked up."""
        self._looked = 0
        """How many connections were looked at since the last sweep for the few that were idle."""
        self._refusal_logged_at_s = 0.0
        self._listeners: list[Listener] = []
        self._paused: list[Listener] = []
        self._poller = Poller(shared.limits, shared.budget)
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

    def start(self, *listeners: socket.socket) -> None:
        """Begin to accept."""
        self._listeners = [Listener(each) for each in listeners]
        self._paused = list(self._listeners)  # The sweep lets them go.
        self._sweep()

    def _accept(self, listener: Listener) -> None:
        """Take connections that wait; without a descriptor for one, let them wait until the next sweep."""
        try:
            for _ in range(_ACCEPTS):
                client = listener.accept()
                self._shared.metrics.connections["accepted"] += 1
                if len(self._connections) < self._connections_max or self._make_room():
                    self._poller.adopt(client, self._connect)
                else:
                    reset_when_closed(client)
                    client.close()
        except (BlockingIOError, ConnectionAbortedError):
            pass
        except OSError as error:
            log.warning("cannot accept connections, they wait", error=error.strerror)
            asyncio.get_running_loop().remove_reader(listener.socket)
            self._paused.append(listener)

    def _connect(self, transport: Transport) -> Connection:
        connection = Connection(self._shared, self._on_lost, transport)
        self._connections[connection] = None
        return connection

    def _on_lost(self, connection: Connection) -> None:
        self._connections.pop(connection, None)
        if not self._connections and self._emptied is not None and not self._emptied.done():
            self._emptied.set_result(None)

    def _make_room(self) -> bool:
        """Close the connection that has been idle longest; return whether one was idle, for a newcomer to come in."""
        if self._evict():
            return True
        now_s = self._shared.clock.now_s
        self._shared.metrics.connections["turned_away"] += 1
        if now_s != self._refusal_logged_at_s:
            self._refusal_logged_at_s = now_s
            log.warning("connection turned away, none is idle", connections=self._connections_max)
        return False

    def _evict(self) -> bool:
        """Close the connection that has been idle longest, if one is idle; return whether one was."""
        if self._evict_known():
            return True
        if self._looked >= _LOOKS_MAX:
            return False
        idle = [each for each in self._connections if each.is_idle]
        longest = sorted(idle, key=lambda each: each.active_s)[:_VICTIMS]
        self._victims.extend((each, each.active_s) for each in longest)
        if len(idle) <= _VICTIMS:  # Those were all, so the next look is soon.
            self._looked += len(self._connections)
        return self._evict_known()

    def _evict_known(self) -> bool:
        """As `_evict`, of those that were looked up before, unless they have gone or were active since."""
        while self._victims:
            victim, since_s = self._victims.popleft()
            if victim in self._connections and victim.is_idle and victim.active_s == since_s:
                self._shared.metrics.connections["evicted"] += 1
                _do(Connection.stop, victim)
                return True
        return False

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        self._sweeping = loop.call_later(self._shared.limits.sweep_period_s, self._sweep)
        self._shared.clock.tick()
        self._looked = 0
        for connection in list(self._connections):
            _do(Connection.sweep, connection)
        while self._paused:
            listener = self._paused.pop()
            loop.add_reader(listener.socket, self._accept, listener)

    async def drain(self, timeout_s: float) -> None:
        """Stop accepting, answer what was accepted, and close every connection, within the timeout."""
        loop = asyncio.get_running_loop()
        self._shared.draining = True
        for listener in self._listeners:
            loop.remove_reader(listener.socket)
            listener.socket.close()
        self._paused.clear()
        if self._connections:
            self._emptied = loop.create_future()
            self._close_cold()
            ending = loop.call_later(self._shared.limits.drain_idle_s, self._stop_all)
            try:
                await asyncio.wait_for(self._emptied, timeout_s)
            except TimeoutError:
                log.warning("drain timeout, closing the rest", connections=len(self._connections))
            ending.cancel()
        for connection in list(self._connections):
            _do(Connection.abort, connection)
        if self._sweeping is not None:
            self._sweeping.cancel()
        self._poller.close()

    def _close_cold(self) -> None:
        now_s = self._shared.clock.now_s
        for connection in self._after_a_look():
            if connection.is_idle and now_s - connection.active_s >= self._shared.limits.drain_cold_s:
                _do(Connection.stop, connection)

    def _stop_all(self) -> None:
        for connection in self._after_a_look():
            _do(Connection.stop, connection)

    def _after_a_look(self) -> list[Connection]:
        """Return the connections: one on which a request waits in the kernel is not idle."""
        self._poller.look()
        return list(self._connections)


def _do(what: Callable[[Connection], None], connection: Connection) -> None:
    """Do something to a connection. A defect that it meets must not be all others' end, so that closes it."""
    try:
        what(connection)
    except Exception as error:  # noqa: BLE001 - as above.
        log.error("a connection met a defect and was closed", **why(error))
        connection.abort()
