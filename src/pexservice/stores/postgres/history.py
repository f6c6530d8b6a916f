"""The history at a server, read in its order.

Each row is proved: it goes on from the one before, and its commands lead to where it says.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, Final, Generic

import asyncpg

from pexservice.core.judging import Place
from pexservice.core.machine import Machine, S
from pexservice.errors import DamagedData
from pexservice.stores.postgres.rules import EMPTY, ServerUnavailable
from pexservice.stores.postgres.session import FAILED, Session

_UNHURRIED: Final = (
    "SELECT set_config(name, '0', true) FROM pg_settings"
    " WHERE name IN ('idle_in_transaction_session_timeout', 'transaction_timeout')"
)
"""Whoever reads may stand still, as a pager does, and keeps no replica from its turn. The first is set for those
turns; the second, of servers from 17 on, may be set for a role or a database."""
_BOUNDS: Final = (
    "SELECT greatest(forgotten + 1, (SELECT min(number) FROM pexservice.history)) AS first,"
    " (SELECT max(number) FROM pexservice.history) AS last FROM pexservice.setup"
)
_ROWS: Final = (
    "SELECT number, sequence_before, state_before, sequence, state, commands,"
    " to_char(committed AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') AS time"
    " FROM pexservice.history WHERE number >= $1 ORDER BY number"
)
_BIGINT_MAX: Final = 2**63 - 1
_FIRST_WITH: Final = "SELECT min(number) FROM pexservice.history WHERE number >= $1 AND sequence >= $2"


@dataclass(frozen=True, slots=True)
class StoredGroup(Generic[S]):
    """A row: the commands, as they were written, led from one place to another."""

    number: int
    start: Place[S]
    end: Place[S]
    commands: str
    """Empty where a replica entered, and where nothing of a group was taken."""
    time: str


class History(Generic[S]):
    """The history at a server, as it was when it was looked at."""

    def __init__(self, machine: Machine[S, Any], session: Session, connection: Any, first: int, last: int) -> None:
        """Use `look`."""
        self._machine = machine
        self._session = session
        self._connection = connection
        self.first = first
        """The number of the oldest row behind all that were removed,"""
        self.last = last
        """and of the newest."""

    async def end(self) -> Place[S]:
        """Return where the machine stands. Raises Fatal."""
        return [group async for group in self.groups(self.last)][-1].end

    async def first_with(self, sequence: int) -> int:
        """Return the number of the row with the command of a sequence, or of the first behind it. Raises Fatal."""
        sequence = min(sequence, _BIGINT_MAX)
        with _explained(self._session, self._connection):
            found: int | None = await self._connection.fetchval(_FIRST_WITH, self.first, sequence)
        return self.last if found is None else found

    async def groups(self, first: int) -> AsyncIterator[StoredGroup[S]]:
        """Yield the rows from a number on. Raises DamagedData at the first that does not follow, and Fatal."""
        number, place = first - 1, None
        with _explained(self._session, self._connection):
            async for row in self._connection.cursor(_ROWS, first, prefetch=1_000):
                number += 1
                try:
                    group = self._group(row)
                    self._prove(group, number, place)
                except ValueError as error:
                    raise DamagedData(
                        f"row {number} of the history: {error}. It was damaged, or changed by hand."
                    ) from error
                place = group.end
                yield group

    def _group(self, row: Any) -> StoredGroup[S]:
        read = self._machine.read_state
        start = Place(row["sequence_before"], read(row["state_before"]))
        return StoredGroup(
            row["number"], start, Place(row["sequence"], read(row["state"])), row["commands"], row["time"]
        )

    def _prove(self, group: StoredGroup[S], number: int, before: Place[S] | None) -> None:
        """Raise ValueError unless a row is the one of a number, and goes on from a place."""
        if group.number != number:
            message = f"it is missing, and {group.number} follows"
            raise ValueError(message)
        if before is not None and group.start != before:
            message = "it does not begin where the one before it ended"
            raise ValueError(message)
        count, state = 0, group.start.state
        if group.commands:
            count, state = self._machine.replay(state, group.commands)
        if (group.start.sequence + count, state) != (group.end.sequence, group.end.state):
            message = "its commands do not lead to where it says"
            raise ValueError(message)


@asynccontextmanager
async def look(machine: Machine[S, Any], session: Session) -> AsyncIterator[History[S]]:
    """Give the history at the server of a session, which no writer changes meanwhile. Raises Fatal."""
    connection = await session.open()
    try:
        with _explained(session, connection):
            # It ends with its connection: a commit would fail where that was lost, and hide why.
            await connection.transaction(isolation="repeatable_read", readonly=True).start()
            await connection.execute(_UNHURRIED)
            bounds = await connection.fetchrow(_BOUNDS)
        if bounds["last"] is None:
            raise DamagedData(EMPTY)
        yield History(machine, session, connection, bounds["first"], bounds["last"])
    finally:
        session.end()


@contextmanager
def _explained(session: Session, connection: Any) -> Iterator[None]:
    """Say in a sentence what failed. Wherever rows are read, too, since `look` does not hear of it there."""
    try:
        yield
    except FAILED as error:
        if connection.is_closed() and not isinstance(error, asyncpg.AdminShutdownError):
            message = "the connection was lost while the history was read, or ended by somebody. Read it again."
            raise ServerUnavailable(message) from error
        raise session.explain(error) from error
