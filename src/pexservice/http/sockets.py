"""Connected sockets, without the event loop's own transports.

One epoll holds all connections, and the event loop watches that epoll as it would a single socket. What remains for a
connection is the least that the system asks for: accept, epoll_ctl, and then recv and send for each request, close in
the end.

PERF: a connection for each request, `ab -c 10`, constant answer: 16 us of processor time; an own accept loop before
uvloop's transports 25 us (a task, a future, and five more system calls each); a bare C loop 11 us. Kept alive: 4.3 us
a request, uvloop 4.6 us.
"""

import asyncio
import select
import socket
from collections.abc import Callable
from typing import Final

import structlog

from pexservice.core.budget import Budget
from pexservice.errors import why
from pexservice.http.outbox import Outbox
from pexservice.http.socket_state import kernel_bytes, narrow, reset_when_closed
from pexservice.http.transport import Handler, Transport
from pexservice.limits import Limits

log = structlog.get_logger()

_IN: Final = select.EPOLLIN
_OUT: Final = select.EPOLLOUT
_GONE: Final = select.EPOLLHUP | select.EPOLLERR
_DONT_WAIT: Final = socket.MSG_DONTWAIT
"""Said with each call: making the socket itself non-blocking would be one more."""


class Poller:
    """Tells transports that their sockets are ready."""

    def __init__(self, limits: Limits, budget: Budget) -> None:
        """Must be called with an event loop running. Unsent bytes are taken from the budget."""
        self.limits = limits
        self.read_bytes_max = limits.read_bytes_max
        self.budget = budget
        self.call_soon = asyncio.get_running_loop().call_soon
        self._epoll = select.epoll()
        self._transports: dict[int, SocketTransport] = {}
        self.on_stranger: Callable[[int], None] = lambda _: None
        asyncio.get_running_loop().add_reader(self._epoll, self._on_events)

    def adopt(self, connected: socket.SocketType, connect: Callable[[Transport], Handler]) -> None:
        """Tell what `connect` makes of a connected socket's transport of all that happens there.

        The socket is the poller's from now on. Raises OSError, with the socket closed.
        """
        fd = connected.fileno()
        try:
            self._epoll.register(fd, _IN)
        except OSError:
            connected.close()
            raise
        self.settle(connected, connect)

    def announce(self, fd: int) -> None:
        """Watch a socket that has yet to be settled: `on_stranger` is told of what happens there. Raises OSError.

        May be called by any thread.
        """
        self._epoll.register(fd, _IN)

    def settle(self, announced: socket.SocketType, connect: Callable[[Transport], Handler]) -> None:
        """As `adopt`, of a socket that is watched already."""
        self._transports[announced.fileno()] = SocketTransport(self, announced, connect)

    def watch(self, fd: int, events: int) -> None:
        """Tell the transport of a descriptor of these events only, and of a broken connection."""
        self._epoll.modify(fd, events)

    def forget(self, fd: int) -> None:
        """Drop a transport. Its descriptor leaves the epoll when it is closed (epoll(7), Q6)."""
        del self._transports[fd]

    def close(self) -> None:
        """Stop. There must be no transport left."""
        assert not self._transports, "a transport would never hear of anything again"
        asyncio.get_running_loop().remove_reader(self._epoll)
        self._epoll.close()

    def look(self) -> None:
        """Tell transports what has happened by now, all of them in one go."""
        self._dispatch(self._epoll.poll(0, max(1, len(self._transports))))

    def _on_events(self) -> None:
        self._dispatch(self._epoll.poll(0))  # A thousand at most: others get their turn in between.

    def _dispatch(self, ready: list[tuple[int, int]]) -> None:
        # A descriptor is not used anew within a batch, since nothing is accepted there: none of it can be stale. Where
        # another thread accepts, an event may be of the descriptor's last socket, and finds nothing to receive.
        find = self._transports.get
        for fd, events in ready:
            transport = find(fd)
            if transport is None:
                self.on_stranger(fd)
                transport = find(fd)
            if transport is None:
                continue
            try:
                if events == _IN:
                    transport.receive()
                else:
                    transport.on_events(events)
            except Exception as error:  # noqa: BLE001 - a defect that one connection meets must not be all others' end.
                log.error("a connection met a defect and was closed", **why(error))
                transport.abort()  # Its next answer would be taken for the one that is missing.


class SocketTransport:
    """One connected socket. Without a handler, it is closed."""

    __slots__ = (
        "_events",
        "_handler",
        "_held",
        "_held_bytes",
        "_outbox",
        "_poller",
        "_recv",
        "_send",
        "_socket",
        "is_clogged",
        "is_reading",
    )

    def __init__(self, poller: Poller, connected: socket.SocketType, connect: Callable[[Transport], Handler]) -> None:
        """Use `Poller.adopt`."""
        self._poller = poller
        self._socket = connected
        self._send = connected.send
        self._recv = connected.recv
        self._events = _IN
        self.is_reading = True
        self.is_clogged = False
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._outbox: Outbox | None = None
        self._handler: Handler | None = connect(self)

    # What the poller calls.

    def on_events(self, events: int) -> None:
        """Send and receive what can be."""
        if events & _OUT and self._outbox is not None:
            self._send_on(self._outbox)
        if self.is_reading and events & ~_OUT:
            self.receive()
        elif events & _GONE:
            self._end()

    def receive(self) -> None:
        """Receive what there is, once."""
        if self._handler is None or not self.is_reading:
            return
        try:
            data = self._recv(self._poller.read_bytes_max, _DONT_WAIT)
        except BlockingIOError:
            return
        except OSError:  # The client is gone.
            self._end()
            return
        if data:
            self._handler.on_data(data)
        else:
            self._handler.on_end()

    # What the handler calls, as `Transport`.

    @property
    def unsent_bytes(self) -> int:
        """As `Transport`."""
        return self._held_bytes + (self._outbox.unsent_bytes if self._outbox is not None else 0)

    def send(self, data: bytes) -> None:
        """As `Transport`."""
        if self._held:
            data = b"".join([*self._held, data])
            self._held.clear()
            self._held_bytes = 0
        if self._outbox is not None:
            self._keep(memoryview(data))
            return
        try:
            sent = self._send(data, _DONT_WAIT)
        except BlockingIOError:
            sent = 0
        except OSError:  # The client is gone.
            self._end()
            return
        if sent != len(data):
            self._keep(memoryview(data)[sent:])

    def hold(self, data: bytes) -> None:
        """As `Transport`."""
        if self._held_bytes + len(data) > self._poller.limits.write_buffer_bytes_max:
            self.send(data)
            return
        if not self._held:
            if self._handler is None:
                return
            self._poller.call_soon(self._release)
        self._held.append(data)
        self._held_bytes += len(data)

    def read(self, *, wanted: bool) -> None:
        """As `Transport`."""
        if self._handler is not None:
            self.is_reading = wanted
            self._watch()

    def narrow(self) -> None:
        """As `Transport`. On TCP, a client that has vanished is lost after as long as one that does not read."""
        if self._handler is not None:
            narrow(self._socket, self._poller.limits.watcher_kernel_bytes, self._poller.limits.request_timeout_s)

    def is_stalled(self, now_s: float) -> bool:
        """As `Transport`."""
        if self._outbox is None:
            return False
        return self._outbox.is_stalled(kernel_bytes(self._socket), now_s, self._poller.limits.request_timeout_s)

    def shut_down(self) -> None:
        """As `Transport`."""
        assert not self.unsent_bytes, "what is unsent would never be"
        if self._handler is not None:
            try:
                self._socket.shutdown(socket.SHUT_WR)
            except OSError:  # The client is gone.
                self._end()

    def close(self) -> None:
        """As `Transport`."""
        assert not self.unsent_bytes, "what is unsent would never be"
        self._end()

    def abort(self) -> None:
        """As `Transport`."""
        if self._handler is not None:
            reset_when_closed(self._socket)
            self._end()

    # How it is done.

    def _keep(self, data: memoryview) -> None:
        """Keep what the kernel does not take."""
        if self._handler is None:
            return
        if self._outbox is None:
            self._outbox = Outbox(self._poller.budget)
        self._outbox.add(data)
        self._watch()
        if self._outbox.unsent_bytes > self._poller.limits.write_buffer_bytes_max and not self.is_clogged:
            self.is_clogged = True
            self._handler.on_clogged()

    def _send_on(self, outbox: Outbox) -> None:
        """Send what could not be sent before."""
        try:
            outbox.send(self._send)
        except OSError:  # The client is gone.
            self._end()
            return
        if not outbox.unsent_bytes and self._handler is not None:
            self._outbox = None
            self.is_clogged = False
            self._watch()
            self._handler.on_drained()

    def _release(self) -> None:
        if self._held:
            self.send(b"")

    def _watch(self) -> None:
        events = (_IN if self.is_reading else 0) | (_OUT if self._outbox is not None else 0)
        if events != self._events:
            self._events = events
            self._poller.watch(self._socket.fileno(), events)

    def _end(self) -> None:
        handler, self._handler = self._handler, None
        if handler is None:
            return
        self.is_reading = False
        self.is_clogged = False
        self._held.clear()
        self._held_bytes = 0
        if self._outbox is not None:
            self._outbox.drop()
            self._outbox = None
        self._poller.forget(self._socket.fileno())
        self._socket.close()
        handler.on_lost()
