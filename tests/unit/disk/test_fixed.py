"""Writing over a file in place on a real disk: straight to the device, and through the page cache instead."""

import asyncio
import errno
import os
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from pexservice.disk import FixedFile
from pexservice.disk.aio import DeviceQueue
from pexservice.disk.fixed import CachedFile, DirectFile
from pexservice.disk.linux import LinuxDisk
from pexservice.disk.syncer import Syncer

SIZE = 8 * 4096


def on_disk(path: Path, scenario: Callable[[LinuxDisk], Coroutine[Any, Any, None]]) -> None:
    """Run a scenario with a directory that has a filled file in it."""

    async def run() -> None:
        disk = LinuxDisk.own(path, Syncer())
        file = disk.create("file")
        file.append(b"." * SIZE)
        await file.sync()
        file.close()
        await disk.sync_names()
        try:
            await scenario(disk)
        finally:
            disk.close()

    asyncio.run(run())


@pytest.fixture
def direct_path(tmp_path: Path) -> Iterator[Path]:
    """Have a directory on a file system with direct writes: not each has them, and /tmp is often in memory."""
    found: list[bool] = []

    async def scenario(disk: LinuxDisk) -> None:
        file = await disk.open_fixed("file", is_cached=False)
        found.append(isinstance(file, DirectFile))
        file.close()
        disk.remove("file")

    for place in (tmp_path, Path("/var/tmp"), Path(__file__).parent):
        with TemporaryDirectory(dir=place) as directory:
            on_disk(Path(directory), scenario)
            if found[-1]:
                yield Path(directory)
                return
    pytest.skip("neither /tmp, /var/tmp nor the checkout are on ext4 or xfs, which have direct writes")


async def written(file: FixedFile, *writes: tuple[int, bytes]) -> list[OSError | None]:
    """Write all of this at once, and return the outcomes."""
    loop = asyncio.get_running_loop()
    outcomes: list[asyncio.Future[OSError | None]] = []
    for offset, data in writes:
        outcomes.append(loop.create_future())
        file.write(offset, data, outcomes[-1].set_result)
    return list(await asyncio.gather(*outcomes))


@pytest.mark.parametrize("is_cached", [True, False])
def test_letting_go_is_no_failure(direct_path: Path, is_cached: bool) -> None:  # noqa: FBT001
    """What close(2) says is about nothing that was promised: all of that was synced before."""

    async def scenario(disk: LinuxDisk) -> None:
        file = await disk.open_fixed("file", is_cached=is_cached)
        assert isinstance(file, DirectFile | CachedFile)
        os.close(file._fd)
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
        disk.rename("file", "other")
        assert file.is_whole()
        with (direct_path / "other").open("r+b") as other:
            size_bytes = other.seek(0, 2)
            other.truncate(size_bytes - 1)
            assert not file.is_whole()
            other.truncate(size_bytes)
        assert file.is_whole()
        disk.remove("other")
        assert not file.is_whole()
        file.close()

    on_disk(direct_path, scenario)


def test_cached_writes_are_there_at_once(tmp_path: Path) -> None:
    """And durable with a sync."""

    async def scenario(disk: LinuxDisk) -> None:
        file = await disk.open_fixed("file", is_cached=True)
        assert isinstance(file, CachedFile)
        file.write_cached(4096, b"x" * 4096)
        assert (tmp_path / "file").read_bytes()[4096:8192] == b"x" * 4096
        await file.sync()
        assert await written(file, (0, b"y" * 512)) == [None]
        assert file.method == disk._syncer.method  # type: ignore[union-attr]  # it has one.
        assert file.is_whole()
        file.close()

    on_disk(tmp_path, scenario)


@pytest.mark.parametrize("refusing", ["open", "write", "submit", "aio"])
def test_without_direct_writes_the_page_cache_serves(
    refusing: str, direct_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever step says so: opening, the first write, or a kernel without asynchronous ones."""
    really_open, really_completed = os.open, DeviceQueue.completed

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EINVAL, "Invalid argument")

    def open_(path: Any, flags: int, *more: Any, **options: Any) -> int:
        if flags & os.O_DIRECT:
            raise OSError(errno.EINVAL, "Invalid argument")
        return really_open(path, flags, *more, **options)

    async def scenario(disk: LinuxDisk) -> None:
        with monkeypatch.context() as patch:
            if refusing == "open":
                patch.setattr(os, "open", open_)
            elif refusing == "write":
                patch.setattr(
                    DeviceQueue, "completed", lambda q: [(ticket, -errno.EINVAL) for ticket, _ in really_completed(q)]
                )
            elif refusing == "submit":
                patch.setattr(DeviceQueue, "write", refuse)
            file = await disk.open_fixed("file", is_cached=False)
        assert isinstance(file, CachedFile)
        assert file.in_flight_max == 1
        assert await written(file, (0, b"z" * 4096)) == [None]
        assert disk.read("file").startswith(b"z" * 4096)
        file.close()

    if refusing == "aio":
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
        assert isinstance(file, DirectFile)
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


def test_syncs_of_a_file_do_not_overlap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two that fail the system tells one only: writes that come meanwhile share the next, or its failure."""

    async def scenario(disk: LinuxDisk) -> None:
        file = await disk.open_fixed("file", is_cached=True)
        syncs: list[asyncio.Future[None]] = []

        def sync(_: Syncer, fd: int) -> asyncio.Future[None]:
            syncs.append(asyncio.get_running_loop().create_future())
            return syncs[-1]

        monkeypatch.setattr(Syncer, "sync", sync)
        told: list[tuple[int, OSError | None]] = []
        for number in range(5):
            file.write(0, b"e" * 512, lambda error, number=number: told.append((number, error)))  # type: ignore[misc]
        assert len(syncs) == 1
        syncs[0].set_result(None)
        await asyncio.sleep(0)
        assert (told, len(syncs)) == ([(0, None)], 2)
        file.write(0, b"e" * 512, lambda error: told.append((5, error)))
        error = OSError(errno.EIO, "Input/output error")
        syncs[1].set_exception(error)
        await asyncio.sleep(0)
        assert (told[1:], len(syncs)) == ([(number, error) for number in range(1, 6)], 2)
        file.write(0, b"e" * 512, lambda error: told.append((6, error)))
        syncs[2].cancel()
        await asyncio.sleep(0)
        assert len(told) == 6
        file.close()

    on_disk(tmp_path, scenario)


@pytest.mark.parametrize("what", ["write", "sync"])
def test_a_cached_write_that_fails_is_told(what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Later, as all outcomes are; a short one too."""

    async def scenario(disk: LinuxDisk) -> None:
        file = await disk.open_fixed("file", is_cached=True)
        with monkeypatch.context() as patch:
            if what == "write":
                patch.setattr(os, "pwrite", lambda *_: 5)
            else:
                syncer = disk._syncer
                assert syncer is not None
                patch.setattr(
                    DeviceQueue, "completed", lambda _: [(ticket, -errno.EIO) for ticket in [*syncer._under_way]]
                )
            (error,) = await written(file, (0, b"e" * 4096))
        assert error is not None
        assert error.errno == errno.EIO
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
