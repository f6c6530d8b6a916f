"""Files that are written over in place: straight to the device where that can be had, else through the page cache.

Direct writes of one file overlap, each durable when it is done, and cost half the processor time of a write and a sync
(docs/speed.md). They need memory and offsets that are multiples of a block, so each takes a buffer from a pool.
"""

import asyncio
import ctypes
import errno
import mmap
import os
from collections.abc import Awaitable
from contextlib import suppress
from functools import partial
from typing import Final, Self

from pexservice.disk import Done
from pexservice.disk.syncer import OPERATIONS_MAX, Syncer

NOT_DIRECT: Final = frozenset({errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS, errno.EAGAIN, errno.EPERM})
"""What opening for direct writes, or the first of them, says where file system, kernel or sandbox has none."""


class _Buffer:
    """Memory that begins at a page, and how much of it was written to."""

    def __init__(self, size_bytes: int) -> None:
        self.memory = mmap.mmap(-1, size_bytes)
        self.size_bytes = size_bytes
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self.memory))


class DirectFile:
    """Writes by O_DIRECT and RWF_DSYNC, any number at once. See `disk.FixedFile`."""

    method = "linux-aio-direct"
    in_flight_max = OPERATIONS_MAX // 2

    def __init__(self, fd: int, syncer: Syncer) -> None:
        """Use `open`."""
        self._fd = fd
        self._size_bytes = os.fstat(fd).st_size
        self._syncer = syncer
        self._buffers: list[_Buffer] = []

    @classmethod
    async def open(cls, name: str, dir_fd: int, syncer: Syncer, block_bytes: int) -> Self:
        """Open a file, and write its last block again. Raises OSError, one of `NOT_DIRECT` where this cannot be had."""
        file = cls(os.open(name, os.O_RDWR | os.O_DIRECT, dir_fd=dir_fd), syncer)
        try:
            await file._try(block_bytes)
        except BaseException:
            file.close()
            raise
        return file

    async def _try(self, block_bytes: int) -> None:
        buffer = _Buffer(block_bytes)
        offset = self._size_bytes - block_bytes
        os.preadv(self._fd, [buffer.memory], offset)
        tried: asyncio.Future[OSError | None] = asyncio.get_running_loop().create_future()
        self.write(offset, buffer.memory[:], tried.set_result)
        error = await tried
        if error is not None:
            raise error

    def write(self, offset: int, data: bytes, done: Done) -> None:
        """As `FixedFile.write`."""
        size_bytes = len(data)
        buffer = self._take(size_bytes)
        buffer.memory[:size_bytes] = data
        try:
            told = partial(self._on_done, buffer, size_bytes, done)
            self._syncer.write(self._fd, buffer.address, size_bytes, offset, told)
        except OSError as error:
            asyncio.get_running_loop().call_soon(done, error)

    def write_cached(self, offset: int, data: bytes) -> None:
        """As `FixedFile.write_cached`: not here."""
        raise NotImplementedError

    def sync(self) -> Awaitable[None]:
        """As `FixedFile.sync`: not here."""
        raise NotImplementedError

    def is_whole(self) -> bool:
        """As `FixedFile.is_whole`."""
        return _is_whole(self._fd, self._size_bytes)

    def close(self) -> None:
        """As `FixedFile.close`."""
        let_go(self._fd)

    def _take(self, size_bytes: int) -> _Buffer:
        buffer = self._buffers.pop() if self._buffers else None
        if buffer is None or buffer.size_bytes < size_bytes:
            return _Buffer(max(size_bytes, mmap.PAGESIZE))
        return buffer

    def _on_done(self, buffer: _Buffer, size_bytes: int, done: Done, result: int) -> None:
        self._buffers.append(buffer)
        done(None if result == size_bytes else _error_of(result, size_bytes))


class CachedFile:
    """Writes through the page cache, and syncs them one at a time. See `disk.FixedFile`."""

    in_flight_max = 1

    def __init__(self, fd: int, syncer: Syncer) -> None:
        self._fd = fd
        self._size_bytes = os.fstat(fd).st_size
        self._syncer = syncer
        self._waiting: list[Done] = []
        self._is_syncing = False

    @property
    def method(self) -> str:
        """As `FixedFile.method`."""
        return self._syncer.method

    def write(self, offset: int, data: bytes, done: Done) -> None:
        """As `FixedFile.write`."""
        try:
            self.write_cached(offset, data)
        except OSError as error:
            asyncio.get_running_loop().call_soon(done, error)
        else:
            self._waiting.append(done)
            if not self._is_syncing:  # Of two syncs at a time that fail the system tells one only.
                self._sync_waiting()

    def write_cached(self, offset: int, data: bytes) -> None:
        """As `FixedFile.write_cached`."""
        written = os.pwrite(self._fd, data, offset)
        if written != len(data):
            raise _error_of(written, len(data))

    def sync(self) -> Awaitable[None]:
        """As `FixedFile.sync`."""
        return self._syncer.sync(self._fd)

    def _sync_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        self._is_syncing = True
        self._syncer.sync(self._fd).add_done_callback(partial(self._on_synced, waiting))

    def _on_synced(self, waiting: list[Done], synced: asyncio.Future[None]) -> None:
        self._is_syncing = False
        if synced.cancelled():
            return
        error = synced.exception()
        assert error is None or isinstance(error, OSError), "a sync fails with an error of the system"
        if error is not None:
            waiting, self._waiting = [*waiting, *self._waiting], []
        elif self._waiting:
            self._sync_waiting()
        for done in waiting:
            done(error)

    def is_whole(self) -> bool:
        """As `FixedFile.is_whole`."""
        return _is_whole(self._fd, self._size_bytes)

    def close(self) -> None:
        """As `FixedFile.close`."""
        let_go(self._fd)


def let_go(fd: int) -> None:
    """Close a descriptor behind which nothing is at stake: all that was written is synced, or nothing was.

    Some file systems tell late errors here, such as NFS, but none of what was synced; and the descriptor is gone then.
    """
    with suppress(OSError):
        os.close(fd)


def _is_whole(fd: int, size_bytes: int) -> bool:
    found = os.fstat(fd)
    return found.st_nlink > 0 and found.st_size == size_bytes


def _error_of(result: int, size_bytes: int) -> OSError:
    """Return the error for what a write returned instead of the number of its bytes."""
    if result < 0:
        return OSError(-result, os.strerror(-result))
    return OSError(errno.EIO, f"only {result} of {size_bytes} bytes were written")
