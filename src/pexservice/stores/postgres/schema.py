"""The schema of a database: made once, and looked at before replicas are started."""

import asyncio
from collections.abc import Callable
from importlib.resources import files
from secrets import token_bytes
from typing import Any, Final
from uuid import UUID

import asyncpg

from pexservice.config import StoreUrl
from pexservice.core.judging import Place
from pexservice.core.keys import SECRET_BYTES
from pexservice.core.machine import Machine, S
from pexservice.errors import CannotCreate, DamagedData, Fatal
from pexservice.limits import DEFAULT, Limits
from pexservice.stores.postgres.address import hosts, where
from pexservice.stores.postgres.rules import EMPTY, SCHEMA_VERSION, SESSION, ServerUnavailable, explain
from pexservice.stores.postgres.session import FAILED, Session, connect

_SETUP: Final = "INSERT INTO pexservice.setup (version, machine, key_secret, is_one_server) VALUES ($1, $2, $3, $4)"
_BEGIN: Final = "INSERT INTO pexservice.history VALUES (1, $1, $2, $1, $2, '', NULL, $3, 0)"
_NOBODY: Final = UUID(int=0)
_IS_STANDBY: Final = "SELECT pg_is_in_recovery()"
_NEWEST: Final = "SELECT sequence, state FROM pexservice.history ORDER BY number DESC LIMIT 1"
_ONCE: Final = "The schema is made once one is there."
_STANDBYS: Final = "SELECT current_setting('synchronous_standby_names')"


async def init(
    url: StoreUrl,
    machine: Machine[S, Any],
    begin: Place[S],
    *,
    is_one_server: bool,
    tell: Callable[[str], object] = lambda _: None,
) -> bool:
    """Make the schema on the primary among the hosts of a URL, for a machine that begins at a place.

    Returns whether replicas may start: not without a standby, unless there is to be one server only. Tells what it
    waits for, if a standby that is named is not there. Raises CannotCreate if there is a schema, ServerUnavailable,
    NotPermitted.
    """
    told: Fatal | None = None
    for dsn in hosts(url):
        try:
            connection = await asyncio.wait_for(connect(dsn, SESSION), DEFAULT.store_connect_s)
        except (*FAILED, Fatal) as error:
            told = told or explain(error, where(dsn))
            continue
        warned: list[str] = []
        connection.add_log_listener(lambda _, message, warned=warned: warned.append(message.message))
        try:
            if await connection.fetchval(_IS_STANDBY):
                told = ServerUnavailable(f"the server at {where(dsn)} is a standby. Name the primary.")
                continue
            names = (await connection.fetchval(_STANDBYS)).strip()
            making = asyncio.ensure_future(_make(connection, machine, begin, is_one_server=is_one_server))
            done, _ = await asyncio.wait([making], timeout=DEFAULT.store_call_s)
            if names and not done:
                tell(f"It waits for a standby that synchronous_standby_names names: {names}. {_ONCE}")
            await making
        except asyncpg.DuplicateSchemaError as error:
            message = "the database has a schema pexservice already. Nothing was changed. Name another database."
            raise CannotCreate(message) from error
        except FAILED as error:
            raise (_doubted(warned) if warned else explain(error, where(dsn))) from error
        else:
            if warned:
                raise _doubted(warned)
            return bool(names) or is_one_server
        finally:
            connection.terminate()
            await asyncio.sleep(0)  # In which its socket is closed.
    assert told is not None, "there is a host"
    raise told


async def check(url: StoreUrl, machine: Machine[S, Any], limits: Limits) -> tuple[Place[S], str]:
    """Return the newest place, and a sentence about standbys. Raises Fatal as the start of a replica does."""
    session = Session(hosts(url), machine.name, limits)
    await session.open()
    try:
        row = await session.call(lambda connection: connection.fetchrow(_NEWEST))
        names = await session.call(lambda connection: connection.fetchval(_STANDBYS))
    finally:
        session.end()
        await asyncio.sleep(0)
    if row is None:
        raise DamagedData(EMPTY)
    standby = f"Groups wait for {names}." if names.strip() else "There is one server, and no standby."
    return Place(row["sequence"], machine.read_state(row["state"])), standby


def _doubted(warned: list[str]) -> ServerUnavailable:
    """Return what a warning means: "canceling wait for synchronous replication" comes beside a success."""
    return ServerUnavailable(
        f"the server warned: {'; '.join(warned)}. The schema may be on this server alone until a standby is there. "
        "'pexservice store check' tells whether it was made."
    )


async def _make(connection: Any, machine: Machine[S, Any], begin: Place[S], *, is_one_server: bool) -> None:
    async with connection.transaction():
        await connection.execute((files(__package__) / "schema.sql").read_text("ascii"))
        await connection.execute(_SETUP, SCHEMA_VERSION, machine.name, token_bytes(SECRET_BYTES), is_one_server)
        await connection.execute(_BEGIN, begin.sequence, machine.encode_state(begin.state), _NOBODY)
