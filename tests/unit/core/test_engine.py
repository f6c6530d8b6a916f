"""Group commit, with a store that is held back."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from pexservice.core import engine as engine_module
from pexservice.core.engine import Engine
from pexservice.core.metrics import Metrics
from pexservice.core.store import Place
from pexservice.errors import AnswersUnsent, JournalFailed, JournalFull, NotApplied, QueueFull
from pexservice.limits import GROUP_ANSWER_BYTES_MAX, GROUP_STEPS_MAX, UNSENT_BYTES_MAX
from pexservice.walk.fibonacci import Pair
from pexservice.walk.steps import NEXT, PREVIOUS
from support.memory_store import MemoryStore


class Asked:
    """A request for a step, with or without the value."""

    def __init__(self, *, carries_value: bool = True) -> None:
        self.carries_value = carries_value
        self.rendered = 0

    def render(self, sequence: int, position: int, digits: Callable[[int], str]) -> bytes:
        """As `engine.Asked`."""
        self.rendered += 1
        return f"{sequence} {position} {digits(position) if self.carries_value else '-'}".encode()


class Caller:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[bytes | NotApplied] = []
        self.is_aborted = False

    def deliver(self, asked: Asked, answer: bytes) -> None:
        """As `engine.Caller`."""
        self.told.append(answer)

    def refuse(self, asked: Asked, error: NotApplied) -> None:
        """As `engine.Caller`."""
        self.told.append(error)

    def abort(self) -> None:
        """As `engine.Caller`."""
        self.is_aborted = True


Scenario = Callable[[Engine[Asked], MemoryStore, Caller], Awaitable[None]]


def play(scenario: Scenario, store: MemoryStore, metrics: Metrics | None = None, **options: int) -> Caller:
    """Run a scenario beside an engine on a store."""
    caller = Caller()

    async def run() -> None:
        engine: Engine[Asked] = Engine(metrics or Metrics(), **options)
        running = asyncio.create_task(engine.run(store))
        await settled()
        try:
            await scenario(engine, store, caller)
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError, JournalFailed):
                await running

    asyncio.run(run())
    return caller


async def settled() -> None:
    """Let everything happen that can."""
    for _ in range(20):
        await asyncio.sleep(0)


def test_steps_that_come_during_a_commit_form_the_next_group() -> None:
    """One group is in flight, and those who come meanwhile share the next."""

    async def scenario(engine: Engine[Asked], store: MemoryStore, caller: Caller) -> None:
        engine.submit(NEXT, Asked(), caller)
        await settled()
        for step in (NEXT, NEXT, PREVIOUS):
            engine.submit(step, Asked(), caller)
        await settled()
        assert store.groups == [b"n"]
        store.release()
        await settled()
        assert store.groups == [b"n", b"nnp"]
        store.release()
        await settled()
        assert caller.told == [b"1 1 1", b"2 2 1", b"3 3 2", b"4 2 1"]

    play(scenario, MemoryStore(is_held=True))


def test_nothing_is_shown_before_it_is_durable() -> None:
    """Answers are rendered while the store works, and neither they nor the place appear until it is done."""

    async def scenario(engine: Engine[Asked], store: MemoryStore, caller: Caller) -> None:
        asked = Asked()
        engine.submit(NEXT, asked, caller)
        await settled()
        assert asked.rendered == 1
        assert caller.told == []
        assert (engine.place, engine.digits(), engine.waiting) == (Place(0, 0), "0", 1)
        store.release()
        await settled()
        assert caller.told == [b"1 1 1"]
        assert (engine.place, engine.digits(), engine.waiting) == (Place(1, 1), "1", 0)

    play(scenario, MemoryStore(is_held=True))


def test_another_writer_shifts_the_answers() -> None:
    """If the group began elsewhere than expected, its answers tell where it did."""

    async def scenario(engine: Engine[Asked], store: MemoryStore, caller: Caller) -> None:
        engine.submit(NEXT, Asked(), caller)
        await settled()
        store.place = Place(10, 6)
        store.release()
        await settled()
        assert caller.told == [b"11 7 13"]

    play(scenario, MemoryStore(is_held=True))


def test_the_queue_is_bounded() -> None:
    """A step beyond the bound is turned away before it is taken."""

    async def scenario(engine: Engine[Asked], store: MemoryStore, caller: Caller) -> None:
        for _ in range(3):
            engine.submit(NEXT, Asked(), caller)
        with pytest.raises(QueueFull):
            engine.submit(NEXT, Asked(), caller)
        await engine.drained()
        assert store.place == Place(3, 3)

    play(scenario, MemoryStore(), pending_steps_max=3)


def test_unsent_answers_are_bounded() -> None:
    """With too many bytes unsent a step that carries a value is turned away, and one that does not is taken."""
    metrics = Metrics(unsent_bytes=UNSENT_BYTES_MAX)

    async def scenario(engine: Engine[Asked], store: MemoryStore, caller: Caller) -> None:
        with pytest.raises(AnswersUnsent):
            engine.submit(NEXT, Asked(), caller)
        with pytest.raises(AnswersUnsent):
            engine.digits()
        engine.submit(NEXT, Asked(carries_value=False), caller)
        await engine.drained()
        assert caller.told == [b"1 1 -"]

    play(scenario, MemoryStore(), metrics)


def test_groups_are_bounded() -> None:
    """A group holds no more steps than a row may, and no more digits than may be rendered in one go."""

    async def scenario(engine: Engine[Asked], store: MemoryStore, caller: Caller) -> None:
        for _ in range(GROUP_STEPS_MAX + 1):
            engine.submit(NEXT, Asked(carries_value=False), caller)
        await engine.drained()
        assert list(map(len, store.groups)) == [GROUP_STEPS_MAX, 1]

    play(scenario, MemoryStore())

    async def large(engine: Engine[Asked], store: MemoryStore, caller: Caller) -> None:
        for carries_value in (True, False, True, True, False, True):
            engine.submit(NEXT, Asked(carries_value=carries_value), caller)
        await engine.drained()
        assert all(group.count(NEXT) <= 4 for group in store.groups)
        assert sum(map(len, store.groups)) == 6
        assert len(store.groups) > 1

    digits = GROUP_ANSWER_BYTES_MAX // 3
    play(large, MemoryStore(Place(0, int(digits / 0.20898764))))


def test_a_store_in_want_refuses_all_who_wait_and_heals(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the store takes nothing every step is turned away; when it is healed steps are taken."""
    monkeypatch.setattr(engine_module, "HEAL_PERIOD_S", 0)

    async def scenario(engine: Engine[Asked], store: MemoryStore, caller: Caller) -> None:
        store.refusal = JournalFull()
        engine.submit(NEXT, Asked(), caller)
        engine.submit(NEXT, Asked(), caller)
        await settled()
        assert list(map(type, caller.told)) == [JournalFull, JournalFull]
        with pytest.raises(JournalFull):
            engine.submit(NEXT, Asked(), caller)
        assert (engine.place, engine.waiting) == (Place(0, 0), 0)
        store.refusal = None
        await settled()
        engine.submit(NEXT, Asked(), caller)
        await engine.drained()
        assert caller.told[2:] == [b"1 1 1"]

    play(scenario, MemoryStore())


def test_a_failed_store_leaves_its_group_unanswered() -> None:
    """When it cannot be known whether a group is durable, nobody hears of it and the engine stops."""
    caller = Caller()

    async def scenario() -> None:
        store = MemoryStore(is_held=True)
        engine: Engine[Asked] = Engine(Metrics())
        running = asyncio.create_task(engine.run(store))
        await settled()
        engine.submit(NEXT, Asked(), caller)
        await settled()
        store.fail(JournalFailed("the disk is broken"))
        with pytest.raises(JournalFailed, match="broken"):
            await running
        assert engine.place == Place(0, 0)

    asyncio.run(scenario())
    assert caller.told == []


def test_one_caller_s_defect_is_not_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    """A caller that raises when it is told is logged without what it said and aborted; the others are told."""

    class Broken(Caller):
        def deliver(self, asked: Asked, answer: bytes) -> None:
            raise KeyError(answer)

        def refuse(self, asked: Asked, error: NotApplied) -> None:
            raise KeyError(error)

    broken = Broken()

    async def scenario(engine: Engine[Asked], store: MemoryStore, caller: Caller) -> None:
        for store.refusal in (None, JournalFull("full")):
            broken.is_aborted = False
            for each in (caller, broken, caller):
                engine.submit(NEXT, Asked(), each)
            await settled()
            assert broken.is_aborted

    first, second, *refused = play(scenario, MemoryStore()).told
    assert (first, second) == (b"1 1 1", b"3 3 2")
    assert [type(error) for error in refused] == [JournalFull, JournalFull]
    logged = capsys.readouterr().out
    assert "KeyError at test_engine.py" in logged
    assert "2 2 1" not in logged


def test_reads_between_steps_without_values_are_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that carries no value leaves the pair of the last read alone: the next read is one move away."""

    async def scenario(engine: Engine[Asked], _store: MemoryStore, caller: Caller) -> None:
        assert engine.digits() == str(Pair.at(10_000).value)
        monkeypatch.setattr(Pair, "at", None)  # A computation from scratch would fail.
        for _ in range(3):
            engine.submit(NEXT, Asked(carries_value=False), caller)
            await engine.drained()
            engine.digits()

    play(scenario, MemoryStore(Place(0, 10_000)))
