"""A worker's store, with a group that takes more bytes than a socket holds."""

import asyncio
from collections.abc import Callable

import pytest
import uvloop

from pexservice.core.judging import Place
from pexservice.core.keys import Terms
from pexservice.limits import DEFAULT
from pexservice.walk.machine import WALK
from pexservice.walk.steps import NEXT
from support.engine_scenes import settled
from support.memory_store import MemoryStore
from support.shared_store import Shared


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
