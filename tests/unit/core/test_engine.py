"""Group commit, with a store that is held back."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pexservice.core.engine import Engine
from pexservice.core.judging import Place
from pexservice.errors import QueueFull
from pexservice.limits import DEFAULT
from pexservice.walk.machine import WALK
from pexservice.walk.steps import NEXT, PREVIOUS, RESET
from support.engine_scenes import Asked, Caller, play, settled
from support.memory_store import Full, MemoryStore


def test_commands_that_come_during_a_commit_form_the_next_group() -> None:
    """With one group in flight, those who come meanwhile share the next."""
    store = MemoryStore(WALK, is_held=True)

    async def scenario(engine: Engine[Any, Any], caller: Caller) -> None:
        engine.submit(Asked(NEXT), caller)
        await settled()
        for step in (NEXT, NEXT, PREVIOUS):
            engine.submit(Asked(step), caller)
        await settled()
        assert store.groups == [[NEXT]]
        store.release()
        await settled()
        assert store.groups == [[NEXT], [NEXT, NEXT, PREVIOUS]]
        store.release()
        await settled()
        assert caller.told == [b"1 1", b"2 2", b"3 3", b"4 2"]

    play(scenario, store)


def test_nothing_is_shown_before_it_is_durable() -> None:
    """Answers are rendered while the store works, and neither they nor the place appear until it is done."""
    store = MemoryStore(WALK, is_held=True)

    async def scenario(engine: Engine[Any, Any], caller: Caller) -> None:
        asked = Asked()
        engine.submit(asked, caller)
        await settled()
        assert asked.rendered == 1
        assert caller.told == []
        assert (engine.place, engine.waiting) == (Place(0, 0), 1)
        store.release()
        await settled()
        assert caller.told == [b"1 1"]
        assert asked.rendered == 1
        assert (engine.place, engine.waiting) == (Place(1, 1), 0)

    play(scenario, store)


def test_several_groups_are_in_flight_and_answered_in_order() -> None:
    """As many groups leave as the store takes at once; whichever is done first, the head is answered first."""
    store = MemoryStore(WALK, is_held=True, in_flight_max=2)

    async def scenario(engine: Engine[Any, Any], caller: Caller) -> None:
        for _ in range(3):
            engine.submit(Asked(), caller)
            await settled()
        assert store.groups == [[NEXT], [NEXT]]
        store.release(1)
        await settled()
        assert caller.told == []
        assert engine.place == Place(0, 0)
        store.release(0)
        await settled()
        assert caller.told == [b"1 1", b"2 2"]
        assert store.groups == [[NEXT]] * 3
        store.release(2)
        await engine.drained()
        assert caller.told == [b"1 1", b"2 2", b"3 3"]

    play(scenario, store)


@given(st.lists(st.tuples(st.sampled_from([NEXT, PREVIOUS, RESET]), st.booleans()), max_size=60), st.integers(1, 5))
def test_answers_are_those_of_one_at_a_time(commands: list[tuple[int, bool]], in_flight_max: int) -> None:
    """However commands come to share groups, each is answered as if they had been taken one by one."""
    expected, position = [], 0
    for sequence, (step, _) in enumerate(commands, 1):
        position = WALK.step(position, step)  # type: ignore[arg-type]  # A plain integer serves.
        expected.append(f"{sequence} {position}".encode())

    async def scenario(engine: Engine[Any, Any], caller: Caller) -> None:
        for step, pauses in commands:
            engine.submit(Asked(step), caller)
            if pauses:
                await asyncio.sleep(0)
        await engine.drained()

    assert play(scenario, MemoryStore(WALK, in_flight_max=in_flight_max)).told == expected


def test_the_queue_is_bounded() -> None:
    """A command beyond the bound is turned away before it is taken."""
    store = MemoryStore(WALK)

    async def scenario(engine: Engine[Any, Any], caller: Caller) -> None:
        for _ in range(3):
            engine.submit(Asked(), caller)
        with pytest.raises(QueueFull):
            engine.submit(Asked(), caller)
        await engine.drained()
        assert store.place == Place(3, 3)

    play(scenario, store, replace(DEFAULT, pending_max=3))


@pytest.mark.parametrize("is_noticed_late", [False, True])
def test_a_store_without_room_turns_all_away_who_wait(is_noticed_late: bool) -> None:  # noqa: FBT001
    """While the store takes nothing every command is turned away, in order; when it has room they are taken again."""
    store = MemoryStore(WALK, is_held=True)

    async def scenario(engine: Engine[Any, Any], caller: Caller) -> None:
        engine.submit(Asked(), caller)
        await settled()
        for _ in range(2):
            engine.submit(Asked(), caller)
        if is_noticed_late:
            store.fail(Full())
        else:
            store.release()
        store.unready = Full()
        await settled()
        assert [type(told) for told in caller.told[is_noticed_late ^ 1 :]] == [Full] * (2 + is_noticed_late)
        with pytest.raises(Full):
            engine.submit(Asked(), caller)
        assert isinstance(engine.unready, Full)
        assert engine.waiting == 0
        store.unready = None
        engine.submit(Asked(), caller)
        await settled()
        store.release()
        await engine.drained()
        assert len(caller.told) == 4

    play(scenario, store)


def test_a_stall_is_commands_without_a_group() -> None:
    """Commands that wait behind a group at the store are no stall; commands that nobody hands over are."""
    store = MemoryStore(WALK, is_held=True)

    async def scenario(engine: Engine[Any, Any], caller: Caller) -> None:
        engine.submit(Asked(), caller)
        assert engine.is_stalled
        await settled()
        engine.submit(Asked(), caller)
        assert not engine.is_stalled
        store.release()
        await settled()
        store.release()
        await engine.drained()

    play(scenario, store)


def test_a_caller_that_is_told_may_ask_again_at_once() -> None:
    """What is submitted from within an answer, as by a pipeline, forms the next group."""

    class Again(Caller):
        def __init__(self, engine: Engine[Any, Any]) -> None:
            super().__init__()
            self._engine = engine

        def deliver(self, asked: Asked, answer: bytes) -> None:
            super().deliver(asked, answer)
            if len(self.told) < 5:
                self._engine.submit(Asked(), self)

    async def scenario(engine: Engine[Any, Any], _: Caller) -> None:
        again = Again(engine)
        engine.submit(Asked(), again)
        await settled()
        await settled()
        assert again.told == [f"{n} {n}".encode() for n in range(1, 6)]

    play(scenario, MemoryStore(WALK))


def test_it_is_not_drained_while_an_answer_asks_again() -> None:
    """Who waits until no command waits is not told so between an answer and what was asked for on it."""
    store = MemoryStore(WALK, is_held=True)

    class Again(Caller):
        def deliver(self, asked: Asked, answer: bytes) -> None:
            super().deliver(asked, answer)
            if len(self.told) == 1:
                engines[0].submit(Asked(), self)

    engines: list[Engine[Any, Any]] = []

    async def scenario(engine: Engine[Any, Any], _: Caller) -> None:
        engines.append(engine)
        engine.submit(Asked(), Again())
        await settled()
        draining = asyncio.ensure_future(engine.drained())
        store.release(0)
        await settled()
        assert (draining.done(), engine.waiting) == (False, 1)
        store.release(1)
        await draining

    play(scenario, store)


def test_who_waits_for_quiet_may_give_up() -> None:
    """Waiting until no command waits may be cut short, and be asked for again."""
    store = MemoryStore(WALK, is_held=True)

    async def scenario(engine: Engine[Any, Any], caller: Caller) -> None:
        await engine.drained()
        engine.submit(Asked(), caller)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(engine.drained(), 0.01)
        store.release()
        await settled()
        await engine.drained()
        assert caller.told == [b"1 1"]

    play(scenario, store)


class Asking(Caller):
    """Asks again so many times once it is answered, one time after the other and not from within the answer."""

    def __init__(self, engine: Engine[Any, Any], times: int) -> None:
        super().__init__()
        self._engine = engine
        self._left = times

    def deliver(self, asked: Asked, answer: bytes) -> None:
        """As `core.caller.Caller`."""
        super().deliver(asked, answer)
        if len(self.told) == 1:
            asyncio.get_running_loop().call_soon(self._ask)

    def _ask(self) -> None:
        self._engine.submit(Asked(), self)
        self._left -= 1
        if self._left:
            asyncio.get_running_loop().call_soon(self._ask)


@pytest.mark.parametrize(
    ("is_shared", "small", "size"), [(True, 64, 3), (True, 2, 2), (False, 64, 2)], ids=["shared", "not small", "own"]
)
def test_a_small_group_for_another_process_takes_along_who_asks_again(is_shared: bool, small: int, size: int) -> None:  # noqa: FBT001
    """Those who were just answered share it with who waits. A large one, or one for our own store, leaves at once."""
    store = MemoryStore(WALK, is_held=True, is_shared=is_shared)

    async def scenario(engine: Engine[Any, Any], caller: Caller) -> None:
        engine.submit(Asked(), Asking(engine, 1))
        await settled()
        engine.submit(Asked(), caller)
        engine.submit(Asked(), caller)
        store.release()
        await settled()
        assert list(map(len, store.groups)) == [1, size]

    play(scenario, store, replace(DEFAULT, group_small_commands=small))


def test_a_small_group_does_not_wait_for_ever() -> None:
    """It leaves at last, however many ask again one after the other."""
    store = MemoryStore(WALK, is_held=True, is_shared=True)

    async def scenario(engine: Engine[Any, Any], caller: Caller) -> None:
        engine.submit(Asked(), Asking(engine, 18))
        await settled()
        engine.submit(Asked(), caller)
        store.release()
        await settled()
        assert len(store.groups[1]) == 1 + 10

    play(scenario, store)
