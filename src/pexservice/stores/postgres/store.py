"""Groups in the order in which a PostgreSQL server takes them, among those of all replicas.

A machine whose commands fold to a clamp has the server apply a group, in one call. Of any other, the state is read,
the group judged here, and the row written, all in one turn. Either way the row says where the group began, and with
that it is judged again when it is asked for again: a repeat has the outcome of the first.

Not yet a `Store`: its `read` is a round trip, which the engine does not make yet.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final, Generic
from uuid import uuid4

from pexservice.core.judging import Judgement, Place, judge
from pexservice.core.machine import C, Machine, S
from pexservice.stores.postgres.session import Session

Fold = Callable[[Sequence[C]], tuple[int | None, int]]
"""The shift, None being minus infinity, and the floor that commands amount to."""

_TAKE: Final = "SELECT * FROM pexservice.take($1, $2, $3, $4, $5::bigint, $6::bigint, $7, $8)"
_TURN: Final = "SELECT * FROM pexservice.turn($1, $2, $3)"
_APPEND: Final = "INSERT INTO pexservice.history VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"


class PostgresStore(Generic[S, C]):
    """One writer among any number. One group is under way at a time."""

    def __init__(self, machine: Machine[S, C], session: Session, fold: Fold[C] | None = None) -> None:
        self._machine = machine
        self._session = session
        self._fold = fold
        self._writer = uuid4()
        self._group = 0
        self._known = 0
        """The newest row that this writer was told of: a server that has less lost some."""

    async def commit(self, commands: Sequence[C]) -> Judgement[S, C]:
        """Have one or more commands taken, in one, and return what they came to. Raises LostGroups, UnsafeServer."""
        start = await self._take(commands)
        return judge(self._machine, start, commands)

    async def read(self) -> Place[S]:
        """Return a place that is durable, and not older than the call: that of a group without commands."""
        return await self._take(())

    async def close(self) -> None:
        """Let go of the server. No group is under way."""
        self._session.end()
        await asyncio.sleep(0)  # In which its socket is closed.

    async def _take(self, commands: Sequence[C]) -> Place[S]:
        self._group += 1
        take = self._in_server if self._fold is not None else self._in_turn
        row = await self._session.call(lambda connection: take(connection, commands))
        self._known = row["at_number"]
        return self._place(row)

    def _place(self, row: Any) -> Place[S]:
        if row["at_state"] is None:
            return Place(0, self._machine.initial)
        return Place(row["at_sequence"], self._machine.read_state(row["at_state"]))

    async def _in_server(self, connection: Any, commands: Sequence[C]) -> Any:
        assert self._fold is not None, "the machine folds"
        shift, floor = self._fold(commands)
        text = self._machine.encode(commands) if commands else ""
        initial = self._machine.encode_state(self._machine.initial)
        return await connection.fetchrow(
            _TAKE, self._writer, self._group, self._known, initial, shift, floor, len(commands), text
        )

    async def _in_turn(self, connection: Any, commands: Sequence[C]) -> Any:
        async with connection.transaction():
            row = await connection.fetchrow(_TURN, self._writer, self._group, self._known)
            if row["is_repeat"]:
                return row
            start = self._place(row)
            end, taken = start, commands
            if commands:
                judgement = judge(self._machine, start, commands)
                end, taken = judgement.end, judgement.taken
            written = self._machine.encode_state
            await connection.execute(
                _APPEND, row["at_number"], start.sequence, written(start.state), end.sequence, written(end.state),
                self._machine.encode(taken) if taken else "", self._writer, self._group,
            )  # fmt: skip
            return row
