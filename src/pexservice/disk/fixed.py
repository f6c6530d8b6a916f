"""Files that are written over in place: straight to the device where that can be had, else through the page cache.

Direct writes (`O_DIRECT`) to a file opened with `O_DSYNC` overlap, each on stable storage when it is done, and cost
half the processor time of a write and a sync (docs/speed.md). They need memory and offsets that are multiples of a
block, so each write takes a buffer from a pool.

PERF: a file that is synced now and then is written to from the event loop, as long as the disk is quick: 1.35 times
the steps/s with one client, and 1.5 with ten, of what threads make. When the disk becomes slow, or its file system is
frozen, one write may wait for it, and the event loop with it: the price of `--durability interval`.
"""

import asyncio
import errno
import os
from collections.abc import Awaitable
from contextlib import suppress
from functools import partial
from itertools import cycle
from time import monotonic
from typing import Final, Self

from pexservice.disk import Done
from pexservice.disk.daemons import off_loop
from pexservice.disk.syncer import Buffer, Syncer

NOT_DIRECT: Final = frozenset({errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS, errno.EPERM})
"""What opening for direct writes, or the first of them, says where file system, kernel or sandbox has none."""
_AT_ONCE: Final = 4
"""Direct writes under way at a time: the journal has no more groups in flight. Each has a descriptor of its own, since
writes to one queue up."""


_QUICK_S_MAX: Final = 0.02
"""A sync that takes longer is one of a slow disk."""


class LinuxFixedFile:
    """See `disk.FixedFile`."""

    def __init__(self, fds: list[int], syncer: Syncer, *, is_direct: bool = False, is_cached: bool = False) -> None:
        """Use `open_direct` or `open_cached`."""
        self.in_flight_max = len(fds)
        self.method = f"{syncer.method}-direct" if is_direct else syncer.method
        self._fds = fds
        self._next_fd = cycle(fds).__next__
        self._size_bytes = os.fstat(fds[0]).st_size
        self._syncer = syncer
        self._spare: list[Buffer] = []
        self._writes = 0
        """How many are under way."""
        self._is_direct = is_direct
        self._is_cached = is_cached
        self._unsynced: list[Done] = []
        """Of a file that is neither: who waits for the next sync."""
        self._is_syncing = False
        self._sync_s: float | None = None
        """When the sync began that is under way."""
        self._was_quick = True
        """Whether the last one was."""

    @classmethod
    async def open_direct(cls, name: str, dir_fd: int, syncer: Syncer, block_bytes: int) -> Self:
        """Open a file for direct writes, and write its last block again.

        Raises OSError, one of `NOT_DIRECT` where this cannot be had.
        """
        fds: list[int] = []
        try:
            flags = os.O_RDWR | os.O_DIRECT | os.O_DSYNC
            fds.extend(os.open(name, flags, dir_fd=dir_fd) for _ in range(_AT_ONCE))  # One by one: some may be open.
            file = cls(fds, syncer, is_direct=True)
        except BaseException:
            for fd in fds:
                let_go(fd)
            raise
        try:
            await file._try(block_bytes)
        except BaseException:
            file.close()
            raise
        return file

    @classmethod
    def open_cached(cls, name: str, dir_fd: int, syncer: Syncer, *, is_cached: bool) -> Self:
        """Open a file for writes to the page cache; unless it is to be cached, each is synced. Raises OSError.

        By fdatasync, and not by O_DSYNC: not each file system does for that what it does for a sync.
        """
        fd = os.open(name, os.O_RDWR, dir_fd=dir_fd)
        try:
            return cls([fd], syncer, is_cached=is_cached)
        except BaseException:
            let_go(fd)
            raise

    async def _try(self, block_bytes: int) -> None:
        buffer = Buffer(block_bytes)
        offset = self._size_bytes - block_bytes
        block = memoryview(buffer.memory)[:block_bytes]
        await off_loop(partial(os.preadv, self._fds[0], [block], offset))
        tried: asyncio.Future[OSError | None] = asyncio.get_running_loop().create_future()
        self.write(offset, bytes(block), tried.set_result)
        error = await tried
        if error is not None:
            raise error

    def write(self, offset: int, data: bytes, done: Done) -> None:
        """As `FixedFile.write`."""
        size_bytes = len(data)
        if self._is_cached and self._is_quick():
            try:
                written = os.pwrite(self._fds[0], data, offset)
            except OSError as error:
                done(error)
            else:
                done(None if written == size_bytes else _error_of(written, size_bytes))
            return
        buffer = self._take(size_bytes)
        buffer.memory[:size_bytes] = data
        try:
            told = partial(self._on_done, buffer, size_bytes, done)
            self._syncer.write(self._next_fd(), buffer, size_bytes, offset, told)
            self._writes += 1
        except OSError as error:
            asyncio.get_running_loop().call_soon(done, error)

    def sync(self) -> Awaitable[None]:
        """As `FixedFile.sync`."""
        self._sync_s = monotonic()
        synced = self._syncer.sync(self._fds[0])
        synced.add_done_callback(partial(self._on_synced, self._sync_s))
        return synced

    def _on_synced(self, began_s: float, _synced: asyncio.Future[None]) -> None:
        self._sync_s = None
        self._was_quick = monotonic() - began_s <= _QUICK_S_MAX

    def _is_quick(self) -> bool:
        return self._was_quick and (self._sync_s is None or monotonic() - self._sync_s <= _QUICK_S_MAX)

    def is_whole(self) -> bool:
        """As `FixedFile.is_whole`."""
        found = os.fstat(self._fds[0])
        return found.st_nlink > 0 and found.st_size == self._size_bytes

    def close(self) -> None:
        """As `FixedFile.close`."""
        if not self._writes:
            for fd in self._fds:
                let_go(fd)

    def _take(self, size_bytes: int) -> Buffer:
        buffer = self._spare.pop() if self._spare else None
        return buffer if buffer is not None and len(buffer.memory) >= size_bytes else Buffer(size_bytes)

    def _on_done(self, buffer: Buffer, size_bytes: int, done: Done, result: int) -> None:
        self._spare.append(buffer)
        self._writes -= 1
        if result != size_bytes:
            done(_error_of(result, size_bytes))
        elif self._is_direct or self._is_cached:
            done(None)
        else:
            self._unsynced.append(done)
            if not self._is_syncing:  # Of two syncs at a time that fail the system tells one only.
                self._sync_all()

    def _sync_all(self) -> None:
        unsynced, self._unsynced = self._unsynced, []
        self._is_syncing = True
        self._syncer.sync(self._fds[0]).add_done_callback(partial(self._on_all_synced, unsynced))

    def _on_all_synced(self, unsynced: list[Done], synced: asyncio.Future[None]) -> None:
        self._is_syncing = False
        if synced.cancelled():
            return
        error = synced.exception()
        assert error is None or isinstance(error, OSError), "a sync fails with an error of the system"
        if error is not None:
            unsynced, self._unsynced = [*unsynced, *self._unsynced], []
        elif self._unsynced:
            self._sync_all()
        for done in unsynced:
            done(error)


def let_go(fd: int) -> None:
    """Close a descriptor behind which nothing is at stake: all that was written is synced, or nothing was.

    Some file systems tell late errors here, such as NFS, but none of what was synced; and the descriptor is gone then.
    """
    with suppress(OSError):
        os.close(fd)


def _error_of(result: int, size_bytes: int) -> OSError:
    """Return the error for what a write returned instead of the number of its bytes."""
    if result < 0:
        return OSError(-result, os.strerror(-result))
    return OSError(errno.EIO, f"only {result} of {size_bytes} bytes were written")
