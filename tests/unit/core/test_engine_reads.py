"""Reads of a store that is far away: each takes a round trip, and many share one."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from pexservice.core.budget import Budget
from pexservice.core.engine import Engine
from pexservice.core.judging import Place
from pexservice.core.metrics import Metrics
from pexservice.errors import NotApplied, QueueFull, Recovering
from pexservice.limits import DEFAULT
from pexservice.walk.machine import WALK
from support.engine_scenes import Asked, Caller, play, settled
from support.memory_store import Full, MemoryStore


class Reader(Caller):
    """Keeps the place that it is told of."""

    def __init__(self, engine: Engine[Any, Any], *, is_broken: bool = False) -> None:
        super().__init__()
        self.places: list[Place[Any]] = []
        self._engine = engine
        self._is_broken = is_broken

    def resume(self, asked: str) -> None:
        """As `caller.Reader`."""
        if self._is_broken:
            raise KeyError(asked)
        self.places.append(self._engine.place)

    def turn_away(self, asked: Any, error: NotApplied) -> None:
        """As `caller.Reader`."""
        self.told.append(error)


def far(**more: Any) -> MemoryStore[Any, Any]:
    return MemoryStore(WALK, is_held=True, is_remote=True, **more)


def test_a_read_of_a_store_in_this_process_takes_no_time() -> None:
    """Its place is not older than the call; nobody is told later."""

    async def scenario(engine: Engine[Any, Any], _: Caller) -> None:
        assert not engine.look("read", Reader(engine))

    play(scenario, MemoryStore(WALK))


def test_reads_that_wait_share_a_trip_that_began_after_them() -> None:
    """One that comes while a trip is under way waits for the next, since that one may show an older place."""

    async def scenario(engine: Engine[Any, Any], _: Caller) -> None:
        store: MemoryStore[Any, Any] = engine._store  # type: ignore[assignment]
        first, second, third = (Reader(engine) for _ in range(3))
        assert engine.look("read", first)
        await settled()
        assert engine.look("read", second)
        assert engine.look("read", third)
        store.place = Place(7, 7)
        store.release()
        await settled()
        assert (first.places, second.places) == ([Place(7, 7)], [])
        store.place = Place(8, 8)
        store.release()
        await settled()
        assert (second.places, third.places) == ([Place(8, 8)], [Place(8, 8)])
        assert store.groups == [[], []]

    play(scenario, far())


def test_a_read_goes_with_a_group_of_commands() -> None:
    """It costs no trip of its own; a drain waits for it."""

    async def scenario(engine: Engine[Any, Any], caller: Caller) -> None:
        store: MemoryStore[Any, Any] = engine._store  # type: ignore[assignment]
        reader = Reader(engine)
        assert engine.look("read", reader)
        engine.submit(Asked(), caller)
        draining = asyncio.create_task(engine.drained())
        await settled()
        assert not draining.done()
        store.release()
        await draining
        assert (reader.places, caller.told) == ([Place(1, 1)], [b"1 1"])
        assert len(store.commits) == 1

    play(scenario, far())


def test_a_read_that_comes_while_commands_are_under_way_waits_for_the_next_group() -> None:
    """It is told once, of a place that is not older than it is."""

    async def scenario(engine: Engine[Any, Any], caller: Caller) -> None:
        store: MemoryStore[Any, Any] = engine._store  # type: ignore[assignment]
        reader = Reader(engine)
        engine.submit(Asked(), caller)
        await settled()
        engine.look("read", reader)
        store.release()
        await settled()
        assert (caller.told, reader.places) == ([b"1 1"], [])
        store.release()
        await settled()
        assert reader.places == [Place(1, 1)]

    play(scenario, far())


def test_a_read_is_turned_away_with_its_group_or_at_once() -> None:
    """When the store takes none, when too many wait, and before there is one; what comes then goes on."""

    async def scenario(engine: Engine[Any, Any], caller: Caller) -> None:
        store: MemoryStore[Any, Any] = engine._store  # type: ignore[assignment]
        with pytest.raises(Recovering):
            Engine(WALK, engine.metrics, engine._budget, DEFAULT).look("read", Reader(engine))
        reader, broken = Reader(engine), Reader(engine, is_broken=True)
        engine.look("read", reader)
        await settled()
        engine.look("read", reader)
        with pytest.raises(QueueFull):
            engine.look("read", reader)
        store.fail(Full())
        await settled()
        assert [type(each) for each in reader.told] == [Full, Full]
        store.unready = Full()
        with pytest.raises(Full):
            engine.look("read", reader)
        store.unready = None
        engine.look("read", broken)
        await settled()
        store.release()
        await settled()
        assert broken.is_aborted

    play(scenario, far(), replace(DEFAULT, pending_max=1))


def test_who_waits_behind_a_store_that_went_away_is_turned_away() -> None:
    """Not who waits for the group under way, whose outcome is not known; not behind a store that is there."""

    async def scenario(engine: Engine[Any, Any], caller: Caller) -> None:
        store: MemoryStore[Any, Any] = engine._store  # type: ignore[assignment]
        other, reader = Caller(), Reader(engine)
        engine.look("read", reader)
        engine.submit(Asked(), caller)
        await settled()
        engine.submit(Asked(), caller)
        engine.submit(Asked(carries_value=False), other)
        engine.look("read", reader)
        await asyncio.sleep(0.05)
        assert (caller.told, other.told, reader.told) == ([], [], [])
        store.unready = Full()
        await asyncio.sleep(0.05)
        assert caller.told == []
        assert [type(each) for each in (*other.told, *reader.told)] == [Full, Full, Full]
        store.unready = None
        store.release()
        await settled()
        store.release()
        await settled()
        assert caller.told == [b"1 1", b"2 2"]
        assert reader.places == []

    play(scenario, far(), replace(DEFAULT, heal_period_s=0.01))


@pytest.mark.parametrize(("is_remote", "count"), [(False, 1), (True, 3)])
def test_how_many_serve_is_told_by_a_store_far_away(is_remote: bool, count: int) -> None:  # noqa: FBT001
    """A store in this process has no others, and is not asked."""

    async def scenario(engine: Engine[Any, Any], _: Caller) -> None:
        assert engine.serving == count

    assert Engine(WALK, Metrics(), Budget(1), DEFAULT).serving == 1
    store = MemoryStore(WALK, is_remote=is_remote)
    store.serving = 3
    play(scenario, store)


def test_how_the_store_is_set_up_is_told_once_there_is_one() -> None:
    """Before, nothing is known of it."""

    async def scenario(engine: Engine[Any, Any], _: Caller) -> None:
        assert engine.labels == store.status().labels != {}

    assert Engine(WALK, Metrics(), Budget(1), DEFAULT).labels == {}
    store = MemoryStore(WALK)
    play(scenario, store)
