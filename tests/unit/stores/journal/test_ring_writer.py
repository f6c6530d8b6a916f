"""Writes to the ring that fail, come short, or go to a file that is gone."""

import asyncio
import errno
from dataclasses import replace
from typing import Any

import pytest

from pexservice.core.judging import Place
from pexservice.core.keys import NO_TERMS, AllTerms, keyed
from pexservice.core.store import Commit
from pexservice.errors import Fatal, Scarce
from pexservice.stores.journal.errors import JournalFailed
from pexservice.stores.journal.live_keys import KEYS_NAME
from pexservice.stores.journal.ring import RING_NAME
from pexservice.stores.journal.segment import segment_name
from pexservice.walk.steps import NEXT
from support.journals import CALM, OPTIONS, broken, disk, opened, play


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
        with pytest.raises(JournalFailed, match=r"ring.csv was removed, renamed or cut while it was in use"):
            await journal.commit([NEXT])

    play(scenario)


@pytest.mark.parametrize("is_interval", [False, True])
def test_a_ring_that_was_cut_is_noticed_by_the_next_group(*, is_interval: bool) -> None:
    """A start would take nothing of it."""

    async def scenario() -> None:
        on = disk()
        journal = await opened(on, replace(OPTIONS, is_interval=is_interval))
        del on.inodes[RING_NAME].written[1000:]
        with pytest.raises(JournalFailed, match=r"ring.csv was removed, renamed or cut while it was in use"):
            await journal.commit([NEXT])

    play(scenario)


@pytest.mark.parametrize("is_stopped", [False, True])
@pytest.mark.parametrize("name", [RING_NAME, KEYS_NAME, segment_name(0)])
@pytest.mark.parametrize("is_replaced", [False, True])
def test_a_file_that_is_not_in_its_place_is_noticed(name: str, *, is_stopped: bool, is_replaced: bool) -> None:
    """Soon, and at the latest by a stop: what is written to it under another name is found by no start."""

    async def scenario() -> None:
        on = disk()
        journal = await opened(on)
        await journal.commit([NEXT], {0: keyed(b"k" * 22)})
        await journal._write_history()
        await journal._keys.finish(1)
        on.rename(name, "aside")
        if is_replaced:
            on.create(name)
        with pytest.raises(JournalFailed, match=f"{name} was removed, renamed or cut while it was in use"):
            await (journal.close() if is_stopped else journal.run())

    play(scenario)


def test_a_file_of_which_nobody_knows_where_it_is_ends_the_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk does not tell."""

    async def scenario() -> None:
        on = disk()
        journal = await opened(on)
        monkeypatch.setattr(on, "size", broken)
        with pytest.raises(JournalFailed, match=f"cannot look at {RING_NAME}"):
            await journal.run()

    play(scenario)


def test_a_ring_that_cannot_be_looked_at_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not known whether it still has a name."""

    async def scenario() -> None:
        on = disk()
        journal = await opened(on)
        monkeypatch.setattr(on.fixed[-1], "is_whole", broken)
        with pytest.raises(JournalFailed):
            await journal.commit([NEXT])

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
                await journal.commit([NEXT])
        else:
            await journal.commit([NEXT])
        with pytest.raises(JournalFailed):
            await running

    play(scenario)


def test_interval_shows_what_is_written_in_its_order() -> None:
    """A replay has no row, and waits for what was taken before it; and a sync takes in what is written alone."""

    async def scenario() -> None:
        on = disk()
        journal = await opened(on, replace(CALM, is_interval=True))
        ring = journal._ring
        assert ring is not None
        held = on.fixed[-1].held = []
        terms: list[AllTerms] = [NO_TERMS, {0: keyed(b"k" * 22)}, {0: keyed(b"k" * 22)}, NO_TERMS]
        commits = [asyncio.ensure_future(_awaited(journal.commit([NEXT], each))) for each in terms]
        await asyncio.sleep(0)
        assert len(held) == 3
        held[1]()
        held[2]()
        await ring.sync()
        assert (journal.read(), ring.durable, [each.done() for each in commits]) == (Place(0, 0), 0, [False] * 4)
        held[0]()
        await asyncio.wait(commits)
        assert (journal.read(), ring.durable) == (Place(3, 3), 0)
        await ring.sync()
        assert ring.durable == 3

    play(scenario)


def test_interval_answers_nothing_behind_a_failed_write() -> None:
    """However it ended; and nothing is written any more."""

    async def scenario() -> None:
        on = disk()
        journal = await opened(on, replace(CALM, is_interval=True))
        held = on.fixed[-1].held = []
        commits = [journal.commit([NEXT])]
        on.faults.write_error = errno.EIO
        commits += [journal.commit([NEXT], {0: keyed(b"k" * 22)}) for _ in range(2)]  # The second is a replay.
        on.faults.write_error = None
        held[1]()
        held[0]()
        for commit in commits:
            with pytest.raises(JournalFailed, match=r"cannot write to ring.csv: Input/output error"):
                await commit
        with pytest.raises(JournalFailed):
            journal.commit([NEXT])
        assert len(held) == 2

    play(scenario)


@pytest.mark.parametrize(
    ("error", "end", "says"),
    [(KeyError(), Fatal, "a group could not be completed"), (MemoryError(), Scarce, "no memory is left")],
)
def test_an_error_while_a_group_is_completed_ends_the_journal(
    error: Exception, end: type[Fatal], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for ever, it does not go on as if it took steps, and a limit is told apart from a defect."""

    def defective(*_: object) -> None:
        raise error

    async def scenario() -> None:
        on = disk()
        journal = await opened(on)
        held = on.fixed[-1].held = []
        await asyncio.sleep(0)
        first, second = journal.commit([NEXT]), journal.commit([NEXT])
        monkeypatch.setattr(journal._history, "add", defective)
        held[1]()
        held[0]()
        for each in (first, second):
            with pytest.raises(end, match=says):
                await asyncio.wait_for(_awaited(each), 1)
        with pytest.raises(end, match=says):
            await asyncio.wait_for(journal.run(), 1)

    told = any("KeyError" in str(line.get("defect")) for line in play(scenario))
    assert told == isinstance(error, KeyError)


async def _awaited(commit: Commit[Any, Any]) -> None:
    await commit
