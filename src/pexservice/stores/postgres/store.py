"""Groups in the order in which a PostgreSQL server takes them, among those of all replicas.

A machine whose commands fold to a clamp has the server apply a plain group, in one call. Of any other, and where
commands have terms, the state and the keys are read, the group judged here, and its row written, all in one turn.
Either way the row says where the group began, and what became of its terms; with that it is judged again when it is
asked for again, so a repeat has the outcome of the first.
"""

import asyncio
import json
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, Final, Generic, Self
from uuid import uuid4

from pexservice.core.judging import OWN_REFUSALS, Judgement, Place, follow, judge
from pexservice.core.keys import NO_TERMS, AllTerms, Looked, Seen
from pexservice.core.machine import C, Machine, S, is_field
from pexservice.core.measures import Measure
from pexservice.core.store import Status
from pexservice.errors import DefectiveMachine, NotApplied
from pexservice.limits import Limits
from pexservice.stores.postgres.rules import ServerAway
from pexservice.stores.postgres.session import AROUND, Session

_ENTER: Final = "SELECT * FROM pexservice.enter($1)"
_TAKE: Final = "SELECT * FROM pexservice.take($1, $2, $3, $4, $5, $6, $7)"
_TURN: Final = "SELECT * FROM pexservice.turn($1, $2, $3, $4)"
_APPEND: Final = "SELECT pexservice.append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"
_LOOK: Final = "SELECT * FROM pexservice.look($1)"
_FORGET: Final = f"SELECT {AROUND}, rows_gone, keys_gone FROM pexservice.forget($1, $2, $3, $4, $5)"  # noqa: S608 - of constants.
_COUNT: Final = "SELECT count(*) FROM pexservice.keys"


class MachineFailed(Exception):
    """Raised in place of what a machine raised in the middle of a call: it says nothing of the server."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


@contextmanager
def _by_machine() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise MachineFailed(error) from error


class PostgresCommit(Generic[S, C]):
    """A group on its way to the server: see `core.store.Commit`."""

    expected: ClassVar[None] = None
    """Another replica may put a group before it."""

    def __init__(self, task: asyncio.Task[Judgement[S, C]]) -> None:
        self._task = task

    def __await__(self) -> Generator[Any, None, Judgement[S, C]]:
        """As `Commit`. Raises ServerAway, LostGroups."""
        return self._task.__await__()


class PostgresStore(Generic[S, C]):
    """One writer among any number: see `core.store.Store`."""

    is_shared: ClassVar = True
    is_remote: ClassVar = True
    in_flight_max: ClassVar = 1
    """The server tells a repeat by the writer's last group."""

    def __init__(self, machine: Machine[S, C], session: Session, chores: Session, limits: Limits) -> None:
        """Use `open`."""
        self._machine = machine
        self._session = session
        self._chores = chores
        self._limits = limits
        self._writer = uuid4()
        self._group = 0
        self._known = 0
        """The newest row that this writer was told of: a server that has less lost some."""
        self._place = Place(0, machine.initial)
        self._answered_s = 0.0
        """When a group or a look was last answered."""
        self._keys: int | None = None
        """How many are known, as of the last time that old ones were removed."""
        self.key_secret = b""

    @classmethod
    async def open(cls, machine: Machine[S, C], session: Session, chores: Session, limits: Limits) -> Self:
        """Enter as a writer, which proves that the server takes groups. Raises ServerAway, LostGroups."""
        store = cls(machine, session, chores, limits)
        row = await session.call(lambda connection: connection.fetchrow(_ENTER, store._writer))
        store._learn(row["at_number"], store._place_of(row))
        store.key_secret = bytes(row["key_secret"])
        chores.system = session.system
        return store

    @property
    def unready(self) -> NotApplied | None:
        """As `Store.unready`: ServerAway once no call was answered for a while."""
        return ServerAway() if self._away_s >= self._limits.store_away_s else None

    def commit(self, commands: Sequence[C], terms: AllTerms = NO_TERMS) -> PostgresCommit[S, C]:
        """As `Store.commit`. Raises ServerAway."""
        unready = self.unready
        if unready is not None:
            raise unready
        return PostgresCommit(asyncio.get_running_loop().create_task(self._commit(commands, terms)))

    def read(self) -> Place[S]:
        """As `Store.read`: the newest place that this writer was told of."""
        return self._place

    def status(self) -> Status:
        """As `Store.status`."""
        measures = [
            Measure("pex_store_away_seconds", "For how long no call was answered by the server.", self._away_s),
            Measure("pex_store_repeats", "Calls that were made again, since the start.", self._session.repeats),
            Measure("pex_store_groups", "Groups that this replica sent, since the start.", self._group),
        ]
        if self._session.standbys is not None:
            standbys = self._session.standbys
            measures.append(Measure("pex_store_standbys", "Standbys that the server had at the last look.", standbys))
        if self._keys is not None:
            measures += [
                Measure("pex_keys", "Keys of commands that are known.", self._keys),
                Measure("pex_keys_max", "Beyond it the oldest is forgotten.", self._limits.idempotency_keys_max),
            ]
        return Status({"durability": "postgresql"}, measures, serving=max(self._session.replicas, 1))

    async def run(self) -> None:
        """As `Store.run`: look for the server while nobody asks, and have old rows removed. Raises LostGroups."""
        forgot_s, is_more = time.monotonic(), False
        while True:
            await asyncio.sleep(self._limits.store_forget_pause_s if is_more else self._limits.heal_period_s)
            try:
                if time.monotonic() - self._answered_s >= self._limits.heal_period_s:
                    # Over the connection of groups, since the server may let in that one and no other. A group that is
                    # under way has it, and finds out: a server may answer looks and refuse groups, as where its disk
                    # is full.
                    await self._look(self._chores if self._session.is_calling else self._session)
                is_due = time.monotonic() - forgot_s >= self._limits.store_forget_s
                if is_due:
                    forgot_s = time.monotonic()
                if is_due or is_more:
                    is_more = await self._forget()
                if is_due:
                    self._keys = await self._chores.call(lambda each: each.fetchval(_COUNT), is_harmless=True)
            except ServerAway:
                is_more = False

    async def close(self) -> None:
        """As `Store.close`. All that was acknowledged is at the server."""
        self._session.end()
        self._chores.end()
        await asyncio.sleep(0)  # In which their sockets are closed.

    @property
    def _away_s(self) -> float:
        """For how long no call was answered over the connection of groups."""
        since = self._session.failing_since
        return 0.0 if since is None else time.monotonic() - since

    async def _commit(self, commands: Sequence[C], terms: AllTerms) -> Judgement[S, C]:
        if not commands:
            await self._look(self._session)
            return Judgement(self._place, self._place, (), {}, ())
        clamp = None if terms else self._machine.clamp(commands)
        if clamp is None:
            return await self._take_in_turn(commands, terms)
        return await self._take(commands, clamp)

    async def _look(self, session: Session) -> None:
        row = await session.call(lambda connection: connection.fetchrow(_LOOK, self._known), is_harmless=True)
        self._learn(row["at_number"], self._place_of(row))

    async def _forget(self) -> bool:
        """Have old rows and keys removed, and return whether there are more of them. The server sees that we live."""
        limits = self._limits
        rows_max = -(-limits.history_bytes_max // limits.store_row_bytes)  # Rounded up: 0 would keep all.
        at_once = limits.store_forget_rows
        bounds = (rows_max, limits.idempotency_keys_max, int(limits.idempotency_ttl_s), at_once)
        asked = (self._writer, *bounds)
        row = await self._chores.call(lambda connection: connection.fetchrow(_FORGET, *asked), is_harmless=True)
        if self._session.standbys is not None:
            self._session.standbys = row["standbys"]
        self._session.replicas = row["replicas"]
        return at_once in {row["rows_gone"], row["keys_gone"]}

    async def _take(self, commands: Sequence[C], clamp: tuple[int | None, int]) -> Judgement[S, C]:
        """Have the server apply a group."""
        group = (self._writer, self._group + 1, self._known, *clamp, len(commands), self._machine.encode(commands))
        row = await self._session.call(lambda connection: connection.fetchrow(_TAKE, *group))
        return self._taken(row["at_number"], judge(self._machine, self._place_of(row), commands))

    async def _take_in_turn(self, commands: Sequence[C], terms: AllTerms) -> Judgement[S, C]:
        digests = [own.key.decode("ascii") for own in terms.values() if own.key is not None]

        async def call(connection: Any) -> tuple[int, Judgement[S, C]]:
            async with connection.transaction():
                row = await connection.fetchrow(_TURN, self._writer, self._group + 1, self._known, digests)
                number, time_s = row["at_number"], row["at_time_s"]
                with _by_machine():
                    start = self._place_of(row)
                    if row["is_repeat"]:
                        outcome = row["at_outcome"]
                        replays, refusals = self._decoded(outcome) if outcome else ({}, {})
                        return number, follow(self._machine, start, commands, replays, refusals)
                    known = self._known_keys(row["seen"], time_s)
                    judgement = judge(self._machine, start, commands, terms, known, time_s=time_s)
                    written = self._written(judgement, time_s)
                await connection.execute(_APPEND, number, *written)
                return number, judgement

        try:
            return self._taken(*await self._session.call(call))
        except MachineFailed as failed:
            error = failed.error
        raise error  # Outside, since an error that comes of itself has no end for who looks for its causes.

    def _written(self, judgement: Judgement[S, C], time_s: int) -> tuple[Any, ...]:
        """Return what `append` wants to know of a group. Raises DefectiveMachine."""
        machine, start, end = self._machine, judgement.start, judgement.end
        state, commands = machine.encode_state(end.state), ""
        if judgement.taken:
            commands = machine.encode(judgement.taken)
            if not _is_row(len(machine.columns), state, commands):
                raise DefectiveMachine(machine.name)
        keys = {digest.decode("ascii"): Seen.of(packed) for digest, packed in judgement.keys.items()}
        return (
            *(start.sequence, machine.encode_state(start.state), end.sequence, state),
            *(commands, self._encoded(judgement)),
            *(self._writer, self._group + 1, time_s, [*keys]),
            [seen.sequence for seen in keys.values()],
            [seen.command for seen in keys.values()],
            [seen.state for seen in keys.values()],
        )

    def _known_keys(self, seen: str | None, time_s: int) -> Looked:
        """Return what keys were used for, of those that are not too old."""
        rows = json.loads(seen) if seen else []
        ttl_s = self._limits.idempotency_ttl_s
        return Looked({digest.encode("ascii"): Seen(*rest) for digest, *rest in rows if rest[0] + ttl_s > time_s})

    def _encoded(self, judgement: Judgement[S, C]) -> str | None:
        """Write what became of commands with terms, as far as the machine would not say the same again."""
        encode = self._machine.encode_state
        replays = {index: [place.sequence, encode(place.state)] for index, place in judgement.replays.items()}
        refusals = {index: each.code for index, each in judgement.refusals.items() if each in OWN_REFUSALS.values()}
        return json.dumps([replays, refusals], separators=(",", ":")) if replays or refusals else None

    def _decoded(self, text: str) -> tuple[dict[int, Place[S]], dict[int, Any]]:
        replays, refusals = json.loads(text)
        decode = self._machine.decode_state
        return (
            {int(index): Place(sequence, decode(state)) for index, (sequence, state) in replays.items()},
            {int(index): OWN_REFUSALS[code] for index, code in refusals.items()},
        )

    def _taken(self, number: int, judgement: Judgement[S, C]) -> Judgement[S, C]:
        self._group += 1
        self._learn(number, judgement.end)
        return judgement

    def _learn(self, number: int, place: Place[S]) -> None:
        self._answered_s = time.monotonic()
        if number >= self._known:  # The other session may have been told of a newer one meanwhile.
            self._known, self._place = number, place

    def _place_of(self, row: Any) -> Place[S]:
        return Place(row["at_sequence"], self._machine.read_state(row["at_state"]))


def _is_row(columns: int, state: object, commands: object) -> bool:
    """Tell whether what a machine wrote can be read again, as far as that can be seen."""
    fields = state.split(",") if isinstance(state, str) else []
    return len(fields) == columns and all(map(is_field, (*fields, commands)))
