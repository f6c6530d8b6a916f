"""A worker's store, with its writer in the same process."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from traceback import walk_tb
from typing import Any

import pytest
from structlog.testing import capture_logs

from pexservice.core.judging import Place
from pexservice.core.keys import Terms
from pexservice.core.machine import Machine
from pexservice.limits import DEFAULT
from pexservice.stores.shared.message import Kind, Told
from pexservice.stores.shared.store import WriterSilent
from pexservice.walk.machine import WALK
from pexservice.walk.steps import NEXT, PREVIOUS
from support.engine_scenes import Asked, Caller, play_on, settled
from support.machines import COUNTER
from support.memory_store import Full, MemoryStore, TooLong
from support.shared_store import Shared


def play(
    scenario: Callable[[Shared], Coroutine[Any, Any, None]],
    machine: Machine[Any, Any] = WALK,
    *,
    is_held: bool = False,
) -> None:
    """Run a scenario on a writer whose store can be held back."""

    async def run() -> None:
        shared = Shared(machine, MemoryStore(machine, is_held=is_held)).run()
        await settled()
        await scenario(shared)
        await shared.stop()

    asyncio.run(run())


def test_a_group_is_told_where_it_began() -> None:
    """Another worker's group may have come before, so nothing is expected."""

    async def scenario(shared: Shared) -> None:
        one, other = shared.worker(), shared.worker()
        first, second = one.commit([NEXT] * 3), other.commit([PREVIOUS])
        assert first.expected is second.expected is None
        judgements = await first, await second
        assert [judgement.start for judgement in judgements] == [Place(0, 0), Place(3, 3)]
        assert one.read() == other.read() == Place(4, 2)

    play(scenario)


def test_what_a_machine_refuses_is_refused_to_who_asked() -> None:
    """Of parts that share a group, each gets its own refusals, and the sequence of what was taken before it."""

    async def scenario(shared: Shared) -> None:
        workers = [shared.worker() for _ in range(3)]
        judgements = await asyncio.gather(
            *(_committed(each.commit(group)) for each, group in zip(workers, ([9, 2], [2, 1, 1], [-1]), strict=True))
        )
        assert [judgement.start.sequence for judgement in judgements] == [0, 1, 2]
        assert [sorted(judgement.refusals) for judgement in judgements] == [[1], [0, 2], []]

    play(scenario, COUNTER)


async def _committed(commit: Any) -> Any:
    return await commit


def test_a_group_that_was_turned_away_says_why() -> None:
    """And the reason shows to all workers before that."""

    async def scenario(shared: Shared) -> None:
        worker = shared.worker()
        shared.below.unready = Full()  # type: ignore[misc]
        with pytest.raises(Full):
            await worker.commit([NEXT])
        assert isinstance(worker.unready, Full)
        shared.below.unready = None  # type: ignore[misc]
        shared.writer.look(shared.below)
        assert worker.unready is None
        assert (await worker.commit([NEXT])).end == Place(1, 1)

    play(scenario)


def test_what_the_store_says_of_one_group_is_logged_by_its_writer() -> None:
    """The worker is told the reason alone, and not how long it was."""

    async def scenario(shared: Shared) -> None:
        committing = shared.worker().commit([NEXT])
        await settled()
        with capture_logs() as logged:
            shared.below.fail(TooLong("44 KiB, of at most 41"))  # type: ignore[attr-defined]
            with pytest.raises(TooLong):
                await committing
        assert [(each["reason"], each["error"]) for each in logged] == [("too-long", "44 KiB, of at most 41")]

    play(scenario, is_held=True)


def test_nothing_is_handed_to_a_writer_that_is_silent() -> None:
    """What the store lacks is told first: the writer said so while it went on."""

    async def scenario(shared: Shared) -> None:
        worker = shared.worker()
        assert worker.unready is None
        worker.is_writer_silent = True
        assert isinstance(worker.unready, WriterSilent)
        shared.below.unready = Full()
        shared.writer.look(shared.below)
        assert isinstance(worker.unready, Full)

    play(scenario)


def test_a_worker_hears_what_is_about_no_group() -> None:
    """When groups are taken, and when to stop."""

    async def scenario(shared: Shared) -> None:
        worker = shared.worker()
        await settled()
        shared.writer.tell(shared.channels[0], Told(Kind.STOP))
        await asyncio.sleep(0.01)
        assert shared.heard == [Kind.OPEN, Kind.STOP]
        await worker.close()

    play(scenario)


@pytest.mark.parametrize("is_reset", [False, True])
def test_a_worker_hears_once_that_its_writer_is_gone(is_reset: bool) -> None:  # noqa: FBT001
    """Also when it was about to send something."""

    async def scenario(shared: Shared) -> None:
        worker = shared.worker()
        asyncio.get_running_loop().remove_reader(shared.channels[0].socket)
        if is_reset:  # What was sent and not read makes an error of the end.
            worker.commit([NEXT])
        shared.channels[0].socket.close()
        await asyncio.sleep(0.01)
        assert shared.ended == ["writer"]
        if not is_reset:
            worker.commit([NEXT])
            assert shared.ended == ["writer", "writer"]

    play(scenario)


def test_who_gave_up_is_not_told() -> None:
    """A commit that nobody waits for any more takes nothing along."""

    async def scenario(shared: Shared) -> None:
        worker = shared.worker()
        waiting = asyncio.create_task(_committed(worker.commit([NEXT])))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        shared.below.release()  # type: ignore[attr-defined]
        await asyncio.sleep(0.01)
        assert worker.read() == Place(1, 1)

    play(scenario, is_held=True)


def test_a_wake_up_for_nothing_does_nothing() -> None:
    """The socket may be found empty."""

    async def scenario(shared: Shared) -> None:
        worker = shared.worker()
        await settled()
        worker._on_message()
        worker._on_message()
        assert (await worker.commit([NEXT])).end == Place(1, 1)

    play(scenario)


def test_a_group_in_pieces_is_one_group() -> None:
    """However long it is written, and however long what became of it is."""

    async def run() -> None:
        limits = replace(DEFAULT, message_bytes_max=100, shared_state_bytes_max=50)
        shared = Shared(WALK, MemoryStore(WALK), limits).run()
        await settled()
        worker = shared.worker()
        judgement = await worker.commit([NEXT] * 1000)
        assert judgement.end == Place(1000, 1000)
        terms = {index: Terms(b"%022d" % index) for index in range(20)}
        await worker.commit([NEXT] * 20, terms)
        again = await worker.commit([NEXT] * 20, terms)
        assert [again.replays[index].sequence for index in range(20)] == list(range(1001, 1021))
        await shared.stop()

    asyncio.run(run())


def test_an_engine_shows_what_others_did() -> None:
    """Its place is that of all workers, and its answers begin where the writer put them."""

    async def run() -> None:
        shared = Shared(WALK, MemoryStore(WALK)).run()
        await settled()
        other = shared.worker()
        await other.commit([NEXT] * 5)

        async def scenario(engine: Any, caller: Caller) -> None:
            assert engine.place == Place(5, 5)
            engine.submit(Asked(NEXT), caller)
            await engine.drained()
            assert caller.told == [b"6 6"]

        await play_on(scenario, shared.worker())
        await shared.stop()

    asyncio.run(run())


def test_a_store_of_others_asks_before_each_group_how_long_values_are() -> None:
    """A value may have become a thousand times as long since the worker's last group."""

    async def run() -> None:
        below = MemoryStore(WALK)
        shared = Shared(WALK, below).run()
        await settled()
        worker = shared.worker()
        told: list[int] = []

        async def scenario(engine: Any, caller: Caller) -> None:
            below.ahead = below.place = Place(1, 5_000_000)
            shared.board.show_place(below.place)
            for _ in range(10):
                engine.submit(Asked(NEXT), caller)
            await engine.drained()
            told.extend(len(group) for group in below.groups)

        await play_on(scenario, worker)
        assert told == [3, 3, 3, 1]  # Of 1 MB each: 4 MiB are rendered for one group.
        await shared.stop()

    asyncio.run(run())


def test_background_work_has_no_end() -> None:
    """There is none, and the store tells how the writer's is."""

    async def scenario(shared: Shared) -> None:
        worker = shared.worker()
        shared.board.show_status(shared.below.status())
        assert worker.status().labels == shared.below.status().labels
        assert worker.in_flight_max == 1
        working = asyncio.create_task(worker.run())
        await settled()
        assert not working.done()
        working.cancel()

    play(scenario)


def test_a_store_is_told_before_each_group() -> None:
    """So that what processes share out can be looked at."""
    commits: list[int] = []

    async def scenario(shared: Shared) -> None:
        worker = shared.worker(lambda: commits.append(1))
        await worker.commit([NEXT])
        await worker.commit([NEXT])

    play(scenario)
    assert commits == [1, 1]


def test_an_error_does_not_grow_with_its_use() -> None:
    """There is one for each reason, told of any number of groups."""

    async def scenario(shared: Shared) -> None:
        worker = shared.worker()
        depths = []
        for _ in range(20):
            commit = worker.commit([NEXT])
            await settled()
            shared.below.fail(Full())  # type: ignore[attr-defined]
            try:
                await commit
            except Full as error:
                depths.append(sum(1 for _ in walk_tb(error.__traceback__)))
        assert len(depths) == 20
        assert len(set(depths)) == 1

    play(scenario, is_held=True)
