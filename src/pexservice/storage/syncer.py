"""fdatasync without stopping the event loop.

The idea: the kernel runs the sync in a worker of its own (Linux AIO) and makes a descriptor readable when it is done,
so the loop learns of it as it learns of a request. Measured, CPU per request with 64 connections: Linux AIO 7.7 us, a
thread 10 us, io_uring 10 us; and Docker's default seccomp profile blocks io_uring. A thread is the fallback where the
kernel or the file system has no asynchronous sync.
"""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import structlog
from caio import linux_aio

log = structlog.get_logger()

_ERRNO_SPAN = 1 << 64
"""caio passes the kernel's negative errno as an unsigned 64-bit number."""


class Syncer:
    """Makes what was written to a descriptor durable; up to two syncs at a time."""

    def __init__(self) -> None:
        """Must be called with an event loop running."""
        self._loop = asyncio.get_running_loop()
        self._context: linux_aio.Context | None = None
        self._thread: ThreadPoolExecutor | None = None
        try:
            self._context = linux_aio.Context(max_requests=2)
        except Exception as error:  # noqa: BLE001 - caio raises what it likes; all mean the same.
            self._fall_back(error)
        else:
            self._loop.add_reader(self._context.fileno, self._on_completions)

    @property
    def method(self) -> str:
        """How syncs are done: `linux-aio` or `thread`."""
        return "thread" if self._context is None else "linux-aio"

    def sync(self, fd: int, *, is_directory: bool = False) -> asyncio.Future[None]:
        """Begin to put everything written to `fd` on stable storage; the future is done when it is there.

        A directory gets fsync: fdatasync may leave out a rename, which changes no size. The future raises OSError if
        the outcome cannot be known. Never call it again for the same file then.
        """
        if self._context is not None:
            done = self._loop.create_future()
            begin = linux_aio.Operation.fsync if is_directory else linux_aio.Operation.fdsync
            operation = begin(fd)
            operation.set_callback(partial(self._on_done, done))
            try:
                self._context.submit(operation)
            except Exception as error:  # noqa: BLE001 - as above. Nothing reached the kernel, so no sync has failed.
                self._fall_back(error)
            else:
                return done
        return self._loop.run_in_executor(self._thread, os.fsync if is_directory else os.fdatasync, fd)

    def close(self) -> None:
        """Let go of what the syncer holds, without waiting for a sync that hangs."""
        if self._context is not None:
            self._loop.remove_reader(self._context.fileno)
        if self._thread is not None:
            self._thread.shutdown(wait=False)

    def _fall_back(self, error: Exception) -> None:
        log.warning("no asynchronous sync here, using a thread", error=str(error))
        if self._context is not None:
            self._loop.remove_reader(self._context.fileno)
            self._context = None
        self._thread = ThreadPoolExecutor(1, "sync")

    def _on_completions(self) -> None:
        assert self._context is not None
        self._context.poll()
        self._context.process_events()

    @staticmethod
    def _on_done(done: asyncio.Future[None], result: int) -> None:
        if done.cancelled():
            return
        if result == 0:
            done.set_result(None)
        else:
            code = _ERRNO_SPAN - result
            done.set_exception(OSError(code, os.strerror(code)))
