"""Commands with keys and conditions, from the queue to the answers."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from pexservice.core.engine import Engine
from pexservice.core.judging import Place
from pexservice.core.keys import Tag, Terms, digests
from pexservice.errors import AnswersUnsent
from pexservice.limits import DEFAULT
from pexservice.walk.machine import WALK
from support.engine_scenes import Asked, Caller, play, settled
from support.memory_store import Full, MemoryStore


def test_a_command_that_was_taken_before_is_answered_again() -> None:
    """Also while its first request is queued, in the same group, or under way; its callers are answered in order."""
    store = MemoryStore(WALK, is_held=True, in_flight_max=2)

    async def scenario(engine: Engine[Any, Any], caller: Caller) -> None:
        for _ in range(2):
            engine.submit(Asked(terms=Terms(b"k")), caller)  # In one group.
        await settled()
        engine.submit(Asked(), caller)
        engine.submit(Asked(terms=Terms(b"k")), caller)  # In the next, which is under way with it.
        await settled()
        engine.submit(Asked(terms=Terms(b"k")), caller)  # Queued.
        await settled()
        assert caller.told == []
        store.release(1)
        store.release(0)
        await settled()
        store.release(2)
        await settled()

    assert play(scenario, store).told == [b"1 1", b"1 1 again", b"2 2", b"1 1 again", b"1 1 again"]
    assert [sorted(commit.terms) for commit in store.commits] == [[0, 1], [1], [0]]
    assert store.place == Place(2, 2)


def test_a_key_goes_to_the_store_as_a_digest() -> None:
    """Plain groups go without terms, also after one that had some."""
    store = MemoryStore(WALK)

    async def scenario(engine: Engine[Any, Any], caller: Caller) -> None:
        for terms in (None, Terms(b"k", frozenset({Tag(1, "1")})), None):
            engine.submit(Asked(terms=terms), caller)
            await settled()

    play(scenario, store)
    expected = Terms(digests([b"k"], store.key_secret)[0], frozenset({Tag(1, "1")}))
    assert [dict(commit.terms) for commit in store.commits] == [{}, {0: expected}, {}]


def test_a_group_that_is_turned_away_leaves_no_key() -> None:
    """Whoever asks again then has it taken."""
    store = MemoryStore(WALK, is_held=True)

    async def scenario(engine: Engine[Any, Any], caller: Caller) -> None:
        engine.submit(Asked(terms=Terms(b"k")), caller)
        await settled()
        store.fail(Full())
        await settled()
        store.ahead = store.place
        engine.submit(Asked(terms=Terms(b"k")), caller)
        await settled()
        store.release()
        await settled()

    told = play(scenario, store).told
    assert isinstance(told[0], Full)
    assert told[1:] == [b"1 1"]


def test_a_condition_that_fails_is_answered_with_it() -> None:
    """And counted by its code, as the refusals of the machine are; replays are counted, too."""
    store = MemoryStore(WALK)
    counts: list[Any] = []

    async def scenario(engine: Engine[Any, Any], caller: Caller) -> None:
        for terms in (Terms(match=frozenset()), Terms(b"k"), Terms(b"k"), Terms(match=frozenset({Tag(1, "1")}))):
            engine.submit(Asked(terms=terms), caller)
        engine.submit(Asked(command=ord("p"), terms=Terms(b"k")), caller)
        await settled()
        counts.append((dict(engine.metrics.declined), engine.metrics.replayed))

    expected = [b"0 0 condition-failed", b"1 1", b"1 1 again", b"2 2", b"2 2 key-reused"]
    assert play(scenario, store).told == expected
    assert counts == [({"condition-failed": 1, "key-reused": 1}, 1)]


@pytest.mark.parametrize("carries_value", [True, False])
def test_what_was_taken_where_values_are_long_is_told_as_far_as_there_is_room(carries_value: bool) -> None:  # noqa: FBT001
    """A group's replays take no more memory than its answers may; the rest of them are turned away, in order."""
    store = MemoryStore(WALK, Place(0, 1_000_000))
    limits = replace(DEFAULT, group_answer_bytes_max=500_000)  # A value here has 208,988 digits.

    async def scenario(engine: Engine[Any, Any], caller: Caller) -> None:
        engine.submit(Asked(terms=Terms(b"k")), caller)
        await settled()
        engine.submit(Asked(ord("r")), caller)
        await settled()
        engine.submit(Asked(), caller)
        for _ in range(4):
            engine.submit(Asked(terms=Terms(b"k"), carries_value=carries_value), caller)
        engine.submit(Asked(), caller)
        await settled()

    told = play(scenario, store, limits).told
    again = told[3:7]
    assert [told[2], told[7]] == [b"3 1", b"4 2"]
    assert again[:2] == [b"1 1000001 again"] * 2
    if carries_value:
        assert [type(each) for each in again[2:]] == [AnswersUnsent, AnswersUnsent]
    else:
        assert again[2:] == [b"1 1000001 again"] * 2


def test_a_replay_of_any_length_is_answered_by_itself() -> None:
    """The first that is longer than there is room; those like it behind it are turned away, and short ones are not."""
    store = MemoryStore(WALK, Place(0, 1_000_000))
    limits = replace(DEFAULT, group_answer_bytes_max=100_000)  # A value here has 208,988 digits.
    long, short = Terms(b"long"), Terms(b"short")

    async def scenario(engine: Engine[Any, Any], caller: Caller) -> None:
        for group in (
            [Asked(terms=long)],
            [Asked(ord("r"))],
            [Asked(terms=short)],
            [Asked(terms=long)],
            [Asked(terms=each) for each in (short, long, long, short, long)],
        ):
            for asked in group:
                engine.submit(asked, caller)
            await settled()

    told = play(scenario, store, limits).told
    assert told[:4] == [b"1 1000001", b"2 0", b"3 1", b"1 1000001 again"]
    assert told[4:6] + told[7:8] == [b"3 1 again", b"1 1000001 again", b"3 1 again"]
    assert [type(told[6]), type(told[8])] == [AnswersUnsent, AnswersUnsent]


def test_who_cannot_take_a_replay_is_not_everyone_s_end() -> None:
    """A defect that a caller meets aborts that caller, also where others are turned away."""

    class Broken(Caller):
        def deliver(self, asked: Asked, answer: bytes) -> None:
            raise KeyError(answer)

        def turn_away(self, asked: Asked, error: Any) -> None:
            raise KeyError(error)

    store = MemoryStore(WALK, Place(0, 1_000_000))
    broken = [Broken(), Broken()]

    async def scenario(engine: Engine[Any, Any], caller: Caller) -> None:
        engine.submit(Asked(terms=Terms(b"k")), caller)
        await settled()
        engine.submit(Asked(ord("r")), caller)
        await settled()
        for each in (broken[0], broken[1], caller):
            engine.submit(Asked(terms=Terms(b"k")), each)
        engine.submit(Asked(), caller)
        await asyncio.sleep(0.01)

    told = play(scenario, store, replace(DEFAULT, group_answer_bytes_max=300_000)).told
    assert [each.is_aborted for each in broken] == [True, True]
    assert isinstance(told[2], AnswersUnsent)
    assert told[3:] == [b"3 1"]
