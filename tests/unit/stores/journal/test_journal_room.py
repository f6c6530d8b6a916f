"""What happens when ring or disk are full."""

import asyncio
from dataclasses import replace

import pytest

from pexservice.core.judging import Place
from pexservice.stores.journal.errors import JournalFull
from pexservice.walk.steps import NEXT, PREVIOUS
from support.journals import CALM, OPTIONS, disk, found, opened, play, until


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
