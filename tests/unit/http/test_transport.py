"""Transports over real sockets, with a protocol that keeps what it is told."""

import asyncio
import resource
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest
import uvloop

from pexservice.http.transport import Poller, Transport
from pexservice.limits import WRITE_BUFFER_BYTES_MAX

LONG = bytes(range(256)) * 40_000
"""More than the kernel takes in one go."""


class Told(asyncio.Protocol):
    """Keeps what a transport tells it."""

    def __init__(self, *, stays_open: bool = False) -> None:
        self.stays_open = stays_open
        self.received = b""
        self.events: list[str] = []
        self.transport: Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += data

    def eof_received(self) -> bool:
        self.events.append("eof")
        return self.stays_open

    def pause_writing(self) -> None:
        self.events.append("pause")

    def resume_writing(self) -> None:
        self.events.append("resume")

    def connection_lost(self, exc: Exception | None) -> None:
        self.events.append("lost")


@contextmanager
def connected(poller: Poller, protocol: Told) -> Iterator[socket.socket]:
    """Yield the client's end of a connection that drives the protocol."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        poller.adopt(listener.accept()[0], protocol)
    with client:
        client.setblocking(False)
        yield client
        protocol.transport.abort()


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
        poller = Poller()
        await scene(poller)
        poller.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(play())


def test_bytes_arrive_and_leave_in_order() -> None:
    """What the client sends is received, and what is written, held or not, arrives in the order of the calls."""

    async def scene(poller: Poller) -> None:
        protocol = Told()
        with connected(poller, protocol) as client:
            client.send(b"question")
            await until(lambda: protocol.received == b"question")
            protocol.transport.hold(b"1")
            protocol.transport.hold(b"2")
            protocol.transport.write(b"3")
            protocol.transport.hold(b"4")
            assert protocol.transport.get_write_buffer_size() == 1
            await until(lambda: not protocol.transport.get_write_buffer_size())
            protocol.transport.hold(b"5")
            protocol.transport.close()
            assert await receive_all(client) == b"12345"
        assert protocol.events == ["lost"]

    run(scene)


@pytest.mark.parametrize("ending", ["close", "write_eof"])
def test_a_slow_reader_gets_everything_before_the_end(ending: str) -> None:
    """Bytes that the kernel does not take wait, are told of, and leave before the connection ends."""

    async def scene(poller: Poller) -> None:
        protocol = Told()
        with connected(poller, protocol) as client:
            protocol.transport.write(LONG)
            protocol.transport.hold(b"behind it")
            getattr(protocol.transport, ending)()
            assert protocol.transport.get_write_buffer_size() > WRITE_BUFFER_BYTES_MAX
            assert protocol.transport.untaken_bytes() > protocol.transport.get_write_buffer_size()
            assert await receive_all(client) == LONG + b"behind it"
            client.close()
            await until(lambda: "lost" in protocol.events)
        assert protocol.events[0] == "pause"

    run(scene)


def test_a_reader_that_catches_up_is_told_of() -> None:
    """The protocol hears once that the client falls behind, and once that it has caught up."""

    async def scene(poller: Poller) -> None:
        protocol = Told()
        with connected(poller, protocol) as client:
            protocol.transport.write(LONG)
            protocol.transport.write(LONG)
            left = 2 * len(LONG)
            while left:
                left -= len(await asyncio.get_running_loop().sock_recv(client, 1 << 16))
            await until(lambda: protocol.events == ["pause", "resume"])
            assert protocol.transport.get_write_buffer_size() == 0

    run(scene)


def test_what_is_held_is_bounded() -> None:
    """Answers that are held for each other are written once they are long together, whoever holds them."""

    async def scene(poller: Poller) -> None:
        protocol = Told()
        with connected(poller, protocol) as client:
            while "pause" not in protocol.events:
                protocol.transport.hold(bytes(1000))
            assert protocol.transport.get_write_buffer_size() <= 2 * WRITE_BUFFER_BYTES_MAX
            client.close()

    run(scene)


def test_a_defect_ends_one_connection(capsys: pytest.CaptureFixture[str]) -> None:
    """A protocol that raises is closed with a reset, since its next answer would be taken for the missing one."""

    class Broken(Told):
        def data_received(self, data: bytes) -> None:
            raise KeyError(data)

    async def scene(poller: Poller) -> None:
        broken, sound = Broken(), Told()
        with connected(poller, broken) as first, connected(poller, sound) as second:
            first.send(b"secret")
            second.send(b"question")
            poller.look()
            assert broken.events == ["lost"]
            assert sound.received == b"question"
            with pytest.raises(ConnectionResetError):
                await receive_all(first)

    run(scene)
    logged = capsys.readouterr().out
    assert "KeyError at test_transport.py" in logged
    assert "secret" not in logged


def test_a_look_sees_every_connection() -> None:
    """However many are ready, none is left out: who looks takes the others for idle."""
    count = 1500  # More than select.epoll tells in one go, left to itself.
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2 * count + 100:
        pytest.skip("not enough descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2 * count + 100), hard))

    async def scene(poller: Poller) -> None:
        protocols = [Told() for _ in range(count)]
        with ExitStack() as stack:
            for protocol in protocols:
                client, served = socket.socketpair()
                stack.enter_context(client)
                poller.adopt(served, protocol)
                stack.callback(protocol.transport.abort)
                client.send(b"question")
            poller.look()
            assert [protocol.received for protocol in protocols] == [b"question"] * count

    run(scene)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_nothing_is_received_while_reading_is_paused() -> None:
    """Bytes wait in the kernel until reading is resumed."""

    async def scene(poller: Poller) -> None:
        protocol = Told()
        with connected(poller, protocol) as client:
            protocol.transport.pause_reading()
            client.send(b"early")
            await asyncio.sleep(0.05)
            assert protocol.received == b""
            protocol.transport.resume_reading()
            await until(lambda: protocol.received == b"early")

    run(scene)


@pytest.mark.parametrize("is_reading", [True, False])
def test_a_reset_is_noticed(is_reading: bool) -> None:  # noqa: FBT001 - pytest passes it.
    """A client that resets the connection is gone at once, also while nothing is read from it, and nothing spins."""

    async def scene(poller: Poller) -> None:
        protocol = Told()
        with connected(poller, protocol) as client:
            if not is_reading:
                protocol.transport.pause_reading()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            client.close()
            await until(lambda: protocol.events == ["lost"])
            assert protocol.transport.is_closing()
            protocol.transport.write(b"too late")
            protocol.transport.hold(b"too late")
            protocol.transport.write_eof()
            protocol.transport.close()
            await asyncio.sleep(0.01)
        assert protocol.events == ["lost"]

    run(scene)


def test_a_client_that_sends_no_more_may_still_receive() -> None:
    """The end of what a client sends ends the connection only if the protocol wants it to, and is told of once."""

    async def scene(poller: Poller) -> None:
        impatient, patient = Told(), Told(stays_open=True)
        with connected(poller, impatient) as client:
            client.shutdown(socket.SHUT_WR)
            assert await receive_all(client) == b""
            assert impatient.events == ["eof", "lost"]
        with connected(poller, patient) as client:
            client.shutdown(socket.SHUT_WR)
            await until(lambda: patient.events)
            patient.transport.pause_reading()
            patient.transport.resume_reading()
            await asyncio.sleep(0.01)
            assert patient.events == ["eof"]
            patient.transport.write(b"answer")
            patient.transport.close()
            assert await receive_all(client) == b"answer"

    run(scene)


def test_an_abort_resets() -> None:
    """The client of an aborted connection sees a reset, even with an answer on its way."""

    async def scene(poller: Poller) -> None:
        protocol = Told()
        with connected(poller, protocol) as client:
            protocol.transport.write(LONG)
            protocol.transport.abort()
            with pytest.raises(ConnectionResetError):
                await receive_all(client)
        assert protocol.events == ["pause", "lost"]

    run(scene)
