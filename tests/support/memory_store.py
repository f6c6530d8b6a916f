"""A store in memory, whose commits can be held back and made to fail."""

import asyncio
from collections.abc import Generator, Sequence
from typing import Any, Generic, NoReturn

from pexservice.core.judging import Judgement, Place, judge
from pexservice.core.keys import NO_TERMS, SECRET_BYTES, AllTerms
from pexservice.core.known import KnownKeys
from pexservice.core.machine import C, Machine, S
from pexservice.core.store import Status
from pexservice.errors import NotApplied


class Full(NotApplied):
    """Raised by this store when it is told to."""

    is_lasting = True
    code = "full"


class TooLong(NotApplied):
    """Raised by this store of a group that it is told to."""

    code = "too-long"


class MemoryCommit(Generic[S, C]):
    """See `store.Commit`."""

    def __init__(self, store: "MemoryStore[S, C]", commands: Sequence[C], terms: AllTerms) -> None:
        self.commands = list(commands)
        self.terms = terms
        self.expected = None if store.is_shared else store.judged(store.ahead, self)
        self.released: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._store = store

    def __await__(self) -> Generator[Any, None, Judgement[S, C]]:
        store, expected = self._store, self.expected
        try:
            yield from self.released
        except Exception:
            if expected is not None:
                store.known.forget(expected.keys)
            raise
        judgement = expected or store.judged(store.place, self)
        store.known.settle(judgement.keys)
        store.place = judgement.end
        return judgement


class MemoryStore(Generic[S, C]):
    """See `store.Store`. With `is_held`, a commit waits to be released; shared, others may commit in between."""

    def __init__(
        self,
        machine: Machine[S, C],
        place: Place[S] | None = None,
        *,
        is_held: bool = False,
        is_shared: bool = False,
        is_remote: bool = False,
        in_flight_max: int = 1,
        keys_max: int = 100,
    ) -> None:
        self.machine = machine
        self.place = self.ahead = place or Place(0, machine.initial)
        self.is_shared = is_shared or is_remote
        self.is_remote = is_remote
        self.in_flight_max = in_flight_max
        self.key_secret = b"told to nobody".ljust(SECRET_BYTES)
        self.known = KnownKeys(keys_max, ttl_s=60)
        self.unready: NotApplied | None = None
        self.serving = 1
        self.commits: list[MemoryCommit[S, C]] = []
        self._is_held = is_held

    @property
    def groups(self) -> list[list[C]]:
        """The commands of every group that was handed over."""
        return [commit.commands for commit in self.commits]

    def judged(self, start: Place[S], commit: MemoryCommit[S, C]) -> Judgement[S, C]:
        """Return what a group comes to."""
        if not commit.commands:
            return Judgement(start, start, (), {}, ())
        return judge(self.machine, start, commit.commands, commit.terms, self.known, time_s=self.known.now_s())

    def commit(self, commands: Sequence[C], terms: AllTerms = NO_TERMS) -> MemoryCommit[S, C]:
        """As `Store.commit`."""
        if self.unready is not None:
            raise self.unready
        commit = MemoryCommit(self, commands, terms)
        if commit.expected is not None:
            self.ahead = commit.expected.end
            self.known.expect(commit.expected.keys)
        self.commits.append(commit)
        if not self._is_held:
            commit.released.set_result(None)
        return commit

    def read(self) -> Place[S]:
        """As `Store.read`."""
        return self.place

    def status(self) -> Status:
        """As `Store.status`."""
        return Status({"durability": "none"}, (), self.serving)

    async def run(self) -> NoReturn:
        """As `Store.run`: nothing is to be done."""
        await asyncio.get_running_loop().create_future()
        raise AssertionError

    async def close(self) -> None:
        """As `Store.close`."""

    def release(self, index: int = -1) -> None:
        """Let a group become durable."""
        self.commits[index].released.set_result(None)

    def fail(self, error: Exception, index: int = -1) -> None:
        """Let a group fail."""
        self.commits[index].released.set_exception(error)
