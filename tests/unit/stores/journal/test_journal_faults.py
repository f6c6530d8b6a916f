"""What the journal does when the disk does not do what it should."""

import asyncio
import errno
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any, NoReturn

import pytest
from structlog.testing import capture_logs

from pexservice.core.judging import Place
from pexservice.core.measures import Histogram
from pexservice.disk.linux import LinuxDisk
from pexservice.disk.syncer import Syncer
from pexservice.errors import DamagedData, DirectoryOwned
from pexservice.limits import DEFAULT
from pexservice.stores.journal.errors import JournalFailed, JournalFull
from pexservice.stores.journal.segment import segment_name
from pexservice.stores.journal.writer import Journal
from support.journals import healed, open_journal, recovered, whole
from support.simulated_disk import SimulatedDisk


async def _opened(disk: SimulatedDisk) -> Journal[Any, Any]:
    journal = await open_journal(disk)
    await journal.commit(b"nnn")
    return journal


def _disk() -> SimulatedDisk:
    return SimulatedDisk(Random(1))


def _size_bytes(journal: Journal[Any, Any]) -> float:
    [measure] = [each for each in journal.status().measures if each.name == "pex_segment_bytes"]
    assert not isinstance(measure.value, Histogram)
    return measure.value


def _without_descriptors(name: str) -> NoReturn:
    raise OSError(errno.EMFILE, "Too many open files")


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
        assert isinstance(await healed(journal), JournalFull)
        with pytest.raises(JournalFull, match="after sequence 3"):
            await journal.commit(b"n")
        disk.faults.free_bytes = 30
        assert isinstance(await healed(journal), JournalFull)
        assert disk.names() == [segment_name(0)]  # Nothing is left of the attempts.
        disk.faults.free_bytes = None
        assert await healed(journal) is None
        assert (await journal.commit(b"n")).start == Place(3, 3)
        assert recovered(disk.powered_off()).place == Place(4, 4)
        assert len(whole(disk)) == 2

    asyncio.run(scenario())


def test_a_full_disk_does_not_stop_the_start() -> None:
    """Reads are possible from the start on, and steps once there is space."""

    async def scenario() -> None:
        disk = _disk()
        await (await _opened(disk)).close()
        disk.faults.free_bytes = 0
        journal = await open_journal(disk)
        assert journal.read() == Place(3, 3)
        with pytest.raises(JournalFull):
            await journal.commit(b"n")
        disk.faults.free_bytes = None
        assert await healed(journal) is None
        assert (await journal.commit(b"n")).start == Place(3, 3)

    asyncio.run(scenario())


def test_what_is_lacking_is_told() -> None:
    """No descriptor is as bad as no space, and the log and the client are told which, of which file, and when not."""

    async def scenario() -> None:
        disk = _disk()
        with pytest.MonkeyPatch.context() as patch, capture_logs() as logs:
            patch.setattr(disk, "create", _without_descriptors)
            journal = await open_journal(disk)
            refusal = await healed(journal)
        lacking = f"cannot begin the segment {segment_name(0)}: Too many open files"
        assert [entry["error"] for entry in logs] == [lacking]
        assert str(refusal) == lacking
        assert "disk space, or no file descriptor" in JournalFull.detail

    asyncio.run(scenario())


def test_a_rotation_is_put_off_without_room_and_tried_again_after_some_growth() -> None:
    """The segment grows on, and an attempt is not made with every group."""

    async def scenario() -> None:
        disk = _disk()
        journal = await open_journal(disk, limits=replace(DEFAULT, segment_bytes_max=64 * 200))
        attempts = []

        def create(name: str) -> NoReturn:
            attempts.append(_size_bytes(journal))
            _without_descriptors(name)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(disk, "create", create)
            while len(attempts) < 5:
                await journal.commit(b"n")
        assert attempts[0] >= 64 * 200
        assert all(later - earlier >= 200 for earlier, later in pairwise(attempts))
        while _size_bytes(journal) > 64 * 200:
            await journal.commit(b"n")
        assert len(whole(disk)) == 2
        while _size_bytes(journal) < 64 * 200:
            await journal.commit(b"n")
        await journal.commit(b"n")
        assert len(whole(disk)) == 3  # Later ones are as long as ever.
        assert recovered(disk.powered_off()).place == journal.read()

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
        assert journal.read() == Place(3, 3)
        setattr(disk.faults, fault, None)
        with pytest.raises(JournalFailed, match="Input/output error"):
            await journal.commit(b"n")
        assert journal.read() == Place(3, 3)

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


@pytest.mark.parametrize("data", [b"", b"sequence,pos", bytes(100)], ids=["emptied", "cut", "zeros"])
@pytest.mark.parametrize("sequence", [0, 3, 4])
def test_a_newest_segment_that_was_emptied_is_damage(data: bytes, sequence: int) -> None:
    """It was whole before it got its name, and may have held answered steps: no start and no verify passes it over."""

    async def scenario() -> None:
        disk = _disk()
        await _opened(disk)
        files = {name: disk.read(name) for name in disk.names()} | {segment_name(sequence): data}
        damaged = SimulatedDisk(Random(1), files)
        with pytest.raises(DamagedData, match=f"{segment_name(sequence)} is damaged at line 1, byte offset 0"):
            recovered(damaged)
        with pytest.raises(DamagedData, match=f"{segment_name(sequence)} is damaged at line 1, byte offset 0"):
            whole(damaged)

    asyncio.run(scenario())


def test_a_torn_segment_is_kept_aside_when_its_name_is_taken() -> None:
    """What is cut away is kept for whoever wants to look."""

    async def scenario() -> None:
        disk = _disk()
        await open_journal(disk)
        torn = disk.read(segment_name(0)) + b"1,1,1n,2026"
        disk = SimulatedDisk(Random(1), {segment_name(0): torn})
        journal = await open_journal(disk)
        await journal.commit(b"n")
        assert disk.read(segment_name(0) + ".torn") == torn
        assert recovered(disk.powered_off()).place == Place(1, 1)

    asyncio.run(scenario())


def test_a_torn_segment_is_kept_aside_after_a_full_disk() -> None:
    """It is kept whenever its name is taken, at the start or once there is room; what takes its name is not."""

    async def scenario() -> None:
        disk = _disk()
        await open_journal(disk)
        torn = disk.read(segment_name(0)) + b"1,1,1n,2026"
        disk = SimulatedDisk(Random(1), {segment_name(0): torn})
        disk.faults.free_bytes = 0
        journal = await open_journal(disk)
        assert isinstance(await healed(journal), JournalFull)
        disk.faults.free_bytes = None
        assert await healed(journal) is None
        assert disk.read(segment_name(0) + ".torn") == torn
        disk.faults.free_bytes = 5
        with pytest.raises(JournalFull):
            await journal.commit(b"n")
        disk.faults.free_bytes = None
        assert await healed(journal) is None
        assert disk.read(segment_name(0) + ".torn") == torn
        assert recovered(disk.powered_off()).place == Place(0, 0)

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
