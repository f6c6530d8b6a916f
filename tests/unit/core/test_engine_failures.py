"""How an engine ends: with a store that fails, or a defect."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
import structlog

from pexservice.core.budget import Budget
from pexservice.core.engine import Engine
from pexservice.core.judging import Place
from pexservice.core.keys import NO_TERMS
from pexservice.core.metrics import Metrics
from pexservice.errors import Fatal, NotApplied, Recovering
from pexservice.limits import DEFAULT
from pexservice.walk.machine import WALK
from pexservice.walk.steps import NEXT, PREVIOUS
from support.engine_scenes import Asked, Caller, play, settled
from support.memory_store import Full, MemoryStore


@pytest.mark.parametrize("error", [Fatal("the disk is broken"), KeyError("a defect")])
def test_a_failed_store_leaves_its_group_unanswered(error: Exception) -> None:
    """When it cannot be known whether a group is durable, nobody hears of it or a later one, and the engine stops."""
    caller = Caller()

    async def scenario() -> None:
        store = MemoryStore(WALK, is_held=True, in_flight_max=2)
        engine: Engine[Any, Any] = Engine(WALK, Metrics(), Budget(1 << 30), DEFAULT)
        running = asyncio.create_task(engine.run(store))
        await settled()
        for _ in range(2):
            engine.submit(Asked(), caller)
            await settled()
        store.release(1)
        store.fail(error, 0)
        with pytest.raises(type(error), match=r"broken|defect"):
            await running
        assert store.place == Place(0, 0)
        with pytest.raises(Recovering):
            engine.submit(Asked(), caller)
        assert len(store.commits) == 2

    asyncio.run(scenario())
    assert caller.told == []


def test_what_was_about_to_be_handed_over_when_the_store_failed_is_not() -> None:
    """A command that came in the same turn of the event loop does not reach a store that has failed."""

    async def scenario() -> None:
        store = MemoryStore(WALK, is_held=True, in_flight_max=2)
        engine: Engine[Any, Any] = Engine(WALK, Metrics(), Budget(1 << 30), DEFAULT)
        running = asyncio.create_task(engine.run(store))
        await settled()
        engine.submit(Asked(), Caller())
        await settled()
        store.fail(Fatal("broken"), 0)
        engine.submit(Asked(), Caller())
        with pytest.raises(Fatal):
            await running
        await settled()
        assert len(store.commits) == 1

    asyncio.run(scenario())


def test_a_defect_while_handing_over_or_rendering_ends_the_engine() -> None:
    """What a store or a form raises that nobody foresaw is not taken for an answer."""

    class Broken(Asked):
        def render(self, sequence: int, state: object) -> bytes:
            raise KeyError(sequence)

    class BrokenStore(MemoryStore[Any, Any]):
        def commit(self, commands: Any, terms: Any = NO_TERMS) -> Any:
            raise KeyError(0)

    async def scenario(store: MemoryStore[Any, Any], asked: Asked) -> None:
        engine: Engine[Any, Any] = Engine(WALK, Metrics(), Budget(1 << 30), DEFAULT)
        running = asyncio.create_task(engine.run(store))
        await settled()
        engine.submit(asked, Caller())
        with pytest.raises(KeyError):
            await running

    asyncio.run(scenario(MemoryStore(WALK), Broken()))
    asyncio.run(scenario(BrokenStore(WALK), Asked()))


def test_a_defect_of_the_engine_s_own_ends_it_behind_the_groups_before() -> None:
    """What is in flight is answered first; the group that met the defect is not, and nothing follows it."""

    class Broken(Budget):
        def take(self, more_bytes: int) -> None:
            super().take(more_bytes)
            if more_bytes > 0 and self.taken_bytes > more_bytes:
                raise KeyError(more_bytes)

    caller = Caller()

    async def scenario() -> None:
        store = MemoryStore(WALK, is_held=True, in_flight_max=2)
        engine: Engine[Any, Any] = Engine(WALK, Metrics(), Broken(1 << 30), DEFAULT)
        running = asyncio.create_task(engine.run(store))
        await settled()
        for _ in range(2):
            engine.submit(Asked(), caller)
            await settled()
        store.release(0)
        with pytest.raises(KeyError):
            await running
        assert len(store.commits) == 1

    asyncio.run(scenario())
    assert caller.told == [b"1 1"]


def test_before_there_is_a_store_commands_are_turned_away() -> None:
    """Until it is known where the machine stands nothing is taken, and nothing shown."""
    engine: Engine[Any, Any] = Engine(WALK, Metrics(), Budget(1), DEFAULT)
    assert isinstance(engine.unready, Recovering)
    with pytest.raises(Recovering):
        engine.submit(Asked(), Caller())
    with pytest.raises(Recovering):
        _ = engine.place
    assert not engine.is_stalled


def test_nothing_follows_a_group_that_the_store_could_not_take() -> None:
    """Once handing over failed for good, no later group gets to the store, though it takes several."""

    class Broken(MemoryStore[Any, Any]):
        def commit(self, commands: Any, terms: Any = NO_TERMS) -> Any:
            commit = super().commit(commands, terms)
            if len(self.commits) == 2:
                raise Fatal("broken")
            return commit

    async def scenario() -> None:
        store = Broken(WALK, is_held=True, in_flight_max=4)
        engine: Engine[Any, Any] = Engine(WALK, Metrics(), Budget(1 << 30), DEFAULT)
        running = asyncio.create_task(engine.run(store))
        caller = Caller()
        await settled()
        for _ in range(4):
            engine.submit(Asked(), caller)
            await settled()
        assert len(store.commits) == 2
        store.release(0)
        with pytest.raises(Fatal):
            await running
        assert caller.told == [b"1 1"]

    asyncio.run(scenario())


def test_a_defect_while_a_group_is_cut_ends_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also behind groups in flight: those are completed, then it is raised, and nothing more gets to the store."""
    store = MemoryStore(WALK, is_held=True, in_flight_max=2)
    caller = Caller()

    def cut(*_: object) -> None:
        raise ZeroDivisionError

    async def scenario() -> None:
        engine: Engine[Any, Any] = Engine(WALK, Metrics(), Budget(1 << 30), DEFAULT)
        running = asyncio.create_task(engine.run(store))
        await settled()
        engine.submit(Asked(), caller)
        await settled()
        monkeypatch.setattr("pexservice.core.queue.Queue.cut", cut)
        engine.submit(Asked(), caller)
        await settled()
        assert not running.done()
        store.release(0)
        with pytest.raises(ZeroDivisionError):
            await running
        assert caller.told == [b"1 1"]

    asyncio.run(scenario())
    assert len(store.commits) == 1


def test_what_is_wrong_with_one_group_turns_nobody_else_away() -> None:
    """Only what is said to all for a while, as of a full disk, goes for those who wait, too."""

    class TooLong(NotApplied):
        """Raised for a group."""

    class Picky(MemoryStore[Any, Any]):
        def commit(self, commands: Any, terms: Any = NO_TERMS) -> Any:
            if PREVIOUS in commands:
                raise TooLong
            return super().commit(commands, terms)

    caller = Caller()

    async def scenario() -> None:
        store = Picky(WALK, is_held=True)
        limits = replace(DEFAULT, group_commands_max=1)
        engine: Engine[Any, Any] = Engine(WALK, Metrics(), Budget(1 << 30), limits)
        running = asyncio.create_task(engine.run(store))
        await settled()
        for command in (NEXT, PREVIOUS, NEXT):
            engine.submit(Asked(command), caller)
            await settled()
        store.release(0)
        await settled()
        store.release(1)
        await settled()
        running.cancel()

    asyncio.run(scenario())
    assert [told if isinstance(told, bytes) else type(told) for told in caller.told] == [b"1 1", TooLong, b"2 2"]


def test_that_commands_are_turned_away_is_told_once_each_time() -> None:
    """However many are: one line when it begins, also where no group was on its way, and one when it begins again.

    It says what its error says; one that came from another process by its name only, as to a worker, what clients are
    told.
    """

    async def scenario(engine: Engine[Any, Any], caller: Caller) -> None:
        for error in (Full(), Full("no room at all")):
            store.unready = error
            for _ in range(3):
                with pytest.raises(Full):
                    engine.submit(Asked(), caller)
            store.unready = None
            engine.submit(Asked(), caller)
            await settled()

    store = MemoryStore[Any, Any](WALK)
    with structlog.testing.capture_logs() as logs:
        play(scenario, store)
    assert [(each["event"], each["reason"]) for each in logs] == [("commands are turned away", "full")] * 2
    assert [each["error"] for each in logs] == [Full.detail, "no room at all"]
