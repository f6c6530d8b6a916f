"""Syncs beside the event loop: by Linux AIO, or by a thread where the kernel has none."""

import asyncio
import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from pexservice.disk import syncer
from pexservice.disk.aio import SyncQueue
from pexservice.disk.syncer import Syncer


def _refuse(*_: object, **__: object) -> Any:
    raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))


def _no_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syncer, "SyncQueue", _refuse)


def _no_submission(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SyncQueue, "submit", _refuse)


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
