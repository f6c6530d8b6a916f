"""The journal as a store, on a disk that does not do what it should."""

import asyncio
import errno
from collections.abc import Awaitable, Callable
from dataclasses import replace
from random import Random
from typing import Any, NoReturn
from zlib import crc32

import pytest
from structlog.testing import capture_logs

from pexservice.core.judging import Place
from pexservice.core.measures import Histogram
from pexservice.errors import DamagedData, Fatal, NotPermitted
from pexservice.limits import Limits
from pexservice.stores.journal import journal as journals
from pexservice.stores.journal.errors import JournalFailed, JournalFull, RowTooLong
from pexservice.stores.journal.journal import Journal
from pexservice.stores.journal.opening import look
from pexservice.stores.journal.options import Options
from pexservice.stores.journal.record import Codec, seal
from pexservice.stores.journal.ring import PART_BYTES_MAX, RING_NAME, Shape
from pexservice.stores.journal.segment import new_name, segment_name
from pexservice.walk.machine import WALK
from pexservice.walk.steps import NEXT, PREVIOUS
from support.ledger import LEDGER, Balance, Entry
from support.simulated_disk import SimulatedDisk

WALKS: Codec[Any, Any] = Codec(WALK)
LEDGERS: Codec[Any, Any] = Codec(LEDGER)
OPTIONS = Options(Limits(heal_period_s=0.0), shape=Shape(40, 512, 20))
CALM = replace(OPTIONS, limits=Limits(heal_period_s=1000.0))
"""Nothing is done in the background but what is due."""


def disk() -> SimulatedDisk:
    return SimulatedDisk(Random(1))


async def opened(on: SimulatedDisk, options: Options = OPTIONS, codec: Codec[Any, Any] = WALKS) -> Journal[Any, Any]:
    return await Journal.open(on, codec, look(on, codec), options)


async def until(is_so: Callable[[], bool]) -> None:
    for _ in range(5000):
        if is_so():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came to be")


def play(scenario: Callable[[], Awaitable[None]]) -> list[Any]:
    """Run a scenario, and return what was logged."""
    with capture_logs() as logs:
        asyncio.run(_awaited(scenario))
    return list(logs)


async def _awaited(scenario: Callable[[], Awaitable[None]]) -> None:
    await scenario()


def found(on: SimulatedDisk, codec: Codec[Any, Any] = WALKS) -> Place[Any]:
    return look(on, codec).plan.place


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
        with pytest.raises(RowTooLong, match="takes 5 lines"):
            journal.commit([Entry(1, "b" * (PART_BYTES_MAX * 4))])
        assert (await journal.commit([Entry(1)])).end.sequence == 41

    play(scenario)


def test_a_failed_write_ends_all_that_is_not_answered() -> None:
    """Nothing of the group, nor of a later one that was written well, is answered; and nothing is taken any more."""

    async def scenario() -> None:
        on = disk()
        journal = await opened(on)
        held = on.fixed[-1].held = []
        await asyncio.sleep(0)
        on.faults.fixed_error = errno.EIO
        first, second = journal.commit([NEXT]), journal.commit([NEXT])
        held[1]()
        held[0]()
        for each in (first, second):
            with pytest.raises(JournalFailed, match=r"cannot write to ring.csv: Input/output error"):
                await each
        with pytest.raises(JournalFailed):
            journal.commit([NEXT])
        with pytest.raises(JournalFailed):
            await asyncio.wait_for(journal.run(), 1)
        assert journal.read() == Place(0, 0)

    play(scenario)


def test_what_is_done_after_a_failure_is_not_answered() -> None:
    """Later writes that succeed change nothing."""

    async def scenario() -> None:
        on = disk()
        journal = await opened(on)
        held = on.fixed[-1].held = []
        on.faults.fixed_error = errno.EIO
        first, second = journal.commit([NEXT]), journal.commit([NEXT])
        held[0]()
        held[1]()
        for each in (first, second):
            with pytest.raises(JournalFailed):
                await each

    play(scenario)


def test_a_short_write_is_a_failed_one() -> None:
    """It is never completed, and never tried again."""

    async def scenario() -> None:
        on = disk()
        journal = await opened(on)
        on.faults.is_short = True
        with pytest.raises(JournalFailed):
            await journal.commit([NEXT])

    play(scenario)


@pytest.mark.parametrize("is_interval", [False, True])
def test_a_ring_that_was_removed_is_noticed_by_the_next_group(*, is_interval: bool) -> None:
    """What is written to a file without a name is lost."""

    async def scenario() -> None:
        on = disk()
        journal = await opened(on, replace(OPTIONS, is_interval=is_interval))
        on.remove(RING_NAME)
        with pytest.raises(JournalFailed, match=r"ring.csv was removed while it was in use"):
            await journal.commit([NEXT])

    play(scenario)


def test_a_ring_that_cannot_be_looked_at_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not known whether it still has a name."""

    async def scenario() -> None:
        on = disk()
        journal = await opened(on)
        monkeypatch.setattr(on.fixed[-1], "is_linked", _broken)
        with pytest.raises(JournalFailed):
            await journal.commit([NEXT])

    play(scenario)


def _broken(*_: object, **__: object) -> NoReturn:
    raise OSError(errno.EIO, "Input/output error")


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
    """Each interval, and when half of the ring is not synced."""

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


def test_interval_syncs_once_at_a_time_and_never_after_a_failure() -> None:
    """A stop that comes during a sync waits for it; when it fails there is no other."""

    async def scenario() -> None:
        for error in (None, errno.EIO):
            on = disk()
            journal = await opened(on, replace(CALM, is_interval=True))
            ring = journal._ring
            assert ring is not None
            await journal.commit([NEXT])
            on.faults.sync_error = error
            first, second = await asyncio.gather(ring.sync(), ring.sync(), return_exceptions=True)
            assert isinstance(first, JournalFailed) == isinstance(second, JournalFailed) == (error is not None)
            assert ring.durable == (error is None)

    play(scenario)


@pytest.mark.parametrize("what", ["write_error", "sync_error"])
def test_interval_that_cannot_write_or_sync_ends(what: str) -> None:
    """A failed sync is never tried again, nor a failed write."""

    async def scenario() -> None:
        on = disk()
        journal = await opened(on, replace(CALM, is_interval=True, sync_interval_s=0.0))
        setattr(on.faults, what, errno.EIO)
        running = asyncio.create_task(journal.run())
        if what == "write_error":
            with pytest.raises(JournalFailed):
                journal.commit([NEXT])
        else:
            await journal.commit([NEXT])
            with pytest.raises(JournalFailed):
                await running
        running.cancel()

    play(scenario)


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
        assert isinstance(journal.refusal, JournalFull)
        with pytest.raises(JournalFull):
            journal.commit([NEXT])
        assert journal.read() == Place(taken, taken)
        on.faults.free_bytes = None
        await until(lambda: journal.refusal is None)
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
@pytest.mark.parametrize("room", [0, 100, 25_000])
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
        assert isinstance(journal.refusal, JournalFull)
        with pytest.raises(JournalFull):
            journal.commit([NEXT])
        running = asyncio.create_task(journal.run())
        for _ in range(10):
            await asyncio.sleep(0)
        on.faults.free_bytes = None
        await until(lambda: journal.refusal is None)
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
        assert isinstance(journal.refusal, JournalFull)
        on.faults.free_bytes = None
        running = asyncio.create_task(journal.run())
        await until(lambda: journal.refusal is None)
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
        assert journal.refusal is not None
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


def test_the_history_is_written_within_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """However little there is."""
    monkeypatch.setattr(journals, "_HISTORY_DELAY_S_MAX", 0.0)

    async def scenario() -> None:
        on = disk()
        journal = await opened(on)
        running = asyncio.create_task(journal.run())
        await journal.commit([NEXT])
        await until(lambda: b"1n" in on.inodes[segment_name(0)].written)
        running.cancel()

    play(scenario)


def test_a_stop_leaves_all_in_the_history_if_there_is_room() -> None:
    """And without room all is in the ring, where the next start finds it."""

    async def scenario() -> None:
        for free_bytes in (None, 0):
            on = disk()
            journal = await opened(on)
            running = asyncio.create_task(journal.run())
            await journal.commit([NEXT])
            on.faults.free_bytes = free_bytes
            await journal.close()
            journal._wanted.set()
            await running
            after = look(on.powered_off(), WALKS)
            assert after.plan.place == Place(1, 1)
            assert len(after.plan.missing) == (free_bytes == 0)

    play(scenario)


def test_small_segments_are_written_again_longer_and_large_ones_left_alone() -> None:
    """So there are few of them, however often the history is written."""

    async def scenario() -> None:
        on = disk()
        journal = await opened(on, replace(CALM, limits=Limits(segment_bytes_max=500, heal_period_s=1000.0)))
        for _ in range(30):
            await journal.commit([NEXT])
            await journal._write_history()
        names = [name for name in on.names() if name.startswith("journal-")]
        assert 3 <= len(names) <= 6
        assert all(on.size(name) < 600 for name in names)
        assert found(on.powered_off()) == Place(30, 30)

    play(scenario)


def test_segments_that_fill_up_while_one_is_written_follow_it() -> None:
    """Rows that come meanwhile are not lost, whichever segment they belong to."""

    async def scenario() -> None:
        on = disk()
        journal = await opened(on, replace(CALM, limits=Limits(segment_bytes_max=200, heal_period_s=1000.0)))
        await journal.commit([NEXT])
        writing = asyncio.create_task(journal._write_history())
        await asyncio.sleep(0)
        for _ in range(12):
            await journal.commit([NEXT])
        await writing
        await journal._write_history()
        assert found(on.powered_off()) == Place(13, 13)
        assert journal._history.waiting == 0

    play(scenario)


def test_the_oldest_segments_go_and_the_newest_stays() -> None:
    """Beyond the limit, one by one; one that cannot be removed is no reason to stop."""

    async def scenario() -> None:
        on = disk()
        limits = Limits(segment_bytes_max=100, heal_period_s=1000.0)
        journal = await opened(on, replace(CALM, limits=limits, history_bytes_max=1000))
        for _ in range(30):
            await journal.commit([NEXT])
            await journal._write_history()
        names = sorted(name for name in on.names() if name.startswith("journal-"))
        assert sum(on.size(name) for name in names) <= 1000
        assert len(names) > 2
        on.remove = _broken  # type: ignore[method-assign]  # a disk that is broken in this.
        await journal.commit([NEXT])
        journal._history._has_grown = True
        await journal._history.forget(1)

    assert play(scenario)[-1]["event"] == "could not remove an old segment"


def test_a_directory_that_cannot_be_synced_ends_the_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not known which names are there: never tried again."""

    async def scenario() -> None:
        on = disk()
        journal = await opened(on, CALM)
        await journal.commit([NEXT])
        monkeypatch.setattr(on, "sync_names", _broken)
        with pytest.raises(JournalFailed, match="cannot sync the name of"):
            await journal._write_history()
        with pytest.raises(JournalFailed, match="cannot name the new ring"):
            await opened(_without_sync(on))

    play(scenario)


def _without_sync(on: SimulatedDisk) -> SimulatedDisk:
    after = on.powered_off()
    after.sync_names = _broken  # type: ignore[method-assign]  # as its name says.
    after.inodes = {}
    return after


@pytest.mark.parametrize(
    ("code", "error", "told"),
    [
        (errno.EMFILE, JournalFull, "cannot write the segment"),
        (errno.EIO, JournalFailed, "cannot write the segment"),
        (errno.EACCES, NotPermitted, "may not write the segment"),
    ],
)
def test_what_is_lacking_is_told(code: int, error: type[Exception], told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names what was done to which file, and what the system said."""

    async def scenario() -> None:
        on = disk()
        journal = await opened(on, CALM)
        await journal.commit([NEXT])

        def create(name: str) -> NoReturn:
            raise OSError(code, "so it is")

        monkeypatch.setattr(on, "create", create)
        with pytest.raises(error, match=rf"{told} journal-0{{20}}\.csv: so it is"):
            await journal._write_history()

    play(scenario)


def test_a_rename_that_fails_ends_the_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the reason: which file has the name is not known."""

    async def scenario() -> None:
        on = disk()
        journal = await opened(on, CALM)
        await journal.commit([NEXT])

        def rename(old: str, new: str) -> NoReturn:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(on, "rename", rename)
        with pytest.raises(JournalFailed, match=r"cannot name the segment .* start again"):
            await journal._write_history()

    play(scenario)


def test_what_is_in_flight_when_a_ring_is_made_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """A defect while the new ring gets its name lets go of its file."""

    async def scenario() -> None:
        on = disk()

        def rename(old: str, new: str) -> NoReturn:
            raise KeyError(old)

        monkeypatch.setattr(on, "rename", rename)
        with pytest.raises(KeyError):
            await opened(on)

    play(scenario)


def test_leftovers_are_written_over() -> None:
    """What an earlier life did not finish is in nobody's way."""

    async def scenario() -> None:
        on = disk()
        for name in (new_name(RING_NAME), new_name(segment_name(0))):
            on.create(name)
        journal = await opened(on)
        await journal.commit([NEXT])
        await journal.close()
        assert sorted(on.names()) == [segment_name(0), RING_NAME]

    play(scenario)


def test_a_settled_line_that_cannot_be_written_ends_the_start() -> None:
    """Nothing may be served that is not known to be durable."""

    async def scenario() -> None:
        on = disk()
        journal = await opened(on, CALM)
        await journal.commit([NEXT])
        after = on.killed()
        after.faults.sync_error = errno.EIO
        with pytest.raises(JournalFailed, match=r"cannot settle ring\.csv"):
            await opened(after)

    play(scenario)


def test_a_directory_that_belongs_to_another_machine_is_left_alone() -> None:
    """The ring and the history both say whose they are."""

    async def scenario() -> None:
        on = disk()
        await opened(on)
        with pytest.raises(DamagedData, match=r"journal-.*another machine, 'fibonacci'"):
            look(on, LEDGERS)
        del on.inodes[segment_name(0)]
        with pytest.raises(DamagedData, match=r"ring.csv is whole, but it belongs to another machine, 'fibonacci'"):
            look(on, LEDGERS)

    play(scenario)


def test_a_journal_of_the_first_format_is_told_as_such() -> None:
    """It has no ring, and that is not what is wrong with it."""
    header = b"sequence,position,steps,time,checksum\n"
    row, _ = seal(b"0,0,v1,2026-11-23T18:55:31.000000Z", crc32(header))
    with pytest.raises(DamagedData, match="format version 'v1' is not known"):
        look(SimulatedDisk(Random(1), {segment_name(0): header + row}), WALKS)


@pytest.mark.parametrize("missing", [RING_NAME, segment_name(0)])
def test_a_ring_or_a_history_that_is_missing_is_damage(missing: str) -> None:
    """A start that goes on without either could lose what was answered."""

    async def scenario() -> None:
        on = disk()
        journal = await opened(on)
        await journal.commit([NEXT])
        await journal.close()
        del on.inodes[missing]
        with pytest.raises(DamagedData, match="missing"):
            look(on, WALKS)

    play(scenario)


def test_a_first_start_that_was_cut_off_is_begun_again_where_it_was_to_begin() -> None:
    """A ring without a line and without a history was never served from."""

    async def scenario() -> None:
        on = disk()
        await opened(on)
        del on.inodes[segment_name(0)]
        begin = Place(7, 3)
        journal = await Journal.open(on, WALKS, look(on, WALKS, begin=lambda: begin), OPTIONS)
        assert journal.read() == begin
        await journal.commit([NEXT])
        assert found(on.powered_off()) == Place(8, 4)

    play(scenario)


@pytest.mark.parametrize("name", [RING_NAME, segment_name(0)])
def test_what_cannot_be_read_ends_the_start(name: str) -> None:
    """With status 74, and without a change."""

    async def scenario() -> None:
        on = disk()
        await opened(on)
        on.faults.operations_until_error = 1 if name == RING_NAME else 2
        with pytest.raises(JournalFailed, match=f"cannot read {name}"):
            look(on, WALKS)

    play(scenario)


def test_a_changed_durability_begins_a_new_segment() -> None:
    """The opening row says how all rows behind it came to be."""

    async def scenario() -> None:
        on = disk()
        journal = await opened(on)
        await journal.commit([NEXT])
        await journal.close()
        on = on.killed()
        await (await opened(on, replace(OPTIONS, is_interval=True))).close()
        newest = look(on, WALKS).newest
        assert newest is not None
        assert (newest.name, newest.opening.is_interval) == (segment_name(1), True)

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
        on.free_bytes = _broken  # type: ignore[method-assign]  # a disk that is broken in this.
        assert "pex_disk_free_bytes" not in {each.name for each in journal.status().measures}
        interval = await opened(disk(), replace(CALM, is_interval=True))
        assert interval.status().labels["durability"] == "interval"

    play(scenario)


def test_every_end_is_of_the_catalogue() -> None:
    """An operator's script can tell them apart."""
    assert (JournalFailed("").exit_status, issubclass(JournalFailed, Fatal)) == (74, True)
    assert [each.code for each in Journal.refusals] == ["journal-full", "row-too-long"]
