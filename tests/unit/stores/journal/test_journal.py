"""The journal as a store, on a disk that does not do what it should."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from pexservice.core.judging import Place
from pexservice.core.measures import Histogram
from pexservice.errors import DamagedData, Fatal
from pexservice.stores.journal.errors import CommandTooLong, JournalFailed
from pexservice.stores.journal.holding import HeldJournal
from pexservice.stores.journal.opening import look
from pexservice.stores.journal.ring import PART_BYTES_MAX, RING_NAME
from pexservice.walk.steps import NEXT
from support.journals import CALM, LEDGERS, WALKS, broken, disk, found, opened, play, until
from support.ledger import Balance, Entry


def test_groups_overlap_and_are_answered_in_order() -> None:
    """Whatever the order in which the disk is done, a group waits for those before it; nothing is shown before."""

    async def scenario() -> None:
        on = disk()
        journal = await opened(on)
        held = on.fixed[-1].held = []
        first, second, third = (journal.commit([NEXT] * count) for count in (1, 2, 3))
        assert first.expected is not None
        assert third.expected is not None
        assert third.expected.end == Place(6, 6)
        held[2]()
        held[1]()
        assert journal.read() == Place(0, 0)
        held[0]()
        assert journal.read() == Place(6, 6)
        assert await first is first.expected
        assert [(await each).end.sequence for each in (second, third)] == [3, 6]

    play(scenario)


def test_what_was_refused_waits_for_what_it_was_judged_on() -> None:
    """A group of which nothing is taken leaves no row, and is answered when those before it are durable."""

    async def scenario() -> None:
        on = disk()
        journal = await opened(on, codec=LEDGERS)
        held = on.fixed[-1].held = []
        first, none = journal.commit([Entry(60)]), journal.commit([Entry(70)])
        waiting = asyncio.ensure_future(_result(none))
        await asyncio.sleep(0)
        assert not waiting.done()
        held[0]()
        assert (await waiting).refusals.keys() == {0}
        assert (await first).end == Place(1, Balance(60, "a"))
        assert (await journal.commit([Entry(70)])).end == Place(1, Balance(60, "a"))
        assert len(held) == 1

    play(scenario)


async def _result(commit: Any) -> Any:
    return await commit


def test_interval_answers_what_is_refused_at_once() -> None:
    """There is nothing to write and nothing to wait for."""

    async def scenario() -> None:
        journal = await opened(disk(), replace(CALM, is_interval=True), LEDGERS)
        assert (await journal.commit([Entry(170)])).refusals
        assert journal.read().sequence == 0

    play(scenario)


def test_a_long_row_takes_several_lines_also_around_the_end_of_the_ring() -> None:
    """A row of any length up to the bound is written, found after a power cut, and one beyond it is turned away."""

    async def scenario() -> None:
        on = disk()
        journal = await opened(on, codec=LEDGERS)
        running = asyncio.create_task(journal.run())
        for count in range(40):
            await journal.commit([Entry(1, "b" * (PART_BYTES_MAX * 2 + count))])
        running.cancel()
        assert found(on.powered_off(), LEDGERS) == Place(40, Balance(40, "bbbbbbbb"))
        with pytest.raises(CommandTooLong, match="takes 5 lines"):
            journal.commit([Entry(1, "b" * (PART_BYTES_MAX * 4))])
        assert (await journal.commit([Entry(1)])).end.sequence == 41

    play(scenario)


def test_interval_answers_before_the_sync_and_survives_a_kill() -> None:
    """A power cut may cost what was not synced; what a sync passed is there, and only that goes to the history."""

    async def scenario() -> None:
        on = disk()
        journal = await opened(on, replace(CALM, is_interval=True, sync_interval_s=1000.0))
        await journal.commit([NEXT])
        assert journal.read() == Place(1, 1)
        assert found(on.killed()) == Place(1, 1)
        assert journal._history.waiting == 0
        await journal._sync(journal._ring)  # type: ignore[arg-type]  # it is open.
        assert found(on.powered_off()) == Place(1, 1)
        assert journal._history.waiting == 1
        flushes = journal.status().measures[0].value
        assert isinstance(flushes, Histogram)
        assert sum(flushes.counts) == 1

    play(scenario)


def test_interval_syncs_in_the_background() -> None:
    """Each interval, and when half of what may be unsynced is."""

    async def scenario() -> None:
        for sync_interval_s in (0.0, 1000.0):
            on = disk()
            journal = await opened(on, replace(CALM, is_interval=True, sync_interval_s=sync_interval_s))
            running = asyncio.create_task(journal.run())
            for count in range(100):
                await journal.commit([NEXT])
                assert journal.read().sequence == count + 1
                await asyncio.sleep(0)
            ring = journal._ring
            assert ring is not None
            await until(lambda ring=ring: ring.durable > 60)  # type: ignore[misc]  # a lambda of its own for each.
            running.cancel()
            assert found(on.powered_off()).sequence > 60

    play(scenario)


def test_interval_syncs_while_there_is_room_for_more() -> None:
    """So that nobody waits for it: at half of the lines that may be there without one."""

    async def scenario() -> None:
        journal = await opened(disk(), replace(CALM, is_interval=True, sync_interval_s=1000.0))
        ring = journal._ring
        assert ring is not None
        running = asyncio.create_task(journal.run())
        half = (ring.shape.in_flight_max + 1) // 2
        for _ in range(half - 1):
            await journal.commit([NEXT])
        await asyncio.sleep(0.01)
        assert ring.durable == 0
        await journal.commit([NEXT])
        await until(lambda: ring.durable == half)
        running.cancel()

    play(scenario)


def test_an_idle_journal_seals_its_last_line_once() -> None:
    """Then a start can tell the loss of that line. Without rows in the ring only there is nothing to seal."""

    async def scenario() -> None:
        on = disk()
        journal = await opened(on)
        running = asyncio.create_task(journal.run())
        ring = journal._ring
        assert ring is not None
        for _ in range(50):
            await asyncio.sleep(0)
        assert ring.last == 0
        await journal.commit([NEXT])
        for _ in range(200):
            await asyncio.sleep(0)
        assert (ring.last, ring.durable) == (2, 2)
        running.cancel()
        on.inodes[RING_NAME].written[512:1024] = ring.shape.blank
        with pytest.raises(DamagedData, match="line 1 was durable and is not there"):
            look(on, WALKS)

    play(scenario)


def test_the_status_tells_of_the_ring_and_the_history() -> None:
    """By the names that docs/watching.md explains."""

    async def scenario() -> None:
        on = disk()
        journal = await opened(on, CALM)
        await journal.commit([NEXT])
        measures = {each.name: each.value for each in journal.status().measures}
        assert measures["pex_ring_lines"] == 40
        assert measures["pex_ring_lines_used"] == 1
        assert measures["pex_history_rows_waiting"] == 1
        assert "pex_disk_free_bytes" in measures
        assert journal.status().labels == {"durability": "fsync", "sync_method": "simulated"}
        on.free_bytes = broken  # type: ignore[method-assign]  # a disk that is broken in this.
        assert "pex_disk_free_bytes" not in {each.name for each in journal.status().measures}
        interval = await opened(disk(), replace(CALM, is_interval=True))
        assert interval.status().labels["durability"] == "interval"

    play(scenario)


def test_every_end_is_of_the_catalogue() -> None:
    """An operator's script can tell them apart."""
    assert (JournalFailed("").exit_status, issubclass(JournalFailed, Fatal)) == (74, True)
    assert [each.code for each in HeldJournal.unready_reasons] == ["journal-full", "row-too-long", "command-too-long"]
