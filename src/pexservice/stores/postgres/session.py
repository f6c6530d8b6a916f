"""Calls that are made until their outcome is known, on whichever host answers.

A call that failed, was warned about or took too long may have been done or not. So its connection is ended, and the
identical call goes to the next host; the server tells a repeat by its number (`schema.sql`). Nothing is ever cancelled:
to cancel a commit that waits for a standby acknowledges it without one. asyncpg's own timeouts cancel, so patience is
kept outside it.
"""

import asyncio
import time
import warnings
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import asyncpg
import structlog

from pexservice.errors import DamagedData, Fatal
from pexservice.limits import Limits
from pexservice.stores.postgres.address import where
from pexservice.stores.postgres.rules import (
    ASKED,
    REPLICA,
    SESSION,
    Facts,
    LostGroups,
    ServerAway,
    ServerUnavailable,
    Setup,
    broken,
    explain,
    lost,
    refusal,
)

log = structlog.get_logger()

Call = Callable[[Any], Awaitable[Any]]

AROUND: Final = (
    "(SELECT count(*) FROM pg_stat_replication) AS standbys, (SELECT count(*) FROM pg_stat_activity"  # noqa: S608
    f" WHERE datname = current_database() AND application_name = '{REPLICA}') AS replicas"
)
"""What is around: columns of a query."""
_FACTS: Final = (
    "SELECT pg_is_in_recovery() AS is_standby, (SELECT system_identifier FROM pg_control_system()) AS system,"  # noqa: S608
    " to_regclass('pexservice.setup') IS NOT NULL AS has_schema,"
    " ARRAY(SELECT current_setting(name) FROM unnest($1::text[]) WITH ORDINALITY AS asked (name, place) ORDER BY place)"
    f" AS settings, {AROUND}"
)
_END: Final = (
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
    " WHERE pid = $1 AND application_name = $2 AND usename = current_user"
)
_SETUP: Final = "SELECT version, machine, is_one_server FROM pexservice.setup"


# What asyncpg would only warn of, a password file that others may read say, would have no sentence of ours.
warnings.filterwarnings("error", category=UserWarning, module="asyncpg")


class Warned(Exception):
    """Raised in place of an answer that came with a warning."""


FAILED: Final = (
    OSError,
    TimeoutError,
    Warned,
    UserWarning,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # What a connection raises that was lost between two calls.
)
"""What asyncpg raises where the server, or the way there, failed. After these, a call may have been done or not."""


class Session:
    """One connection at a time, to one of several hosts."""

    def __init__(self, dsns: Sequence[str], machine: str, limits: Limits, settings: Mapping[str, str] = {}) -> None:
        """`machine` is the name of the one that the schema must hold, `settings` what is set beside `SESSION`."""
        assert dsns, "there is a host"
        self._dsns = dsns
        self._machine = machine
        self._limits = limits
        self._settings = {**SESSION, **settings}
        self._host = 0
        self._connection: Any = None
        self._left: tuple[int, int] | None = None
        """The host, and the process there, of the connection that was let go of last."""
        self._warnings: list[str] = []
        self.system: str | None = None
        """The system identifier of the server, once it is known: no other is taken."""
        self._lost: dict[int, LostGroups] = {}
        """The hosts that lack groups, since the last call that was answered."""
        self.failing_since: float | None = None
        """Since when, in running time, no call was answered; None if the last one was."""
        self._turn = asyncio.Lock()
        """Held by a call: a connection takes one at a time."""
        self.repeats = 0
        """How often a call was made again."""
        self.standbys: int | None = None
        """How many the server had at the last look; None if none is asked for."""
        self.replicas = 0
        """How many there were at the last look."""

    async def open(self) -> Any:
        """Connect to one of the hosts, each tried once, and return the connection.

        Raises Fatal: what the last one says that answered at all.
        """
        told: Fatal | None = None
        for _ in self._dsns:
            try:
                self._connection = await asyncio.wait_for(self._connect(), self._limits.store_connect_s)
            except (*FAILED, Fatal) as error:
                reason = self.explain(error)
                told = reason if told is None or isinstance(error, Fatal) else told
                self._next_host()
            else:
                return self._connection
        assert told is not None, "there is a host"
        raise told

    async def call(self, call: Call, *, is_harmless: bool = False) -> Any:
        """Make a call until it is answered.

        Raises StorageFailed, DamagedData, LostGroups if all hosts lack groups, and ServerAway if none could be sent the
        call for `Limits.store_away_s`: then nothing was done. Of one that `is_harmless` it may also be unknown what was
        done.
        """
        began_s = time.monotonic()  # The wait for another call counts: it is as long as that one's.
        async with self._turn:
            return await self._call(call, began_s, is_harmless=is_harmless)

    @property
    def is_calling(self) -> bool:
        """Whether a call is under way, and will tell whether the server takes it."""
        return self._turn.locked()

    async def _call(self, call: Call, began_s: float, *, is_harmless: bool) -> Any:
        is_sent = False
        while True:
            try:
                if self._connection is None or self._connection.is_closed():
                    self._connection = await asyncio.wait_for(self._connect(), self._limits.store_connect_s)
                is_sent = not is_harmless
                answer = await self._send(call)
            except (*FAILED, Fatal) as error:
                self._note(error)
            else:
                self.failing_since = None
                self._lost.clear()
                return answer
            if not is_sent and time.monotonic() - began_s >= self._limits.store_away_s:
                raise ServerAway(f"no server answered for {self._limits.store_away_s:g} s")
            self.repeats += 1
            await asyncio.sleep(self._limits.store_pause_s)

    def explain(self, error: Exception) -> Fatal:
        """Return what an error of the connection means, for people."""
        host = where(self._dsns[self._host])
        if isinstance(error, Warned):
            return ServerUnavailable(f"the server at {host} answered with a warning, and is asked again: {error}")
        return explain(error, host)

    def end(self) -> None:
        """Let go of the connection at once, without a word to the server."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self._left = self._host, connection.get_server_pid()
            connection.terminate()

    def _note(self, error: Exception) -> None:
        """Go to the next host. Raises LostGroups if there is none left that may have all groups, and Fatal."""
        self.end()
        state = getattr(error, "sqlstate", None)
        failure = broken(state, str(error))
        if failure is not None:
            raise failure from error
        loss = lost(state, str(error))
        if loss is not None:
            self._lost[self._host] = loss
            if len(self._lost) == len(self._dsns):
                raise loss from error
        if self.failing_since is None:
            self.failing_since = time.monotonic()
            log.warning("the server did not answer a call, which is made again", error=str(loss or self.explain(error)))
        self._next_host()

    def _next_host(self) -> None:
        self._host = (self._host + 1) % len(self._dsns)

    async def _send(self, call: Call) -> Any:
        self._warnings.clear()
        calling = asyncio.ensure_future(call(self._connection))
        try:
            done, _ = await asyncio.wait([calling], timeout=self._limits.store_call_s)
        finally:
            if not calling.done():  # Ended before it is given up, else asyncpg would have the server cancel it.
                self.end()
                calling.cancel()
                await asyncio.gather(calling, return_exceptions=True)
        if not done:
            raise TimeoutError
        answer = calling.result()
        if self._warnings:
            raise Warned("; ".join(self._warnings))
        return answer

    async def _connect(self) -> Any:
        connection = await connect(self._dsns[self._host], self._settings)
        try:
            await self._check(connection)
            await self._end_left(connection)
        except BaseException:
            connection.terminate()
            raise
        connection.add_log_listener(lambda _, message: self._warnings.append(message.message))
        return connection

    async def _check(self, connection: Any) -> None:
        facts = await _facts(connection)
        reason = refusal(facts, self._machine, self.system)
        if reason is not None:
            raise reason
        self.system = facts.system
        assert facts.setup is not None, "a server without the schema is refused"
        self.standbys = None if facts.setup.is_one_server else facts.standbys
        self.replicas = facts.replicas

    async def _end_left(self, connection: Any) -> None:
        """End what serves the connection before this one, if it is still there.

        A wait for a standby does not end with its client, and each would keep a connection of the server's few. What it
        committed stays, and is found to be a repeat.
        """
        if self._left is not None and self._left[0] == self._host:
            await connection.fetchval(_END, self._left[1], self._settings["application_name"])
        self._left = None


async def connect(dsn: str, settings: Mapping[str, str]) -> Any:
    """Return a connection to the host of a URL. Raises ServerUnavailable, and what asyncpg does."""
    try:
        return await asyncpg.connect(dsn, server_settings=dict(settings))
    except asyncpg.TargetServerAttributeNotMatched as error:
        message = f"the server at {where(dsn)} is not what target_session_attrs asks for. Name one that is."
        raise ServerUnavailable(message) from error
    except ValueError as error:  # Of a name that is no host's.
        raise ServerUnavailable(f"the host of {where(dsn)} is none: {error}") from error


async def _facts(connection: Any) -> Facts:
    row = await connection.fetchrow(_FACTS, ASKED)
    setup = None
    if row["has_schema"]:
        try:
            setup = Setup(*await connection.fetchrow(_SETUP))
        except (TypeError, asyncpg.UndefinedColumnError) as error:
            message = "the schema pexservice is not one that 'store init' made. Nothing was changed."
            raise DamagedData(message) from error
    settings = dict(zip(ASKED, row["settings"], strict=True))
    return Facts(row["is_standby"], str(row["system"]), settings, setup, row["standbys"], row["replicas"])
