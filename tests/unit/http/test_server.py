"""A server over real sockets, without a service around it."""

import asyncio
import socket
from collections.abc import AsyncIterator, Coroutine
from contextlib import ExitStack, asynccontextmanager

import pytest
import uvloop

from pexservice.http.connection import Connection
from pexservice.http.server import Server
from support.client import message
from support.wire import Wire

READ = message("GET", "/livez")


@asynccontextmanager
async def serving(*, connections_max: int) -> AsyncIterator[tuple[Server, list[socket.socket]]]:
    """Yield a server and its three listeners, and drain it in the end."""
    server = Server(Wire().shared, connections_max=connections_max)
    with ExitStack() as stack:
        listeners = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(3)]
        server.start(*listeners)
        try:
            yield server, listeners
        finally:
            await server.drain(1)


def play(scene: Coroutine[None, None, None]) -> None:
    """Play a scene on the event loop that the service uses."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(asyncio.wait_for(scene, 10))


async def receive(client: socket.socket) -> bytes:
    return await asyncio.get_running_loop().sock_recv(client, 1 << 16)


async def connect(listener: socket.socket) -> socket.socket:
    """Connect, and be served."""
    client = socket.create_connection(listener.getsockname())
    client.setblocking(False)
    client.send(READ)
    assert (await receive(client)).startswith(b"HTTP/1.1 200 OK\r\n")
    return client


def test_all_listeners_share_the_places() -> None:
    """Whichever listener a connection comes by, it counts, and one that is idle makes room for it."""

    async def scene() -> None:
        async with serving(connections_max=2) as (server, listeners):
            clients = [await connect(listener) for listener in listeners]
            assert server.connections == 2
            done, _ = await asyncio.wait(
                [asyncio.ensure_future(receive(client)) for client in clients], return_when=asyncio.FIRST_COMPLETED
            )
            assert [each.result() for each in done] == [b""]
        for client in clients:
            client.close()

    play(scene())


def test_of_those_that_came_in_the_same_second_the_first_makes_room() -> None:
    """One that has just come is the last that does."""

    async def scene() -> None:
        async with serving(connections_max=10) as (_, listeners):
            clients = [await connect(listeners[0]) for _ in range(10)]
            for _ in range(30):  # However many come in that second: they are idle, too.
                leaving = clients[-10]
                clients.append(await connect(listeners[0]))
                assert await receive(leaving) == b""
            for client in clients:
                client.close()

    play(scene())


def test_for_the_few_that_are_idle_not_all_are_looked_at_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond a bound, newcomers are turned away until the next sweep: to look takes time that others wait for."""
    monkeypatch.setattr("pexservice.http.server._LOOKS_MAX", 8)

    async def scene() -> None:
        async with serving(connections_max=4) as (server, listeners):
            clients = [await connect(listeners[0]) for _ in range(4 + 8)]
            assert [await receive(client) for client in clients[:8]] == [b""] * 8
            with socket.create_connection(listeners[0].getsockname()) as refused:
                refused.setblocking(False)
                with pytest.raises(ConnectionResetError):
                    await receive(refused)
            server._sweep()
            clients.append(await connect(listeners[0]))
            assert await receive(clients[8]) == b""
            for client in clients:
                client.close()

    play(scene())


def test_who_was_idle_longest_is_found_out_anew() -> None:
    """Of those that were looked up before, some have gone, and others have asked for something since."""

    async def scene() -> None:
        async with serving(connections_max=4) as (server, listeners):
            first, busy, gone, quiet = [await connect(listeners[0]) for _ in range(4)]
            server._sweep()
            clients = [await connect(listeners[0])]
            assert await receive(first) == b""
            gone.close()
            await asyncio.sleep(0.01)
            clients.append(await connect(listeners[0]))
            server._sweep()
            busy.send(READ)
            assert (await receive(busy)).startswith(b"HTTP/1.1 200 OK\r\n")
            server._sweep()
            clients.append(await connect(listeners[0]))
            assert await receive(quiet) == b""
            server._sweep()
            for leaving in (*clients[:2], busy):
                clients.append(await connect(listeners[0]))
                assert await receive(leaving) == b""
            for client in (first, busy, quiet, *clients):
                client.close()

    play(scene())


def test_a_drain_closes_all_listeners_and_connections() -> None:
    """Nothing is accepted after it, by any of them, and no connection is left."""

    async def scene() -> None:
        async with serving(connections_max=10) as (server, listeners):
            addresses = [listener.getsockname() for listener in listeners]
            clients = [await connect(listener) for listener in listeners]
        assert server.connections == 0
        for client in clients:
            assert await receive(client) == b""
            client.close()
        for address in addresses:
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(address)

    play(scene())


def test_a_defect_of_one_connection_is_not_all_others_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is closed, and the sweep goes on to those behind it."""
    swept: list[Connection] = []

    def sweep(connection: Connection) -> None:
        swept.append(connection)
        if len(swept) == 1:
            raise KeyError

    async def scene() -> None:
        async with serving(connections_max=10) as (server, listeners):
            clients = [await connect(listeners[0]) for _ in range(3)]
            monkeypatch.setattr(Connection, "sweep", sweep)
            server._sweep()
            assert len(swept) == 3
            ended = [await _outcome(client) for client in clients]
            assert sorted(ended) == ["reset", "served", "served"]
            for client in clients:
                client.close()

    play(scene())


async def _outcome(client: socket.socket) -> str:
    try:
        client.send(READ)
        return "served" if await receive(client) else "ended"
    except ConnectionError:
        return "reset"
