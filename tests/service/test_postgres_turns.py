"""A replica that has the turn and stops, in whatever it does, keeps the others from theirs for two seconds."""

import asyncio
import socket
import time
from urllib.parse import urlsplit

import pytest

from pexservice.core.judging import Place
from pexservice.core.keys import Terms
from pexservice.limits import DEFAULT
from pexservice.walk.machine import WALK
from pexservice.walk.steps import NEXT
from support import postgres
from support.postgres import opened

pytestmark = pytest.mark.skipif(not postgres.is_there(), reason="needs PostgreSQL, and root")


def test_a_turn_that_is_left_open_ends_by_itself() -> None:
    """A replica that was cut off in the middle of its turn keeps the others from theirs for two seconds."""
    import asyncpg  # noqa: PLC0415

    from pexservice.stores.postgres.rules import SESSION  # noqa: PLC0415

    url = postgres.shared().database(WALK)

    async def scenario() -> None:
        store = await opened(WALK, url, DEFAULT)
        other = await asyncpg.connect(url, server_settings=dict(SESSION))
        transaction = other.transaction()
        await transaction.start()
        await other.execute("SELECT pg_advisory_xact_lock(7305, 0)")
        assert (await store.commit([NEXT])).end == Place(1, 1)
        other.terminate()
        await store.close()

    asyncio.run(scenario())


class Way:
    """The one way of a replica to its server: narrow, so that little is on it, and it ends amid an answer."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._sockets: list[socket.socket] = []
        self._copying: list[asyncio.Task[None]] = []
        self.answer_bytes: int | None = None
        """So much is yet read of what the server says; then nothing more, and no new connection is taken."""
        self.has_ended = asyncio.Event()

    async def open(self) -> int:
        """Return the port to connect to."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self._copying.append(asyncio.create_task(self._accept()))
        port: int = self._listener.getsockname()[1]
        return port

    async def close(self) -> None:
        for task in self._copying:
            task.cancel()
        await asyncio.wait(self._copying)
        for each in (self._listener, *self._sockets):
            each.close()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            client, _ = await loop.sock_accept(self._listener)
            server = socket.socket()
            server.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1400)  # Else the server sends 2.5 MB ahead.
            server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            self._sockets += [client, server]
            for each in (client, server):
                each.setblocking(False)
            await loop.sock_connect(server, ("127.0.0.1", self._port))
            self._copying.append(asyncio.create_task(self._ask(client, server)))
            self._copying.append(asyncio.create_task(self._answer(server, client)))

    async def _ask(self, client: socket.socket, server: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while data := await loop.sock_recv(client, 65_536):
            await loop.sock_sendall(server, data)

    async def _answer(self, server: socket.socket, client: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while data := await loop.sock_recv(server, 1024):
            await loop.sock_sendall(client, data)
            if self.answer_bytes is not None:
                self.answer_bytes -= len(data)
                if self.answer_bytes <= 0:
                    self._listener.close()
                    self.has_ended.set()
                    return


def test_a_turn_whose_answer_is_not_read_ends_by_itself() -> None:
    """Nor does a replica that asked for thousands of keys and was suspended keep the others from theirs."""
    url = postgres.shared().database(WALK)
    port = urlsplit(url).port
    assert port is not None

    async def scenario() -> None:
        way = Way(port)
        store = await opened(WALK, url)
        stopped = await opened(WALK, url.replace(f":{port}/", f":{await way.open()}/"))
        many = DEFAULT.group_commands_max
        keys = {number: Terms(b"%043d" % number) for number in range(many)}
        await store.commit([NEXT] * many, keys)
        way.answer_bytes = 10_000  # Of some 300,000; with that it has the turn.
        asking = asyncio.create_task(stopped._commit([NEXT] * many, keys))
        async with asyncio.timeout(10):
            await way.has_ended.wait()
        began_s = time.monotonic()
        taken = asyncio.create_task(store._commit([NEXT], {}))
        done, _ = await asyncio.wait([taken], timeout=10)
        assert done, "nobody gets the turn"
        assert (await taken).end.sequence == many + 1
        assert 0.5 < time.monotonic() - began_s < 6, "it had the turn, for some two seconds"
        asking.cancel()
        await asyncio.wait([asking])
        for each in (store, stopped):
            await each.close()
        await way.close()

    asyncio.run(scenario())
