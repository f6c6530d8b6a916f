"""Writing over a file in place through the page cache, which is synced now and then."""

import asyncio
import errno
import os
from pathlib import Path
from typing import NoReturn

import pytest

from pexservice.disk import fixed
from pexservice.disk.aio import DeviceQueue
from pexservice.disk.fixed import LinuxFixedFile
from pexservice.disk.linux import LinuxDisk
from pexservice.disk.syncer import Syncer
from support.fixed_files import on_disk, written


def test_a_file_stays_open_while_it_is_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a write that has not begun could go to another file, which got the number."""

    async def scenario(disk: LinuxDisk) -> None:
        file = await disk.open_fixed("file", is_cached=True)
        assert isinstance(file, LinuxFixedFile)
        monkeypatch.setattr(file, "_is_quick", lambda: False)
        writing = asyncio.ensure_future(written(file, (0, b"late")))
        await asyncio.sleep(0)
        file.close()
        os.fstat(file._fds[0])
        assert await writing == [None]
        file.close()
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(file._fds[0])

    on_disk(tmp_path, scenario)


def test_cached_writes_are_there_at_once(tmp_path: Path) -> None:
    """And durable with a sync."""

    async def scenario(disk: LinuxDisk) -> None:
        file = await disk.open_fixed("file", is_cached=True)
        outcomes: list[OSError | None] = []
        file.write(4096, b"x" * 4096, outcomes.append)
        assert outcomes == [None]
        assert (tmp_path / "file").read_bytes()[4096:8192] == b"x" * 4096
        await file.sync()
        assert (file.method, file.in_flight_max) == ("posix-aio", 1)
        assert file.is_whole()
        file.close()

    on_disk(tmp_path, scenario)


def test_cached_writes_to_a_slow_disk_do_not_stop_the_event_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From 20 ms of a sync on, until one was quicker again: to write may wait for the disk as the sync does."""
    clock = [0.0]
    monkeypatch.setattr(fixed, "monotonic", lambda: clock[0])

    async def scenario(disk: LinuxDisk) -> None:
        syncs: list[asyncio.Future[None]] = []

        def sync(_: Syncer, fd: int) -> asyncio.Future[None]:
            syncs.append(asyncio.get_running_loop().create_future())
            return syncs[-1]

        monkeypatch.setattr(Syncer, "sync", sync)
        file = await disk.open_fixed("file", is_cached=True)

        async def is_at_once() -> bool:
            outcome: asyncio.Future[OSError | None] = asyncio.get_running_loop().create_future()
            file.write(0, b"some", outcome.set_result)
            at_once = outcome.done()
            assert await outcome is None
            return at_once

        async def end(sync: asyncio.Future[None]) -> None:
            sync.set_result(None)
            await asyncio.sleep(0)

        assert await is_at_once()
        file.sync()
        assert await is_at_once()
        clock[0] = 0.03
        assert not await is_at_once()
        await end(syncs[0])
        assert not await is_at_once()
        file.sync()
        assert not await is_at_once()
        clock[0] = 0.04
        await end(syncs[1])
        assert await is_at_once()
        file.close()

    on_disk(tmp_path, scenario)


@pytest.mark.parametrize("is_quick", [True, False])
@pytest.mark.parametrize("result", [5, errno.ENOSPC])
def test_a_cached_write_that_fails_is_told(
    *, is_quick: bool, result: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A short one too."""
    really_completed = DeviceQueue.completed

    def pwrite(*_: object) -> int:
        if result == errno.ENOSPC:
            raise OSError(errno.ENOSPC, "No space left on device")
        return result

    def completed(queue: DeviceQueue) -> list[tuple[int, int]]:
        return [(ticket, result if result == 5 else -result) for ticket, _ in really_completed(queue)]

    async def scenario(disk: LinuxDisk) -> None:
        file = await disk.open_fixed("file", is_cached=True)
        with monkeypatch.context() as patch:
            patch.setattr(file, "_is_quick", lambda: is_quick)
            patch.setattr(os, "pwrite", pwrite)
            patch.setattr(DeviceQueue, "completed", completed)
            (error,) = await written(file, (0, b"e" * 4096))
        assert error is not None
        assert error.errno == (errno.EIO if result == 5 else errno.ENOSPC)
        file.close()

    on_disk(tmp_path, scenario)


def test_a_file_that_cannot_be_looked_at_is_not_left_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the reason is."""

    async def scenario(disk: LinuxDisk) -> None:
        before = set(os.listdir("/proc/self/fd"))

        def fstat(_: int) -> NoReturn:
            raise OSError(errno.EIO, "Input/output error")

        with monkeypatch.context() as patch:
            patch.setattr(os, "fstat", fstat)
            with pytest.raises(OSError, match="Input/output error"):
                await disk.open_fixed("file", is_cached=True)
        assert set(os.listdir("/proc/self/fd")) == before

    on_disk(tmp_path, scenario)
