"""A file that grows does so beside the event loop."""

import asyncio
import errno
import os
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from pexservice.disk.growing import LinuxFile
from pexservice.disk.syncer import Syncer


def with_file(path: Path, scenario: Callable[[LinuxFile, int], Coroutine[Any, Any, None]]) -> None:
    """Run a scenario with a new file, and its descriptor."""

    async def run() -> None:
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL)
        await scenario(LinuxFile(fd, Syncer()), fd)

    asyncio.run(run())


def test_all_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if each time the system takes a part only."""
    write = os.write

    async def scenario(file: LinuxFile, fd: int) -> None:
        monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:3]))
        await file.append(b"one and ")
        await file.append(b"another")
        await file.sync()
        file.close()
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(fd)

    with_file(tmp_path / "file", scenario)
    assert (tmp_path / "file").read_bytes() == b"one and another"


def test_what_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the file can be let go of."""

    def write(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    async def scenario(file: LinuxFile, fd: int) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", write)
            with pytest.raises(OSError, match="No space left"):
                await file.append(b"data")
        file.close()
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(fd)

    with_file(tmp_path / "file", scenario)


def test_a_file_stays_open_while_a_thread_writes_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waited for that was cut off; another file could get the number."""
    going, go_on, gone = threading.Event(), threading.Event(), threading.Event()
    write = os.write

    def slowly(fd: int, data: bytes) -> int:
        going.set()
        go_on.wait(10)
        try:
            return write(fd, data)
        finally:
            gone.set()

    async def scenario(file: LinuxFile, fd: int) -> None:
        monkeypatch.setattr(os, "write", slowly)
        appending = asyncio.ensure_future(file.append(b"data"))
        await asyncio.to_thread(going.wait, 10)
        appending.cancel()
        await asyncio.wait([appending])
        file.close()
        go_on.set()
        gone.wait(10)
        monkeypatch.undo()
        os.fstat(fd)
        os.close(fd)

    with_file(tmp_path / "file", scenario)
    assert (tmp_path / "file").read_bytes() == b"data"
