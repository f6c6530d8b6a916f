"""Calls that are made until their outcome is known, on whichever host answers.

A call that failed, was warned about or took too long may have been done or not. So its connection is ended, and the
identical call goes to the next host; the server tells a repeat by its number (`schema.sql`). Nothing is ever cancelled:
to cancel a commit that waits for a standby acknowledges it without one. asyncpg's own timeouts cancel, so patience is
kept outside it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import asyncpg
import structlog

from pexservice.stores.postgres.rules import SESSION, UnsafeServer, lost, unsafe

log = structlog.get_logger()

PATIENCE_S: Final = 2.0
"""For a call, from when it is sent. A partition lasts at least this long for a client, so short; but longer than any
commit on a healthy server."""
CONNECT_S: Final = 1.0
"""For a connection to one host, checks included."""
PAUSE_S: Final = 0.05
"""Between tries, so that servers that refuse at once are not asked in a spin."""

_ASKED: Final = ("fsync", "full_page_writes", "synchronous_standby_names", "transaction_read_only")

Call = Callable[[Any], Awaitable[Any]]


class Warned(Exception):
    """Raised in place of an answer that came with a warning."""


_UNKNOWN: Final = (
    OSError,
    TimeoutError,
    Warned,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # What a connection raises that was lost between two calls.
)
"""After these, a call may have been done or not."""


class Session:
    """One connection at a time, to one of several hosts."""

    def __init__(self, dsns: Sequence[str], *, is_one_server: bool) -> None:
        assert dsns, "there is a host"
        self._dsns = dsns
        self._is_one_server = is_one_server
        self._host = 0
        self._connection: Any = None
        self._warnings: list[str] = []
        self._system: str | None = None

    async def call(self, call: Call) -> Any:
        """Make a call until it is answered. Raises LostGroups and UnsafeServer."""
        while True:
            try:
                return await self._try(call)
            except _UNKNOWN as error:
                self.end()
                loss = lost(getattr(error, "sqlstate", None), str(error))
                if loss is not None:
                    raise loss from error
                log.warning("a call is made again", kind=type(error).__name__, host=self._host)
                self._host = (self._host + 1) % len(self._dsns)
                await asyncio.sleep(PAUSE_S)

    def end(self) -> None:
        """Let go of the connection at once, without a word to the server."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    async def _try(self, call: Call) -> Any:
        if self._connection is None:
            self._connection = await asyncio.wait_for(self._connect(), CONNECT_S)
        self._warnings.clear()
        calling = asyncio.ensure_future(call(self._connection))
        try:
            done, _ = await asyncio.wait([calling], timeout=PATIENCE_S)
        finally:
            if not calling.done():  # Ended before it is given up, else asyncpg would have the server cancel it.
                self.end()
                calling.cancel()
                await asyncio.gather(calling, return_exceptions=True)
        if not done:
            raise TimeoutError
        answer = calling.result()
        if self._warnings:
            raise Warned(self._warnings[0])
        return answer

    async def _connect(self) -> Any:
        connection = await asyncpg.connect(self._dsns[self._host], server_settings=dict(SESSION))
        try:
            await self._check(connection)
        except BaseException:
            connection.terminate()
            raise
        connection.add_log_listener(lambda _, message: self._warnings.append(message.message))
        return connection

    async def _check(self, connection: Any) -> None:
        """Raise UnsafeServer, or Warned for a standby, whose primary may be the next host."""
        settings = {name: await connection.fetchval("SELECT current_setting($1)", name) for name in _ASKED}
        is_standby = await connection.fetchval("SELECT pg_is_in_recovery()")
        system = str(await connection.fetchval("SELECT system_identifier FROM pg_control_system()"))
        why = unsafe(settings, is_standby=is_standby, is_one_server=self._is_one_server)
        if why is not None:
            raise Warned(why) if is_standby else UnsafeServer(why)
        if self._system not in {None, system}:
            message = "The server is not the one from before, nor a standby of it: it has another identity."
            raise UnsafeServer(message)
        self._system = system
