"""Bytes that the kernel did not take, because the client does not take them.

Most connections never have any, so a transport makes an outbox when it is first needed, and drops it when it is empty.
"""

import socket
from collections import deque
from collections.abc import Callable

from pexservice.core.budget import Budget

_DONT_WAIT = socket.MSG_DONTWAIT


class Outbox:
    """What waits to be sent on one connection, in order, taken from the budget that all connections share."""

    __slots__ = ("_added_bytes", "_budget", "_chunks", "_progressed_s", "_taken_bytes", "unsent_bytes")

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._chunks: deque[memoryview] = deque()
        self.unsent_bytes = 0
        self._added_bytes = 0
        self._taken_bytes: int | None = None
        """How many of those the client had by the last look, but for what the kernel held from before."""
        self._progressed_s = 0.0

    def add(self, data: memoryview) -> None:
        """Put bytes behind the others."""
        self._chunks.append(_fitting(data))
        self._added_bytes += len(data)
        self._count(len(data))

    def send(self, send: Callable[[memoryview, int], int]) -> None:
        """Send what the kernel takes now. `send` is that of a socket. Raises what it raises, but BlockingIOError."""
        chunks = self._chunks
        while chunks:
            try:
                sent = send(chunks[0], _DONT_WAIT)
            except BlockingIOError:
                return
            self._count(-sent)
            if sent == len(chunks[0]):
                chunks.popleft()
            else:
                chunks[0] = _fitting(chunks[0][sent:])

    def drop(self) -> None:
        """Forget all of it."""
        self._chunks.clear()
        self._count(-self.unsent_bytes)

    def is_stalled(self, kernel_bytes: int, now_s: float, patience_s: float) -> bool:
        """Whether the client took nothing for so long, neither from here nor of the bytes that the kernel holds.

        However much was added meanwhile.
        """
        before, self._taken_bytes = self._taken_bytes, self._added_bytes - self.unsent_bytes - kernel_bytes
        if before is None or self._taken_bytes > before:
            self._progressed_s = now_s
        return now_s - self._progressed_s >= patience_s

    def _count(self, more_bytes: int) -> None:
        self.unsent_bytes += more_bytes
        self._budget.take(more_bytes)


def _fitting(data: memoryview) -> memoryview:
    """Return bytes of which memory is held that is at most twice as large.

    A view holds all that it is of, and what the budget counts is the view. To copy half as much at a time is to copy
    each byte once at the most.
    """
    return memoryview(bytes(data)) if 2 * len(data) < memoryview(data.obj).nbytes else data
