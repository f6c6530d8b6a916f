"""The history behind the ring: when it is written, in which files, and what may fail."""

import asyncio
import errno
from dataclasses import replace
from typing import NoReturn

import pytest

from pexservice.core.judging import Place
from pexservice.disk import NOT_REGULAR
from pexservice.errors import NotPermitted
from pexservice.limits import Limits
from pexservice.stores.journal import journal as journals
from pexservice.stores.journal.errors import JournalFailed, JournalFull
from pexservice.stores.journal.history import History
from pexservice.stores.journal.history_writer import segment_names
from pexservice.stores.journal.opening import look
from pexservice.stores.journal.segment import segment_name
from pexservice.walk.steps import NEXT
from support.journals import CALM, WALKS, broken, disk, found, opened, play, until
from support.simulated_disk import SimulatedDisk


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
        journal = await opened(on, replace(CALM, limits=replace(limits, history_bytes_max=1000)))
        for _ in range(30):
            await journal.commit([NEXT])
            await journal._write_history()
        names = sorted(name for name in on.names() if name.startswith("journal-"))
        assert sum(on.size(name) for name in names) <= 1000
        assert len(names) > 2
        on.remove = broken  # type: ignore[method-assign]  # a disk that is broken in this.
        await journal.commit([NEXT])
        journal._history._has_grown = True
        journal._history._history_bytes_max = 1
        assert not await journal._history.forget()
        del on.remove  # It is tried again, though no segment has begun since.
        assert await journal._history.forget()
        assert len(segment_names(on)) == 1

    events = [each["event"] for each in play(scenario)]
    assert events.count("could not remove an old segment") == 1
    assert events[-1] == "history over its limit, oldest segment removed"


def test_a_directory_that_cannot_be_synced_ends_the_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not known which names are there: never tried again."""

    async def scenario() -> None:
        on = disk()
        journal = await opened(on, CALM)
        await journal.commit([NEXT])
        monkeypatch.setattr(on, "sync_names", broken)
        with pytest.raises(JournalFailed, match="cannot sync the name of"):
            await journal._write_history()
        with pytest.raises(JournalFailed, match=r"cannot sync the name of keys\.csv"):
            await opened(_without_sync(on))

    play(scenario)


def _without_sync(on: SimulatedDisk) -> SimulatedDisk:
    after = on.powered_off()
    after.sync_names = broken  # type: ignore[method-assign]  # as its name says.
    after.inodes = {}
    return after


@pytest.mark.parametrize(
    ("code", "error", "told"),
    [
        (errno.EMFILE, JournalFull, "cannot write the segment"),
        (errno.EIO, JournalFailed, "cannot write the segment"),
        (errno.EACCES, NotPermitted, "may not write the segment"),
        (NOT_REGULAR, JournalFailed, "cannot write the segment"),
    ],
)
def test_what_is_lacking_is_told(code: int, error: type[Exception], told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names what was done to which file, and what the system said."""

    async def scenario() -> None:
        on = disk()
        journal = await opened(on, CALM)
        await journal.commit([NEXT])

        def create(name: str, *, is_private: bool = False) -> NoReturn:
            raise OSError(code, "so it is")

        monkeypatch.setattr(on, "create", create)
        with pytest.raises(error, match=rf"{told} journal-0{{20}}\.csv: so it is"):
            await journal._write_history()

    play(scenario)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_rename_without_room_is_tried_again(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory may have no room for a new name; all names are as they were then, and steps go on in the ring."""

    async def scenario() -> None:
        on = disk()
        journal = await opened(on, CALM)
        await journal.commit([NEXT])

        def rename(old: str, new: str) -> NoReturn:
            raise OSError(code, "no room")

        with monkeypatch.context() as patched:
            patched.setattr(on, "rename", rename)
            with pytest.raises(
                JournalFull, match=r"cannot write the segment .*: no room. Make room; nothing else needs"
            ):
                await journal._write_history()
        assert not [name for name in on.names() if name.endswith(".new")]
        await journal.commit([NEXT])
        await journal._write_history()
        assert on.read(segment_name(0)).count(b"1n") == 2

    play(scenario)


def test_a_rename_that_fails_ends_the_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not known which file has the name."""

    async def scenario() -> None:
        on = disk()
        journal = await opened(on, CALM)
        await journal.commit([NEXT])
        monkeypatch.setattr(on, "rename", broken)
        with pytest.raises(JournalFailed, match="cannot write the segment"):
            await journal._write_history()

    play(scenario)


@pytest.mark.parametrize("was_interval", [False, True])
def test_rows_of_a_life_before_are_in_segments_of_its_durability(*, was_interval: bool) -> None:
    """Those that a crash left in the ring, too: how they came to be does not change with the next start."""

    async def scenario() -> None:
        on = disk()
        limits = replace(CALM.limits, segment_bytes_max=300)
        for is_interval, count in ((was_interval, 15), (not was_interval, 2)):
            journal = await opened(on, replace(CALM, is_interval=is_interval, limits=limits))
            for _ in range(count):
                await journal.commit([NEXT])
            on = on.killed()
        await (await opened(on, replace(CALM, is_interval=not was_interval, limits=limits))).close()
        segments = [piece.segment for piece in History.look(on.powered_off(), WALKS).pieces() if piece.segment]
        assert sum(len(segment.bodies) for segment in segments) == 17
        for segment in segments:
            begins_later = segment.opening.place.sequence >= 15
            assert segment.opening.is_interval == (was_interval != begins_later)
            assert begins_later or segment.place.sequence <= 15

    play(scenario)
