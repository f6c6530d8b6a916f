"""How groups are cut from the commands that wait."""

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pexservice.core.engine import Engine
from pexservice.core.judging import Place
from pexservice.core.queue import Queue
from pexservice.limits import DEFAULT
from pexservice.walk.machine import WALK
from support.engine_scenes import Asked, Caller, play
from support.memory_store import MemoryStore


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


@given(st.lists(st.booleans(), min_size=1, max_size=30), st.integers(1, 12), st.integers(0, 6))
def test_a_cut_is_as_long_as_both_bounds_allow(valued: list[bool], commands_max: int, valued_max: int) -> None:
    """It takes from the front, in order, never more than either bound allows, never less than one, and no less."""
    queue: Queue[int, int] = Queue()
    for number, carries_value in enumerate(valued):
        queue.append((Asked(number, carries_value=carries_value), Caller()))
    queue.valued = sum(valued)
    cuts = []
    while queue:
        group = queue.cut(commands_max, valued_max)
        assert group.valued == sum(asked.carries_value for asked, _ in group.elements)
        assert 1 <= len(group.elements) <= commands_max
        assert group.valued <= max(1, valued_max)
        could_be_longer = len(group.elements) < commands_max and group.valued < max(1, valued_max)
        assert not (queue and could_be_longer)
        cuts += [asked.command for asked, _ in group.elements]
    assert (cuts, queue.valued) == (list(range(len(valued))), 0)
