"""Syncs beside the event loop: by Linux AIO, or by a thread where the kernel has none."""

import asyncio
import ctypes
import errno
import os
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from pexservice.disk import syncer
from pexservice.disk.aio import DeviceQueue
from pexservice.disk.syncer import Syncer


def _refuse(*_: object, **__: object) -> Any:
    raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))


def _no_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syncer, "DeviceQueue", _refuse)


def _no_submission(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DeviceQueue, "sync", _refuse)


@pytest.mark.parametrize("lack", [None, _no_queue, _no_submission])
def test_files_and_directories_are_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lack: Callable[[pytest.MonkeyPatch], None] | None
) -> None:
    """Two at a time and more, whichever way; that it is the slower one is told once."""
    if lack is not None:
        lack(monkeypatch)

    async def scene() -> None:
        syncs = Syncer()
        file = os.open(tmp_path / "file", os.O_CREAT | os.O_RDWR)
        directory = os.open(tmp_path, os.O_RDONLY)
        try:
            for _ in range(3):
                os.write(file, b"bytes")
                await asyncio.gather(syncs.sync(file), syncs.sync(directory, is_directory=True))
        finally:
            os.close(file)
            os.close(directory)
        assert lack is None or syncs.method == "thread"

    with capture_logs() as logs:
        asyncio.run(scene())
    assert lack is None or [entry["log_level"] for entry in logs] == ["warning"]


@pytest.mark.parametrize("lack", [None, _no_queue])
def test_a_sync_that_fails_says_so(
    monkeypatch: pytest.MonkeyPatch, lack: Callable[[pytest.MonkeyPatch], None] | None
) -> None:
    """A descriptor that cannot be synced gives an OSError, and never a success."""
    if lack is not None:
        lack(monkeypatch)

    async def scene() -> None:
        syncs = Syncer()
        reading, writing = os.pipe()
        try:
            with pytest.raises(OSError, match=r"Invalid argument|Bad file"):
                await syncs.sync(writing)
        finally:
            os.close(reading)
            os.close(writing)

    asyncio.run(scene())


def test_an_error_of_the_kernel_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it says of a sync that it took is told to whoever awaits that one, and to nobody else."""
    completed = DeviceQueue.completed

    def failed(queue: DeviceQueue) -> list[tuple[int, int]]:
        return [(ticket, -errno.EIO if ticket == 0 else result) for ticket, result in completed(queue)]

    monkeypatch.setattr(DeviceQueue, "completed", failed)

    async def scene() -> None:
        syncs = Syncer()
        if syncs.method != "linux-aio":
            pytest.skip("this machine has no Linux AIO")
        with (tmp_path / "file").open("wb") as file:
            outcomes = await asyncio.gather(*(syncs.sync(file.fileno()) for _ in range(2)), return_exceptions=True)
        assert [getattr(outcome, "errno", outcome) for outcome in outcomes] == [errno.EIO, None]

    asyncio.run(scene())


def test_a_signal_hides_no_completion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks what is done, and is interrupted, asks again: the kernel tells of it once."""

    async def scene() -> None:
        syncs = Syncer()
        queue = syncs._queue
        if queue is None:
            pytest.skip("this machine has no Linux AIO")
        ask, asked = queue._get_events, count()

        def interrupted_first() -> Any:
            if next(asked):
                return ask()
            ctypes.set_errno(errno.EINTR)
            return -1

        monkeypatch.setattr(queue, "_get_events", interrupted_first)
        with (tmp_path / "file").open("wb") as file:
            await asyncio.wait_for(syncs.sync(file.fileno()), 5)
        assert next(asked) >= 2

    asyncio.run(scene())


def test_a_directory_is_synced_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """With fsync, since a rename changes no size; a file needs fdatasync alone."""
    calls: list[tuple[str, int]] = []
    _no_queue(monkeypatch)
    monkeypatch.setattr(os, "fsync", lambda fd: calls.append(("fsync", fd)))
    monkeypatch.setattr(os, "fdatasync", lambda fd: calls.append(("fdatasync", fd)))

    async def scene() -> None:
        syncs = Syncer()
        await syncs.sync(7)
        await syncs.sync(8, is_directory=True)

    asyncio.run(scene())
    assert calls == [("fdatasync", 7), ("fsync", 8)]
