"""A server whose listeners are those of other processes too.

A thread for each listener waits for connections; the event loop hears of one when its first bytes are there, or at the
next sweep. How many connections the others have is in `Occupancy`.
"""

import socket
from typing import Protocol

import structlog

from pexservice.errors import reason
from pexservice.http.acceptor import Acceptor
from pexservice.http.connection import Connection
from pexservice.http.server import Server
from pexservice.http.shared import Shared
from pexservice.http.socket_state import reset_when_closed

log = structlog.get_logger()


class Occupancy(Protocol):
    """What the processes that share listeners know of each other's connections. May be asked in any thread."""

    def count(self, connections: int) -> None:
        """Tell the others how many there are here."""
        ...

    def connections(self) -> int:
        """Return how many there are in all."""
        ...

    def pause_s(self) -> float:
        """Return for how long another should accept first, since there are many here; 0 if not."""
        ...


class JointServer(Server):
    """As `Server`, of which there is one in each of several processes.

    When all of them together have as many connections as may be, one that has more than its share closes an idle one of
    its own for each newcomer. One that has fewer takes the newcomer, and those that have more make room at their next
    sweep: else a worker that took the place of another would turn everyone away.
    """

    def __init__(self, shared: Shared, occupancy: Occupancy, *, connections_max: int, processes: int) -> None:
        """`connections_max` is for all of the `processes` together."""
        super().__init__(shared, connections_max=connections_max)
        self._share = max(1, connections_max // processes)
        self._occupancy = occupancy
        self._newcomers: dict[int, socket.SocketType] = {}
        """Connections that were accepted, by descriptor, of which the event loop has not heard."""
        self._acceptors: list[Acceptor] = []
        self._poller.on_stranger = self._settle

    @property
    def connections(self) -> int:
        """As `Server.connections`."""
        return len(self._connections) + len(self._newcomers)

    def start(self, *listeners: socket.socket) -> None:
        """As `Server.start`."""
        super().start()
        retry_s = self._shared.limits.sweep_period_s
        self._acceptors = [Acceptor(each, self._welcome, self._occupancy.pause_s, retry_s) for each in listeners]
        for acceptor in self._acceptors:
            acceptor.start()

    async def drain(self, timeout_s: float) -> None:
        """As `Server.drain`."""
        for acceptor in self._acceptors:
            acceptor.stop()
        self._settle_all()
        await super().drain(timeout_s)

    def _welcome(self, client: socket.SocketType) -> None:
        """Take a connection, in the thread of an acceptor."""
        fd = client.fileno()
        self._newcomers[fd] = client
        try:
            self._poller.announce(fd)
        except (OSError, MemoryError) as error:  # As many sockets are watched as one user may watch.
            if self._newcomers.pop(fd, None) is not None:  # Else a sweep of the event loop was faster, and closed it.
                client.close()
                log.warning("a connection could not be taken", error=reason(error))
        self._occupancy.count(self.connections)

    def _settle(self, fd: int) -> None:
        """Make a connection of a newcomer, if that is what a descriptor is."""
        client = self._newcomers.pop(fd, None)
        if client is None:
            return
        self._shared.metrics.connections["accepted"] += 1
        is_room = self._occupancy.connections() <= self._connections_max or self.connections < self._share
        if is_room or self._make_room():
            self._poller.settle(client, self._connect)
        else:
            reset_when_closed(client)
            client.close()
        self._occupancy.count(self.connections)

    def _settle_all(self) -> None:
        for fd in list(self._newcomers):
            self._settle(fd)

    def _on_lost(self, connection: Connection) -> None:
        super()._on_lost(connection)
        self._occupancy.count(self.connections)

    def _sweep(self) -> None:
        self._settle_all()
        while self._occupancy.connections() > self._connections_max and self.connections > self._share:
            if not self._evict():
                break
        super()._sweep()
