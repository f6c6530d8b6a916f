"""What a journal does beside its commits: sync now and again, look for room, let go of old history, tell of itself."""

import asyncio
import errno
from dataclasses import replace
from random import Random
from typing import Any, NoReturn

import pytest
from structlog.testing import capture_logs

from pexservice.core.judging import Place
from pexservice.core.measures import Histogram
from pexservice.limits import DEFAULT
from pexservice.stores.journal.errors import JournalFailed, JournalFull
from pexservice.stores.journal.segment import segment_name, torn_name
from pexservice.stores.journal.writer import Journal, Options
from support.journals import healed, open_journal, recovered, whole
from support.simulated_disk import SimulatedDisk, SimulatedFile

RESTLESS = Options(sync_interval_s=0.0)


def _disk(files: dict[str, bytes] | None = None) -> SimulatedDisk:
    return SimulatedDisk(Random(1), files)


def _raise(*_: object) -> NoReturn:
    raise OSError(errno.EIO, "Input/output error")


def _measures(journal: Journal[Any, Any]) -> dict[str, float | Histogram]:
    return {measure.name: measure.value for measure in journal.status().measures}


def _syncs(journal: Journal[Any, Any]) -> int:
    value = _measures(journal)["pex_flush_seconds"]
    assert isinstance(value, Histogram)
    return sum(value.counts)


def test_under_interval_a_row_is_synced_after_it_was_answered() -> None:
    """A commit only writes; the background work syncs what was written, once, and counts how often it had to."""

    async def scenario() -> None:
        disk = _disk()
        journal = await open_journal(disk, options=RESTLESS)
        await journal.commit(b"nn")
        assert recovered(disk.killed()).place == Place(2, 2)
        assert disk.inodes[segment_name(0)].written != disk.inodes[segment_name(0)].durable
        working = asyncio.create_task(journal.run())
        while not _syncs(journal):  # noqa: ASYNC110 - a journal tells nobody of it.
            await asyncio.sleep(0)
        assert disk.inodes[segment_name(0)].written == disk.inodes[segment_name(0)].durable
        for _ in range(20):
            await asyncio.sleep(0)
        assert _syncs(journal) == 1
        working.cancel()

    asyncio.run(scenario())


def test_under_interval_a_close_syncs() -> None:
    """What was answered is durable after a stop, however long the interval."""

    async def scenario() -> None:
        disk = _disk()
        journal = await open_journal(disk, options=Options(sync_interval_s=3600))
        await journal.commit(b"nn")
        await journal.close()
        assert recovered(disk.powered_off()).place == Place(2, 2)

    asyncio.run(scenario())


def test_a_sync_in_the_background_that_fails_ends_the_journal() -> None:
    """It is never tried again: what was written may be lost."""

    async def scenario() -> None:
        disk = _disk()
        journal = await open_journal(disk, options=RESTLESS)
        await journal.commit(b"nn")
        disk.faults.sync_error = errno.EIO
        written = journal.commit(b"n")
        with pytest.raises(JournalFailed, match=f"cannot sync {segment_name(0)}: .*What was answered since"):
            await journal.run()
        with pytest.raises(JournalFailed):
            await written
        with pytest.raises(JournalFailed):
            journal.commit(b"n")

    asyncio.run(scenario())


def test_what_is_said_of_a_sync_names_what_was_synced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a directory nothing is said of a segment or a group."""

    async def scenario() -> None:
        disk = _disk()

        async def fail() -> None:
            raise OSError(errno.EIO, "Input/output error")

        monkeypatch.setattr(disk, "sync_names", fail)
        with pytest.raises(JournalFailed) as said:
            await open_journal(disk)
        assert str(said.value).startswith("cannot sync the data directory: Input/output error. Check the disk")

    asyncio.run(scenario())


def test_room_is_looked_for_however_long_the_interval() -> None:
    """Syncing now and again, and looking for room, go by a period each."""

    async def scenario() -> None:
        disk = _disk()
        journal = await open_journal(disk, options=Options(sync_interval_s=3600))
        disk.faults.free_bytes = 0
        with pytest.raises(JournalFull):
            await journal.commit(b"n")
        disk.faults.free_bytes = None
        assert await healed(journal) is None
        assert (await journal.commit(b"n")).start == Place(0, 0)

    asyncio.run(scenario())


def test_an_error_while_looking_for_room_ends_the_journal() -> None:
    """A disk that fails is no full disk."""

    async def scenario() -> None:
        disk = _disk()
        disk.faults.free_bytes = 0
        journal = await open_journal(disk)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(disk, "create", _raise)
            with pytest.raises(JournalFailed, match="cannot begin the segment"):
                await journal.run()

    asyncio.run(scenario())


def test_a_journal_that_never_had_room_closes() -> None:
    """There is nothing to sync and no file to close."""

    async def scenario() -> None:
        disk = _disk()
        disk.faults.free_bytes = 0
        journal = await open_journal(disk)
        assert isinstance(journal.unready, JournalFull)
        await journal.close()
        assert disk.names() == []

    asyncio.run(scenario())


@pytest.mark.parametrize(("options", "durability"), [(Options(), "fsync"), (RESTLESS, "interval")])
def test_a_journal_tells_of_itself(options: Options, durability: str) -> None:
    """How durable it is and how it syncs; how large its segment is and may get; and how much space is left."""

    async def scenario() -> None:
        disk = _disk()
        disk.faults.free_bytes = 10_000
        journal = await open_journal(disk, options=options)
        assert journal.status().labels == {"durability": durability, "sync_method": "simulated"}
        measures = _measures(journal)
        assert measures["pex_segment_bytes"] == disk.size(segment_name(0))
        assert measures["pex_segment_bytes_max"] == DEFAULT.segment_bytes_max
        assert measures["pex_disk_free_bytes"] == 10_000 - disk.size(segment_name(0))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(disk, "free_bytes", _raise)
            assert _measures(journal).keys() == measures.keys() - {"pex_disk_free_bytes"}

    asyncio.run(scenario())


def test_the_oldest_segments_go() -> None:
    """Beyond the bound they are removed, oldest first, and never the newest; what is left is a whole history."""

    async def scenario() -> None:
        disk, limits = _disk(), replace(DEFAULT, segment_bytes_max=400)
        journal = await open_journal(disk, options=Options(history_bytes_max=1200), limits=limits)
        with capture_logs() as logs:
            while len(logs) < 3:
                await journal.commit(b"n")
        removed = [entry["segment"] for entry in logs]
        assert removed == sorted(removed)
        assert removed[0] == segment_name(0)
        assert not set(removed) & set(disk.names())
        assert sum(disk.size(name) for name in disk.names()) <= 1200
        assert whole(disk)[-1].place == journal.read()

    asyncio.run(scenario())


def test_history_that_cannot_be_removed_stops_nothing() -> None:
    """The log tells of it."""

    async def scenario() -> None:
        disk, limits = _disk(), replace(DEFAULT, segment_bytes_max=400)
        journal = await open_journal(disk, options=Options(history_bytes_max=500), limits=limits)
        with pytest.MonkeyPatch.context() as patch, capture_logs() as logs:
            patch.setattr(disk, "size", _raise)
            while not logs:
                await journal.commit(b"n")
        assert [entry["event"] for entry in logs] == ["could not remove an old segment"]
        assert len(whole(disk)) == 2

    asyncio.run(scenario())


def test_a_torn_segment_that_cannot_be_kept_aside_stops_nothing() -> None:
    """Nothing in it was ever answered. The log tells of it."""

    async def scenario() -> None:
        disk = _disk()
        await open_journal(disk)
        disk = _disk({segment_name(0): disk.read(segment_name(0)) + b"1,1,1n"})
        with pytest.MonkeyPatch.context() as patch, capture_logs() as logs:
            patch.setattr(disk, "link", _raise)
            journal = await open_journal(disk)
        assert logs[-1]["event"] == "could not keep a torn segment"
        assert torn_name(segment_name(0)) not in disk.names()
        assert (await journal.commit(b"n")).end == Place(1, 1)

    asyncio.run(scenario())


def test_a_segment_that_cannot_be_looked_at_ends_the_journal() -> None:
    """Whether it has its name still cannot be known, so the group is not answered."""

    async def scenario() -> None:
        journal = await open_journal(_disk())
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(SimulatedFile, "is_linked", _raise)
            with pytest.raises(JournalFailed, match="cannot look at"):
                await journal.commit(b"n")
        assert journal.read() == Place(0, 0)

    asyncio.run(scenario())
