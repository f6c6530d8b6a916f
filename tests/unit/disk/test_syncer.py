"""What waits for the disk waits beside the event loop: by the threads of the C library, or else by those of Python."""

import asyncio
import ctypes
import errno
import os
import signal
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from pexservice.disk import syncer
from pexservice.disk.aio import DeviceQueue
from pexservice.disk.syncer import Buffer, Syncer

Lack = Callable[[pytest.MonkeyPatch], None]


def _no_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> Any:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(syncer, "DeviceQueue", refuse)


def _another_library(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {name: number for name, number in os.confstr_names.items() if "LIBC" not in name}
    monkeypatch.setattr(os, "confstr_names", names)


async def written(writer: Syncer, fd: int, pieces: Iterable[tuple[int, bytes]]) -> list[int]:
    """Write all of this at once, and return what became of it."""
    outcomes: list[asyncio.Future[int]] = []
    for offset, data in pieces:
        buffer = Buffer(len(data))
        buffer.memory[: len(data)] = data
        outcomes.append(asyncio.get_running_loop().create_future())
        writer.write(fd, buffer, len(data), offset, outcomes[-1].set_result)
    return list(await asyncio.gather(*outcomes))


@pytest.mark.parametrize("lack", [None, _no_queue, _another_library])
def test_what_is_written_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lack: Lack | None) -> None:
    """Many at a time and many after another, whichever way; that it is the slower one is told once."""
    if lack is not None:
        lack(monkeypatch)
    path = tmp_path / "file"

    async def scene() -> None:
        writer = Syncer()
        file = os.open(path, os.O_CREAT | os.O_RDWR)
        try:
            for turn in range(3):
                pieces = [(10 * index, b"%d%09d" % (turn, index)) for index in range(50)]
                assert await written(writer, file, pieces) == [10] * 50
                assert path.read_bytes() == b"".join(data for _, data in pieces)
        finally:
            os.close(file)
        assert writer.method == ("posix-aio" if lack is None else "thread")

    with capture_logs() as logs:
        asyncio.run(scene())
    assert [entry["log_level"] for entry in logs] == (["warning"] if lack is not None else [])


@pytest.mark.parametrize("lack", [None, _no_queue])
def test_a_write_that_fails_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lack: Lack | None) -> None:
    """With the number of the system's error; those beside it are written."""
    if lack is not None:
        lack(monkeypatch)

    async def scene() -> None:
        writer = Syncer()
        good, bad = os.open(tmp_path / "file", os.O_CREAT | os.O_RDWR), os.open(tmp_path, os.O_RDONLY)
        try:
            outcomes = [await written(writer, fd, [(0, b"bytes")]) for fd in (bad, good, bad)]
        finally:
            os.close(good)
            os.close(bad)
        assert outcomes == [[-errno.EBADF], [5], [-errno.EBADF]]

    asyncio.run(scene())


def test_a_thread_without_memory_is_no_success(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python has its own error for that one."""

    def pwrite(*_: object) -> int:
        raise MemoryError

    async def scene() -> None:
        writer = Syncer()
        monkeypatch.setattr(os, "pwrite", pwrite)
        with (tmp_path / "file").open("wb") as file:
            assert await written(writer, file.fileno(), [(0, b"bytes")]) == [-errno.ENOMEM]

    _no_queue(monkeypatch)
    asyncio.run(scene())


def test_a_thread_that_is_cut_off_tells_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The event loop ends, and cancels what it waits for."""
    waiting = threading.Event()

    async def scene() -> None:
        writer, told = Syncer(), list[int]()
        writing = asyncio.get_running_loop().create_future()
        monkeypatch.setattr(syncer, "off_loop", lambda _write: writing)
        with (tmp_path / "file").open("wb") as file:
            writer.write(file.fileno(), Buffer(5), 5, 0, told.append)
            writing.cancel()
            await asyncio.sleep(0)
        assert told == []
        waiting.set()

    _no_queue(monkeypatch)
    asyncio.run(scene())
    assert waiting.is_set()


def test_two_queues_of_a_process_hear_of_their_own(tmp_path: Path) -> None:
    """They have one signal, which either of them takes away."""

    async def scene() -> None:
        writers = [Syncer(), Syncer()]
        with (tmp_path / "file").open("wb") as file:
            for _ in range(50):
                both = asyncio.gather(*(written(writer, file.fileno(), [(0, b"bytes")]) for writer in writers))
                assert await asyncio.wait_for(both, 5) == [[5], [5]]

    asyncio.run(scene())


def test_a_thread_that_could_get_the_signal_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would end the process; so there is no queue then."""
    going, gone = threading.Event(), threading.Event()

    def wait() -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGIO])
        going.set()
        gone.wait(10)

    thread = threading.Thread(target=wait)
    thread.start()
    try:
        going.wait(10)
        with pytest.raises(OSError, match=r"thread \d+ has not blocked SIGIO"):
            DeviceQueue()
    finally:
        gone.set()
        thread.join()
    DeviceQueue()


def test_what_the_system_refuses_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As of each call of the C library: -1, and a number. A thread that it cannot have is one that Python may have."""

    async def scene() -> None:
        writer = Syncer()
        queue = writer._queue
        assert queue is not None
        code = errno.EAGAIN

        def refuse(_: object) -> int:
            ctypes.set_errno(code)
            return -1

        monkeypatch.setattr(queue, "_write", refuse)
        with (tmp_path / "file").open("wb") as file:
            assert await written(writer, file.fileno(), [(0, b"bytes")]) == [5]
            code = errno.EINVAL
            with pytest.raises(OSError, match="Invalid argument"):
                await written(writer, file.fileno(), [(0, b"bytes")])
        assert not writer._under_way

    asyncio.run(scene())


def test_files_and_directories_are_synced(monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory with fsync, since a rename changes no size; a file needs fdatasync alone."""
    calls: list[tuple[str, int]] = []
    monkeypatch.setattr(os, "fsync", lambda fd: calls.append(("fsync", fd)))
    monkeypatch.setattr(os, "fdatasync", lambda fd: calls.append(("fdatasync", fd)))

    async def scene() -> None:
        writer = Syncer()
        await writer.sync(7)
        await writer.sync(8, is_directory=True)

    asyncio.run(scene())
    assert calls == [("fdatasync", 7), ("fsync", 8)]


def test_a_sync_that_fails_says_so() -> None:
    """A descriptor that cannot be synced gives an OSError, and never a success."""

    async def scene() -> None:
        writer = Syncer()
        reading, writing = os.pipe()
        try:
            with pytest.raises(OSError, match=r"Invalid argument"):
                await writer.sync(writing)
        finally:
            os.close(reading)
            os.close(writing)

    asyncio.run(scene())
