"""A worker's store, with a group that takes more bytes than a socket holds."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import uvloop

from pexservice.core.judging import Place
from pexservice.core.keys import Terms
from pexservice.core.machine import Machine
from pexservice.limits import DEFAULT
from pexservice.walk.machine import WALK
from pexservice.walk.steps import NEXT
from support.engine_scenes import settled
from support.memory_store import MemoryStore
from support.shared_store import Shared, heard, play


class _Unary(Machine[str, int]):
    """Counts with as many digits; commands add, or take away."""

    name = "unary"
    columns = ("digits",)
    kinds = ("add",)
    initial = "1"

    def step(self, state: str, command: int) -> str:
        return state + "1" * command if command > 0 else state[: len(state) + command]

    def kind(self, command: int) -> str:
        return "add"

    def encode_state(self, state: str) -> str:
        return state

    def decode_state(self, text: str) -> str:
        return text

    def encode(self, commands: Sequence[int]) -> str:
        return " ".join(map(str, commands))

    def decode(self, text: str) -> list[int]:
        return list(map(int, text.split(" ")))

    def answer_bytes_max(self, state: str) -> int:
        return 32


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_group_that_the_kernel_does_not_take_at_once_is_taken(
    loop_factory: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    """Keys and tags of thousands of clients take more than a socket holds; the rest leaves as the writer takes it."""

    async def run() -> None:
        shared = Shared(WALK, MemoryStore(WALK)).run()
        await settled()
        worker = shared.worker()
        count = DEFAULT.group_commands_max
        terms = {index: Terms(b"%0255d" % index) for index in range(count)}
        async with asyncio.timeout(10):
            assert (await worker.commit([NEXT] * count, terms)).end == Place(count, count)
            assert (await worker.commit([NEXT])).end == Place(count + 1, count + 1)
        assert shared.ended == []
        await shared.stop()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(run())


def test_a_writer_that_goes_while_a_group_leaves_is_gone() -> None:
    """The rest of the group is not sent to anybody."""

    async def run() -> None:
        shared = Shared(WALK, MemoryStore(WALK)).run()
        await settled()
        worker = shared.worker()
        asyncio.get_running_loop().remove_reader(shared.channels[0].socket)
        worker.commit([NEXT] * 4096, {index: Terms(b"%0255d" % index) for index in range(4096)})
        assert shared.ended == []
        shared.channels[0].socket.close()
        await asyncio.sleep(0.01)
        assert "writer" in shared.ended
        told = len(shared.ended)
        await asyncio.sleep(0.01)
        assert len(shared.ended) == told
        await shared.stop()

    asyncio.run(run())


@pytest.mark.parametrize("digits", [150_000, 300_000])
def test_a_part_that_begins_with_a_long_state_is_told_of_it(digits: int) -> None:
    """What a group ends with can be shared; what is in the middle may be longer than a message, and than a socket."""

    async def scenario(shared: Shared, below: MemoryStore[Any, Any]) -> None:
        first, second, third = (shared.worker() for _ in range(3))
        begun = first.commit([1])
        await heard()
        there, back = second.commit([digits]), third.commit([-1, -digits])
        await heard()
        below.release()
        await heard()
        below.release()
        async with asyncio.timeout(10):
            assert (await begun).end == Place(1, "11")
            assert (await there).end == Place(2, "1" * (digits + 2))
            judgement = await back
        assert (judgement.states[0], judgement.end) == ("1" * (digits + 1), Place(4, "1"))
        assert shared.ended == []

    play(scenario, machine=_Unary())
