"""What waits for the disk, beside the event loop: writes, which are many, and syncs.

The event loop learns of the end of a write as it learns of a request, from a descriptor. Where that cannot be had, each
write has a thread of Python, as each sync does anyway: where writes are direct, those are few.
"""

import asyncio
import errno
import os
from collections.abc import Callable
from contextlib import suppress
from ctypes import addressof, c_char
from functools import partial
from itertools import count
from mmap import PAGESIZE, mmap

import structlog

from pexservice.disk.aio import DeviceQueue
from pexservice.disk.daemons import off_loop

log = structlog.get_logger()


class Buffer:
    """Memory that begins at a page, as direct writes need it."""

    def __init__(self, size_bytes: int) -> None:
        self.memory = mmap(-1, max(size_bytes, PAGESIZE))
        self.address = addressof(c_char.from_buffer(self.memory))


class Syncer:
    """Writes to descriptors, and makes durable what was written."""

    def __init__(self) -> None:
        """Must be called with an event loop running."""
        self._queue: DeviceQueue | None = None
        self._tickets = count()
        self._under_way: dict[int, tuple[Buffer, Callable[[int], None]]] = {}
        try:
            self._queue = DeviceQueue()
        except OSError as error:
            log.warning("no asynchronous writes here, using threads", error=str(error))
        else:
            asyncio.get_running_loop().add_reader(self._queue, self._on_completions)

    @property
    def method(self) -> str:
        """How writes are done: `posix-aio` or `thread`."""
        return "thread" if self._queue is None else "posix-aio"

    def sync(self, fd: int, *, is_directory: bool = False) -> asyncio.Future[None]:
        """Begin to put everything written to `fd` on stable storage; the future is done when it is there.

        A directory gets fsync: fdatasync may leave out a rename, which changes no size. The future raises OSError if
        the outcome cannot be known. Never call it again for the same file then.
        """
        return off_loop(partial(os.fsync if is_directory else os.fdatasync, fd))

    def write(self, fd: int, buffer: Buffer, size_bytes: int, offset: int, done: Callable[[int], None]) -> None:
        """Begin to write what a buffer begins with, which must stay as it is.

        `done` is told later what pwrite(2) returned, or an error number, negated. Raises OSError, and then nothing was
        begun.
        """
        if self._queue is not None:
            ticket = next(self._tickets)
            with suppress(BlockingIOError):  # The library has no thread yet, and there is none to be had.
                self._queue.write(fd, ticket, buffer.address, size_bytes, offset)
                self._under_way[ticket] = buffer, done
                return
        writing = off_loop(partial(os.pwrite, fd, memoryview(buffer.memory)[:size_bytes], offset))
        writing.add_done_callback(partial(_tell, done))

    def _on_completions(self) -> None:
        assert self._queue is not None
        for ticket, result in self._queue.completed():
            _, done = self._under_way.pop(ticket)
            done(result)


def _tell(done: Callable[[int], None], written: asyncio.Future[int]) -> None:
    if written.cancelled():
        return
    error = written.exception()
    if error is None:
        done(written.result())
    else:
        done(-((isinstance(error, OSError) and error.errno) or errno.ENOMEM))  # Python has no number for that one.
