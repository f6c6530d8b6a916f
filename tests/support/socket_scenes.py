"""Scenes with transports over real sockets, and a handler that keeps what it is told."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import uvloop

from pexservice.core.budget import Budget
from pexservice.http.sockets import Poller
from pexservice.http.transport import Transport
from pexservice.limits import DEFAULT


class Told:
    """Keeps what a transport tells it."""

    def __init__(self) -> None:
        self.received = b""
        self.events: list[str] = []
        self.transport: Transport

    def connect(self, transport: Transport) -> "Told":
        self.transport = transport
        return self

    def on_data(self, data: bytes) -> None:
        self.received += data

    def on_end(self) -> None:
        self.events.append("end")
        self.transport.read(wanted=False)

    def on_clogged(self) -> None:
        self.events.append("clogged")

    def on_drained(self) -> None:
        self.events.append("drained")

    def on_lost(self) -> None:
        self.events.append("lost")


@contextmanager
def connected(poller: Poller, told: Told) -> Iterator[socket.socket]:
    """Yield the client's end of a connection that tells of itself."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        poller.adopt(listener.accept()[0], told.connect)
    with client:
        client.setblocking(False)
        yield client
        told.transport.abort()


async def until(condition: Callable[[], object]) -> None:
    """Wait for a condition, for five seconds at most."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - it is about what sockets tell, not about events.
            await asyncio.sleep(0.001)


async def receive_all(client: socket.socket) -> bytes:
    """Receive until the end."""
    loop = asyncio.get_running_loop()
    received = bytearray()
    async with asyncio.timeout(5):
        while data := await loop.sock_recv(client, 1 << 16):
            received += data
    return bytes(received)


def run(scene: Callable[[Poller], Awaitable[None]]) -> None:
    """Play a scene on the event loop that the service uses."""

    async def play() -> None:
        poller = Poller(DEFAULT, Budget(DEFAULT.unsent_bytes_max))
        await scene(poller)
        poller.close()
        assert poller.budget.taken_bytes == 0, "what a connection held was not given back"

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(play())
