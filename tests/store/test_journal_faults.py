"""What the journal does when the disk does not do what it should."""

import asyncio
import errno
from pathlib import Path
from random import Random

import pytest

from pexservice.errors import DamagedData, DirectoryOwned, JournalFailed, JournalFull
from pexservice.journal.history import segment_files, segments
from pexservice.journal.recovery import recover
from pexservice.journal.segment import segment_name
from pexservice.journal.writer import Journal
from pexservice.storage.linux import LinuxDisk
from pexservice.storage.syncer import Syncer
from pexservice.store import Place
from support.simulated_disk import SimulatedDisk


async def _opened(disk: SimulatedDisk) -> Journal:
    journal = await Journal.open(disk, recover(disk))
    await journal.commit(b"nnn")
    return journal


def _disk() -> SimulatedDisk:
    return SimulatedDisk(Random(1))


@pytest.mark.parametrize("room", [0, 1, 30])
def test_a_full_disk_takes_no_step_and_is_left_by_a_new_segment(room: int) -> None:
    """A row that does not fit is cut back, and once there is space the walk goes on where it stood."""

    async def scenario() -> None:
        disk = _disk()
        journal = await _opened(disk)
        before = disk.read(segment_name(0))
        disk.faults.free_bytes = room
        with pytest.raises(JournalFull):
            await journal.commit(b"nnn")
        assert disk.read(segment_name(0)) == before
        assert isinstance(await journal.heal(), JournalFull)
        with pytest.raises(JournalFull):
            await journal.commit(b"n")
        disk.faults.free_bytes = None
        assert await journal.heal() is None
        assert await journal.commit(b"n") == Place(3, 3)
        assert recover(disk.powered_off()).place == Place(4, 4)
        assert len(list(segments(disk, segment_files(disk)))) == 2

    asyncio.run(scenario())


def test_a_full_disk_does_not_stop_the_start() -> None:
    """Reads are possible from the start on, and steps once there is space."""

    async def scenario() -> None:
        disk = _disk()
        await (await _opened(disk)).close()
        disk.faults.free_bytes = 0
        journal = await Journal.open(disk, recover(disk))
        assert journal.place == Place(3, 3)
        with pytest.raises(JournalFull):
            await journal.commit(b"n")
        disk.faults.free_bytes = None
        assert await journal.heal() is None
        assert await journal.commit(b"n") == Place(3, 3)

    asyncio.run(scenario())


@pytest.mark.parametrize("fault", ["write_error", "sync_error"])
def test_an_input_output_error_ends_the_journal(fault: str) -> None:
    """EIO on a write or a sync is never retried."""

    async def scenario() -> None:
        disk = _disk()
        journal = await _opened(disk)
        setattr(disk.faults, fault, errno.EIO)
        with pytest.raises(JournalFailed, match="Input/output error"):
            await journal.commit(b"n")
        assert journal.place == Place(3, 3)

    asyncio.run(scenario())


def test_a_row_that_cannot_be_cut_back_ends_the_journal() -> None:
    """If the rest of a row cannot be removed, nothing may follow it."""

    async def scenario() -> None:
        disk = _disk()
        journal = await _opened(disk)
        disk.faults.free_bytes, disk.faults.cut_error = 5, errno.EIO
        with pytest.raises(JournalFailed, match="cut back"):
            await journal.commit(b"n")

    asyncio.run(scenario())


def test_a_removed_segment_ends_the_journal() -> None:
    """A row in a file without a name would be answered and lost."""

    async def scenario() -> None:
        disk = _disk()
        journal = await _opened(disk)
        disk.remove(segment_name(0))
        with pytest.raises(JournalFailed, match="was removed"):
            await journal.commit(b"n")

    asyncio.run(scenario())


@pytest.mark.parametrize("data", [b"", b"sequence,pos", bytes(100)])
def test_a_newer_segment_must_begin_where_the_history_ends(data: bytes) -> None:
    """A segment that was torn before it was used is passed over if it fits, and else tells that history is missing."""

    async def scenario() -> None:
        disk = _disk()
        await _opened(disk)
        files = {name: disk.read(name) for name in disk.names()}
        assert recover(SimulatedDisk(Random(1), files | {segment_name(3): data})).place == Place(3, 3)
        with pytest.raises(DamagedData, match="missing or damaged"):
            recover(SimulatedDisk(Random(1), files | {segment_name(4): data}))

    asyncio.run(scenario())


def test_a_torn_segment_is_kept_aside_when_its_name_is_taken() -> None:
    """What is cut away is kept for whoever wants to look."""

    async def scenario() -> None:
        disk = _disk()
        await Journal.open(disk, recover(disk))
        torn = disk.read(segment_name(0)) + b"1,1,1n,2026"
        disk = SimulatedDisk(Random(1), {segment_name(0): torn})
        journal = await Journal.open(disk, recover(disk))
        await journal.commit(b"n")
        assert disk.read(segment_name(0) + ".torn") == torn
        assert recover(disk.powered_off()).place == Place(1, 1)

    asyncio.run(scenario())


def test_a_directory_has_one_owner(tmp_path: Path) -> None:
    """The second process is told who the first is."""

    async def scenario() -> None:
        first = LinuxDisk.own(tmp_path, Syncer())
        with pytest.raises(DirectoryOwned, match=r"pid \d+"):
            LinuxDisk.own(tmp_path, Syncer())
        first.close()
        LinuxDisk.own(tmp_path, Syncer()).close()

    asyncio.run(scenario())
