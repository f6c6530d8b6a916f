"""Group commit, with a store that is held back, for two machines."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pexservice.core.budget import Budget
from pexservice.core.engine import Engine
from pexservice.core.judging import Place
from pexservice.core.machine import Machine, Refusal
from pexservice.core.metrics import Metrics
from pexservice.errors import AnswersUnsent, Fatal, NotApplied, QueueFull, Recovering
from pexservice.limits import DEFAULT, Limits
from pexservice.walk.machine import WALK
from pexservice.walk.steps import NEXT, PREVIOUS, RESET
from support.machines import COUNTER, FULL
from support.memory_store import Full, MemoryStore


class Asked:
    """A request for a command, with or without the value."""

    def __init__(self, command: int = NEXT, *, carries_value: bool = True) -> None:
        self.command = command
        self.carries_value = carries_value
        self.rendered = 0

    def render(self, sequence: int, state: object) -> bytes:
        """As `group.Asked`."""
        self.rendered += 1
        return f"{sequence} {state}".encode()

    def render_refusal(self, sequence: int, state: object, refusal: Refusal) -> bytes:
        """As `group.Asked`."""
        return f"{sequence} {state} {refusal.code}".encode()


class Caller:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[bytes | NotApplied] = []
        self.is_aborted = False

    def deliver(self, asked: Asked, answer: bytes) -> None:
        """As `group.Caller`."""
        self.told.append(answer)

    def turn_away(self, asked: Asked, error: NotApplied) -> None:
        """As `group.Caller`."""
        self.told.append(error)

    def abort(self) -> None:
        """As `group.Caller`."""
        self.is_aborted = True


Scenario = Callable[[Engine[Any, Any], Caller], Awaitable[None]]


def play(
    scenario: Scenario,
    store: MemoryStore[Any, Any],
    limits: Limits = DEFAULT,
    budget: Budget | None = None,
    machine: Machine[Any, Any] = WALK,
) -> Caller:
    """Run a scenario beside an engine on a store."""
    caller = Caller()

    async def run() -> None:
        metrics = Metrics()
        metrics.show_from_the_start(machine.kinds, ())
        engine: Engine[Any, Any] = Engine(machine, metrics, budget or Budget(limits.unsent_bytes_max), limits)
        running = asyncio.create_task(engine.run(store))
        await settled()
        try:
            await scenario(engine, caller)
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError, Fatal):
                await running

    asyncio.run(run())
    return caller


async def settled() -> None:
    """Let everything happen that can."""
    for _ in range(20):
        await asyncio.sleep(0)


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


def test_unsent_answers_are_bounded() -> None:
    """With too many bytes unsent a command whose answer carries a value is turned away, and another is taken."""
    budget = Budget(DEFAULT.unsent_bytes_max)
    budget.take(DEFAULT.unsent_bytes_max)

    async def scenario(engine: Engine[Any, Any], caller: Caller) -> None:
        with pytest.raises(AnswersUnsent):
            engine.submit(Asked(), caller)
        with pytest.raises(AnswersUnsent):
            engine.check_room()
        engine.submit(Asked(carries_value=False), caller)
        await engine.drained()
        assert caller.told == [b"1 1"]
        budget.take(-DEFAULT.unsent_bytes_max)
        engine.check_room()
        engine.submit(Asked(), caller)
        await engine.drained()
        assert caller.told == [b"1 1", b"2 2"]

    play(scenario, MemoryStore(WALK), budget=budget)


def test_answers_on_their_way_are_within_the_bound() -> None:
    """Memory is set aside for the answers of a group from when it leaves, and given back when they do."""
    budget = Budget(DEFAULT.unsent_bytes_max)
    store = MemoryStore(WALK, is_held=True)

    async def scenario(engine: Engine[Any, Any], caller: Caller) -> None:
        for carries_value in (True, True, False):
            engine.submit(Asked(carries_value=carries_value), caller)
        await settled()
        assert budget.taken_bytes >= 2 * WALK.answer_bytes_max(0)
        store.release()
        await engine.drained()
        assert budget.taken_bytes == 0

    play(scenario, store, budget=budget)


def test_groups_are_bounded() -> None:
    """A group holds no more commands than a row may, and no more values than may be rendered in one go."""
    store = MemoryStore(WALK)

    async def scenario(engine: Engine[Any, Any], caller: Caller) -> None:
        for _ in range(11):
            engine.submit(Asked(carries_value=False), caller)
        await engine.drained()
        assert list(map(len, store.groups)) == [5, 5, 1]

    play(scenario, store, replace(DEFAULT, group_commands_max=5))
    large = MemoryStore(WALK, Place(0, 10_000_000))

    async def rendering(engine: Engine[Any, Any], caller: Caller) -> None:
        for carries_value in (True, False, True, False, True):
            engine.submit(Asked(carries_value=carries_value), caller)
        await engine.drained()
        assert list(map(len, large.groups)) == [4, 1]

    two = 2 * WALK.answer_bytes_max(10_000_000) + 2000
    play(rendering, large, replace(DEFAULT, group_answer_bytes_max=two))


def test_one_value_is_rendered_however_large() -> None:
    """A value beyond the bound of a group has a group of its own."""
    store = MemoryStore(WALK, Place(0, 10_000_000))

    async def scenario(engine: Engine[Any, Any], caller: Caller) -> None:
        for _ in range(2):
            engine.submit(Asked(), caller)
        await engine.drained()
        assert list(map(len, store.groups)) == [1, 1]

    play(scenario, store, replace(DEFAULT, group_answer_bytes_max=1))


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
        assert engine.place == Place(0, 0)

    asyncio.run(scenario())
    assert caller.told == []


def test_a_defect_while_handing_over_or_rendering_ends_the_engine() -> None:
    """What a store or a form raises that nobody foresaw is not taken for an answer."""

    class Broken(Asked):
        def render(self, sequence: int, state: object) -> bytes:
            raise KeyError(sequence)

    class BrokenStore(MemoryStore[Any, Any]):
        def commit(self, commands: Any) -> Any:
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
    assert "KeyError at test_engine.py" in logged
    assert "2 2" not in logged


def test_before_there_is_a_store_commands_are_turned_away() -> None:
    """Until it is known where the machine stands nothing is taken, and nothing shown."""
    engine: Engine[Any, Any] = Engine(WALK, Metrics(), Budget(1), DEFAULT)
    assert isinstance(engine.unready, Recovering)
    with pytest.raises(Recovering):
        engine.submit(Asked(), Caller())
    with pytest.raises(Recovering):
        _ = engine.place
    assert not engine.is_stalled


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
