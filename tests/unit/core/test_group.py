"""A group's answers: which, in which order, and whether its callers hear of it."""

import asyncio
from typing import Any

import pytest

from pexservice.core.engine import Engine
from pexservice.core.group import Group, Life
from pexservice.core.judging import Place
from pexservice.errors import NotApplied
from pexservice.walk.machine import WALK
from support.engine_scenes import Asked, Caller, play, settled
from support.machines import COUNTER, FULL
from support.memory_store import Full, MemoryStore


@pytest.mark.parametrize("is_shared", [False, True])
def test_a_refusal_takes_no_number_and_is_not_kept(is_shared: bool) -> None:  # noqa: FBT001
    """What the machine refuses is answered at its turn, and neither counted nor handed on as taken."""
    store = MemoryStore(COUNTER, is_held=True, is_shared=is_shared)

    async def scenario(engine: Engine[Any, Any], caller: Caller) -> None:
        for amount in (8, 3, 2, 1):
            engine.submit(Asked(amount), caller)
        await settled()
        assert caller.told == []
        store.release()
        await settled()
        assert caller.told == [b"1 (8, 1)", b"1 (8, 1) limit-reached", b"2 (10, 2)", b"2 (10, 2) limit-reached"]
        assert engine.place == Place(2, (10, 2))
        metrics = engine.metrics
        assert (metrics.declined, metrics.taken) == ({FULL.code: 2}, {"up": 2, "down": 0})

    play(scenario, store, machine=COUNTER)
    assert FULL.status == 409


def test_a_refusal_waits_until_what_it_was_judged_on_is_durable() -> None:
    """A group that only refuses is answered behind the groups on which it was judged."""
    store = MemoryStore(COUNTER, is_held=True, in_flight_max=2)

    async def scenario(engine: Engine[Any, Any], caller: Caller) -> None:
        for amount in (10, 1):
            engine.submit(Asked(amount), caller)
            await settled()
        store.release(1)
        await settled()
        assert caller.told == []
        store.release(0)
        await settled()
        assert caller.told == [b"1 (10, 1)", b"1 (10, 1) limit-reached"]

    play(scenario, store, machine=COUNTER)


def test_another_writer_shifts_the_answers() -> None:
    """Where a store is shared, answers tell where the group began, which is known only when it is durable."""
    store = MemoryStore(WALK, is_held=True, is_shared=True)

    async def scenario(engine: Engine[Any, Any], caller: Caller) -> None:
        engine.submit(Asked(), caller)
        await settled()
        store.place = Place(10, 6)
        store.release()
        await settled()
        assert caller.told == [b"11 7"]

    play(scenario, store)


def test_those_turned_away_hear_of_it_behind_those_before_them() -> None:
    """A group that the store refuses is told after the one that is still on its way."""
    store = MemoryStore(WALK, is_held=True, in_flight_max=3)

    async def scenario(engine: Engine[Any, Any], caller: Caller) -> None:
        engine.submit(Asked(), caller)
        await settled()
        engine.submit(Asked(), caller)
        store.unready = Full()
        await settled()
        assert caller.told == []
        store.release(0)
        await engine.drained()
        assert [caller.told[0], type(caller.told[1])] == [b"1 1", Full]

    play(scenario, store)


def test_one_caller_s_defect_is_not_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    """A caller that raises when it is told is logged without what it said and aborted; the others are told."""

    class Broken(Caller):
        def deliver(self, asked: Asked, answer: bytes) -> None:
            raise KeyError(answer)

        def turn_away(self, asked: Asked, error: NotApplied) -> None:
            raise KeyError(error)

    broken = Broken()
    store = MemoryStore(WALK)

    async def scenario(engine: Engine[Any, Any], caller: Caller) -> None:
        for each in (caller, broken, caller):
            engine.submit(Asked(), each)
        await engine.drained()
        assert broken.is_aborted
        broken.is_aborted = False
        for each in (caller, broken, caller):
            engine.submit(Asked(), each)
        store.unready = Full("full")
        await engine.drained()
        assert broken.is_aborted

    first, second, *refused = play(scenario, store).told
    assert (first, second) == (b"1 1", b"3 3")
    assert [type(error) for error in refused] == [Full, Full]
    logged = capsys.readouterr().out
    assert "KeyError at test_group.py" in logged
    assert "2 2" not in logged


def test_a_group_s_life_goes_one_way() -> None:
    """It is handed over once, and nobody is told before it is durable or turned away."""
    group: Group[int, Any] = Group([(Asked(), Caller())], valued=1)
    with pytest.raises(AssertionError, match="before it is durable"):
        group.deliver()
    with pytest.raises(AssertionError, match="only what was handed over"):
        asyncio.run(group.become_durable())
    store = MemoryStore(WALK)

    async def scene() -> None:
        group.hand_over(store)
        with pytest.raises(AssertionError, match="handed over once"):
            group.hand_over(store)
        with pytest.raises(AssertionError, match="store's to decide"):
            group.turn_away(Full())
        await group.become_durable()

    asyncio.run(scene())
    lives = [group.life]
    group.deliver()
    assert [*lives, group.life] == [Life.DURABLE, Life.DELIVERED]
