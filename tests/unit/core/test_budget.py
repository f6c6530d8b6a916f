"""Memory that is set aside for answers."""

from typing import Any

import pytest

from pexservice.core.budget import Budget
from pexservice.core.engine import Engine
from pexservice.errors import AnswersUnsent
from pexservice.limits import DEFAULT
from pexservice.walk.machine import WALK
from support.engine_scenes import Asked, Caller, play, settled
from support.memory_store import MemoryStore


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


def test_a_budget_has_room_up_to_its_bound() -> None:
    """The bound itself is within it; what has to be held may go beyond, and leaves no room until it is given back."""
    budget = Budget(10)
    assert budget.has_room_for(10)
    assert not budget.has_room_for(11)
    budget.take(12)
    assert not budget.has_room_for(0)
    budget.take(-2)
    assert budget.has_room_for(0)


def test_no_more_is_given_back_than_was_taken() -> None:
    """Whoever gives back too much has a defect, and is stopped at once."""
    budget = Budget(10)
    budget.take(3)
    with pytest.raises(AssertionError, match="given back"):
        budget.take(-4)
