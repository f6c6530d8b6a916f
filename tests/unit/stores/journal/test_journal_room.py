"""What happens when ring or disk are full."""

import asyncio
from contextlib import suppress
from dataclasses import replace

import pytest

from pexservice.core.judging import Place
from pexservice.stores.journal.errors import JournalFull
from pexservice.stores.journal.history_writer import segment_names
from pexservice.walk.steps import NEXT, PREVIOUS
from support.faults import PowerCut
from support.journals import CALM, OPTIONS, disk, found, opened, play, until
from support.simulated_disk import SimulatedDisk

SMALL = replace(CALM, limits=replace(CALM.limits, segment_bytes_max=100))


def test_a_full_disk_stops_nobody_until_the_ring_is_full_and_is_left_by_itself() -> None:
    """Groups that found no room are turned away, none of them was taken, and with space the journal goes on."""

    async def scenario() -> None:
        on = disk()
        journal = await opened(on)
        on.faults.free_bytes = 0
        running = asyncio.create_task(journal.run())
        taken = 0
        with pytest.raises(JournalFull, match="No space left on device"):  # noqa: PT012 - whichever group it is.
            for _ in range(100):
                await journal.commit([NEXT])
                taken += 1
        assert 20 <= taken <= 40  # Some lines seal.
        assert isinstance(journal.unready, JournalFull)
        with pytest.raises(JournalFull):
            journal.commit([NEXT])
        assert journal.read() == Place(taken, taken)
        on.faults.free_bytes = None
        await until(lambda: journal.unready is None)
        assert (await journal.commit([NEXT])).end == Place(taken + 1, taken + 1)
        running.cancel()
        assert found(on.powered_off()) == Place(taken + 1, taken + 1)

    logs = [entry["event"] for entry in play(scenario)]
    assert logs == [
        "no room for the history: commands are taken until the ring is full",
        "there is room again: commands are taken",
    ]


def test_groups_wait_for_room_in_the_ring_while_the_history_is_written() -> None:
    """That is no refusal: they are sent when there is room."""

    async def scenario() -> None:
        on = disk()
        journal = await opened(on, CALM)
        for _ in range(40):
            await journal.commit([NEXT])
        waiting = [journal.commit([NEXT]) for _ in range(3)]
        running = asyncio.create_task(journal.run())
        assert [(await each).end.sequence for each in waiting] == [41, 42, 43]
        running.cancel()
        assert found(on.powered_off()) == Place(43, 43)

    play(scenario)


def test_groups_that_wait_are_turned_away_when_the_history_cannot_be_written() -> None:
    """They were never written; what comes next begins where the last group ends that was."""

    async def scenario() -> None:
        on = disk()
        journal = await opened(on, CALM)
        for _ in range(40):
            await journal.commit([NEXT])
        waiting = [journal.commit([PREVIOUS]) for _ in range(3)]
        on.faults.free_bytes = 0
        running = asyncio.create_task(journal.run())
        for each in waiting:
            with pytest.raises(JournalFull):
                await each
        on.faults.free_bytes = None
        await journal._write_history()
        assert (await journal.commit([NEXT])).end == Place(41, 41)
        running.cancel()

    play(scenario)


@pytest.mark.parametrize("has_history", [False, True])
@pytest.mark.parametrize("room", [0, 100, 8_000])
def test_a_full_disk_does_not_stop_the_start(room: int, *, has_history: bool) -> None:
    """Reads are possible from the start on, and steps once there is space for history and ring."""

    async def scenario() -> None:
        on = disk()
        if has_history:
            journal = await opened(on)
            await journal.commit([NEXT])
            on = on.powered_off()
        on.faults.free_bytes = room
        await (await opened(on, replace(OPTIONS, shape=None))).close()
        journal = await opened(on, replace(OPTIONS, shape=None))
        assert journal.in_flight_max >= 1
        assert journal.status().labels["sync_method"] == "none yet"
        assert journal.read().sequence == has_history
        assert isinstance(journal.unready, JournalFull)
        with pytest.raises(JournalFull):
            journal.commit([NEXT])
        running = asyncio.create_task(journal.run())
        for _ in range(10):
            await asyncio.sleep(0)
        on.faults.free_bytes = None
        await until(lambda: journal.unready is None)
        assert (await journal.commit([NEXT])).end.sequence == has_history + 1
        running.cancel()
        assert found(on.powered_off()).sequence == has_history + 1

    play(scenario)


@pytest.mark.parametrize("is_behind", [True, False])
def test_a_lowered_limit_makes_room_at_the_start(*, is_behind: bool) -> None:
    """What it no longer allows goes before anything is written, whatever becomes of the start."""

    async def scenario() -> None:
        full = await _with_segments(is_behind=is_behind)
        small = replace(CALM, shape=None, limits=replace(SMALL.limits, history_bytes_max=1_000))
        assert len(segment_names(full)) > 100
        for operations in range(1, 80):
            on = full.powered_off()
            on.faults.free_bytes = 0
            on.faults.operations_until_cut = operations
            with suppress(PowerCut):
                await opened(on, small)
            assert found(on.powered_off()) == Place(400, 400)
        on = full.powered_off()
        on.faults.free_bytes = 0
        journal = await opened(on, small)
        assert journal.unready is None
        assert journal.in_flight_max > 1
        assert sum(on.size(name) for name in segment_names(on)) <= 1_000
        await journal.commit([NEXT])
        assert found(on.powered_off()) == Place(401, 401)

    play(scenario)


def test_a_lowered_limit_makes_room_for_a_ring_that_is_not_small() -> None:
    """The shape of a ring is that of the room that is there, and stays for a life."""

    async def scenario() -> None:
        lines = []
        for history_bytes_max in (0, 1_000):
            on = await _with_segments()
            on.faults.free_bytes = 30_000
            limits = replace(SMALL.limits, history_bytes_max=history_bytes_max)
            journal = await opened(on, replace(SMALL, shape=None, limits=limits))
            assert journal._ring is not None
            lines.append(journal._ring.shape.lines)
        assert lines[0] < lines[1]

    play(scenario)


def test_history_over_its_limit_goes_before_groups_are_turned_away() -> None:
    """The newest segment grows after the limit was last looked at; what that puts over it is room."""

    async def scenario() -> None:
        on = await _with_segments()
        size_bytes = sum(on.size(name) for name in segment_names(on))
        journal = await opened(on, replace(SMALL, limits=replace(SMALL.limits, history_bytes_max=size_bytes)))
        oldest = segment_names(on)[0]
        await journal.commit([NEXT])
        journal._history._history_bytes_max -= 200
        on.faults.free_bytes = 0
        await journal._write_history()
        assert oldest not in segment_names(on)
        await journal.commit([NEXT])
        on.faults.free_bytes = 0
        journal._history._history_bytes_max = 0
        with pytest.raises(JournalFull):
            await journal._write_history()
        assert found(on.powered_off()) == Place(402, 402)

    play(scenario)


async def _with_segments(*, is_behind: bool = False) -> SimulatedDisk:
    """Return a disk with many segments, of 400 steps; with `is_behind` the ring has the last ones alone."""
    on = disk()
    journal = await opened(on, SMALL)
    for number in range(1, 401):
        await journal.commit([NEXT])
        if number % 3 == 1 and (number < 400 or not is_behind):
            await journal._write_history()
    return on.powered_off()


def test_a_first_start_with_room_for_the_ring_only_is_tried_again() -> None:
    """Nothing is taken before there is a history for it."""

    async def scenario() -> None:
        on = disk()
        shape = OPTIONS.shape
        assert shape is not None
        on.faults.free_bytes = shape.size_bytes + 20
        journal = await opened(on)
        assert isinstance(journal.unready, JournalFull)
        on.faults.free_bytes = None
        running = asyncio.create_task(journal.run())
        await until(lambda: journal.unready is None)
        await journal.commit([NEXT])
        running.cancel()
        assert found(on.powered_off()) == Place(1, 1)

    play(scenario)


def test_a_lack_at_the_start_is_not_looked_after_more_often_than_the_period() -> None:
    """An attempt costs as much as many groups."""

    async def scenario() -> None:
        on = disk()
        on.faults.free_bytes = 0
        journal = await opened(on, CALM)
        on.faults.free_bytes = None
        journal._wanted.set()
        running = asyncio.create_task(journal.run())
        for _ in range(20):
            await asyncio.sleep(0)
        assert journal.unready is not None
        running.cancel()

    play(scenario)
