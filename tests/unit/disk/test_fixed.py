"""Writing over a file in place on a real disk: straight to the device, and through the page cache instead."""

import asyncio
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn

import pytest

from pexservice.disk.aio import DeviceQueue
from pexservice.disk.fixed import LinuxFixedFile
from pexservice.disk.linux import LinuxDisk
from pexservice.disk.syncer import Buffer, Syncer
from support.fixed_files import on_disk, written


@pytest.fixture
def direct_path(tmp_path: Path) -> Iterator[Path]:
    """Have a directory on a file system with direct writes: not each has them, and /tmp is often in memory."""
    found: list[bool] = []

    async def scenario(disk: LinuxDisk) -> None:
        file = await disk.open_fixed("file", is_cached=False)
        found.append(file.method == "posix-aio-direct")
        file.close()
        await disk.remove("file")

    for place in (tmp_path, Path("/var/tmp"), Path(__file__).parent):
        with TemporaryDirectory(dir=place) as directory:
            on_disk(Path(directory), scenario)
            if found[-1]:
                yield Path(directory)
                return
    pytest.skip("neither /tmp, /var/tmp nor the checkout are on ext4 or xfs, which have direct writes")


@pytest.mark.parametrize("is_cached", [True, False])
def test_letting_go_is_no_failure(direct_path: Path, is_cached: bool) -> None:  # noqa: FBT001
    """What close(2) says is about nothing that was promised: all of that was synced before."""

    async def scenario(disk: LinuxDisk) -> None:
        file = await disk.open_fixed("file", is_cached=is_cached)
        assert isinstance(file, LinuxFixedFile)
        for fd in file._fds:
            os.close(fd)
        file.close()
        reading = LinuxDisk.inspect(direct_path)
        os.close(reading._fd)
        reading.close()

    on_disk(direct_path, scenario)


def test_writes_that_overlap_in_time_all_arrive(direct_path: Path) -> None:
    """However many are under way, of whatever size, each goes where it belongs."""

    async def scenario(disk: LinuxDisk) -> None:
        file = await disk.open_fixed("file", is_cached=False)
        block = disk.block_bytes()
        for turn in (b"a", b"b", b"c"):
            count = min(file.in_flight_max, 7)
            pieces = [(index * block, turn * block) for index in range(count)]
            assert await written(file, *pieces) == [None] * count
            assert disk.read("file").startswith(turn * block * count)
        assert await written(file, (0, b"d" * 2 * block)) == [None]
        assert disk.read("file").startswith(b"d" * 2 * block)
        assert file.is_whole()
        await disk.rename("file", "other")
        assert file.is_whole()
        with (direct_path / "other").open("r+b") as other:
            size_bytes = other.seek(0, 2)
            other.truncate(size_bytes - 1)
            assert not file.is_whole()
            other.truncate(size_bytes)
        assert file.is_whole()
        await disk.remove("other")
        assert not file.is_whole()
        file.close()

    on_disk(direct_path, scenario)


@pytest.mark.parametrize("refusing", ["open", "write"])
def test_without_direct_writes_the_page_cache_serves(
    refusing: str, direct_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever step says so: opening, or the first write. Each write is synced then, before it is told of."""
    really_open, really_completed, really_sync = os.open, DeviceQueue.completed, os.fdatasync
    synced: list[bytes] = []

    def open_(path: Any, flags: int, *more: Any, **options: Any) -> int:
        if flags & os.O_DIRECT and refusing == "open":
            raise OSError(errno.EINVAL, "Invalid argument")
        return really_open(path, flags, *more, **options)

    def sync(fd: int) -> None:
        synced.append((direct_path / "file").read_bytes())
        really_sync(fd)

    async def scenario(disk: LinuxDisk) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(os, "open", open_)
            if refusing == "write":
                patch.setattr(
                    DeviceQueue, "completed", lambda q: [(ticket, -errno.EINVAL) for ticket, _ in really_completed(q)]
                )
            file = await disk.open_fixed("file", is_cached=False)
        assert (file.method, file.in_flight_max) == ("posix-aio", 1)
        with monkeypatch.context() as patch:
            patch.setattr(os, "fdatasync", sync)
            assert await written(file, (0, b"z" * 4096)) == [None]
            assert synced[-1].startswith(b"z" * 4096)
            assert await written(file, (0, b"x" * 4096), (4096, b"y" * 512)) == [None] * 2
            assert synced[-1].startswith(b"x" * 4096 + b"y" * 512)
        file.close()

    on_disk(direct_path, scenario)


def test_without_the_threads_of_the_library_those_of_python_serve(
    direct_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Direct writes overlap all the same."""

    def refuse(_: DeviceQueue) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    async def scenario(disk: LinuxDisk) -> None:
        file = await disk.open_fixed("file", is_cached=False)
        assert (file.method, file.in_flight_max) == ("thread-direct", 4)
        block = disk.block_bytes()
        pieces = [(index * block, b"%d" % index * block) for index in range(4)]
        assert await written(file, *pieces) == [None] * 4
        assert disk.read("file").startswith(b"".join(data for _, data in pieces))
        file.close()

    monkeypatch.setattr(DeviceQueue, "__init__", refuse)
    on_disk(direct_path, scenario)


@pytest.mark.parametrize("result", [-errno.EIO, 512])
def test_a_direct_write_that_fails_or_comes_short_is_told(
    result: int, direct_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the system's error, or one that says how much is missing."""
    really_completed = DeviceQueue.completed

    async def scenario(disk: LinuxDisk) -> None:
        file = await disk.open_fixed("file", is_cached=False)
        with monkeypatch.context() as patch:
            patch.setattr(DeviceQueue, "completed", lambda q: [(ticket, result) for ticket, _ in really_completed(q)])
            (error,) = await written(file, (0, b"e" * 4096))
        assert error is not None
        assert error.errno == errno.EIO
        file.close()

    on_disk(direct_path, scenario)


def test_what_cannot_be_opened_or_probed_is_an_error(direct_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what says that there are no direct writes leads to the page cache."""

    async def scenario(disk: LinuxDisk) -> None:
        with pytest.raises(FileNotFoundError):
            await disk.open_fixed("missing", is_cached=False)

        def preadv(*_: object) -> int:
            raise OSError(errno.EIO, "Input/output error")

        monkeypatch.setattr(os, "preadv", preadv)
        with pytest.raises(OSError, match="Input/output error"):
            await disk.open_fixed("file", is_cached=False)

    on_disk(direct_path, scenario)


def test_a_write_that_the_library_does_not_take_is_told_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As all outcomes of durable writes are."""

    async def scenario(disk: LinuxDisk) -> None:
        def refuse(*_: object) -> NoReturn:
            raise OSError(errno.EBADF, "Bad file descriptor")

        monkeypatch.setattr(disk, "_file_system", lambda: "another")
        file = await disk.open_fixed("file", is_cached=False)
        monkeypatch.setattr(DeviceQueue, "write", refuse)
        told: list[OSError | None] = []
        file.write(0, b"e" * 512, told.append)
        assert told == []
        await asyncio.sleep(0)
        assert [error and error.errno for error in told] == [errno.EBADF]
        file.close()

    on_disk(tmp_path, scenario)


def test_the_block_of_a_disk_is_known_or_taken_to_be_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A power of two between what disks have; 4,096 where the kernel tells nothing."""

    async def scenario(disk: LinuxDisk) -> None:
        assert disk.block_bytes() >= 512
        assert disk.block_bytes().bit_count() == 1
        monkeypatch.setattr(os, "major", lambda _: 0)
        monkeypatch.setattr(os, "minor", lambda _: 2**20)
        assert disk.block_bytes() == 4096

    on_disk(tmp_path, scenario)


def test_syncs_of_a_file_do_not_overlap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two that fail the system tells one only: writes that come meanwhile share the next, or its failure."""

    async def scenario(disk: LinuxDisk) -> None:
        monkeypatch.setattr(disk, "_file_system", lambda: "another")
        file = await disk.open_fixed("file", is_cached=False)
        syncs: list[asyncio.Future[None]] = []

        def sync(_: Syncer, fd: int) -> asyncio.Future[None]:
            syncs.append(asyncio.get_running_loop().create_future())
            return syncs[-1]

        def write(
            _: Syncer, _fd: int, _buffer: Buffer, size_bytes: int, _offset: int, done: Callable[[int], None]
        ) -> None:
            done(size_bytes)

        monkeypatch.setattr(Syncer, "sync", sync)
        monkeypatch.setattr(Syncer, "write", write)
        told: list[tuple[int, OSError | None]] = []

        def ask(number: int) -> None:
            file.write(0, b"e" * 512, lambda error: told.append((number, error)))

        for number in range(5):
            ask(number)
        assert len(syncs) == 1
        syncs[0].set_result(None)
        await asyncio.sleep(0)
        assert (told, len(syncs)) == ([(0, None)], 2)
        ask(5)
        error = OSError(errno.EIO, "Input/output error")
        syncs[1].set_exception(error)
        await asyncio.sleep(0)
        assert (told[1:], len(syncs)) == ([(number, error) for number in range(1, 6)], 2)
        ask(6)
        syncs[2].cancel()
        await asyncio.sleep(0)
        assert len(told) == 6
        file.close()

    on_disk(tmp_path, scenario)
