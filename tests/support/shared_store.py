"""A worker's store and its writer, in one process and over a real socket, with any store below."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from mmap import mmap
from typing import Any

from pexservice.core.machine import Machine
from pexservice.core.store import Store
from pexservice.errors import NotApplied
from pexservice.limits import DEFAULT, Limits
from pexservice.stores.shared.board import Board
from pexservice.stores.shared.message import Kind
from pexservice.stores.shared.ordering import Channel, Writer, connected
from pexservice.stores.shared.store import SharedStore
from pexservice.walk.machine import WALK
from support.engine_scenes import settled
from support.memory_store import Full, MemoryStore, TooLong


@dataclass
class Shared:
    """Some workers' stores on one store. To be made with an event loop running."""

    machine: Machine[Any, Any]
    below: Store[Any, Any]
    limits: Limits = DEFAULT
    heard: list[Kind] = field(default_factory=list)
    """What the writer told of no group."""
    ended: list[str] = field(default_factory=list)
    """One for each worker that heard that its writer is gone, or the writer of a worker."""

    def __post_init__(self) -> None:
        self.memory = mmap(-1, Board.size(self.limits))
        self.board = self.see((Full, TooLong))
        self.writer: Writer[Any, Any] = Writer(self.machine, self.board, self.limits)
        self.channels: list[Channel[Any, Any]] = []
        self._sockets: list[socket.socket] = []
        self.running: asyncio.Task[None] | None = None

    def see(self, reasons: Sequence[type[NotApplied]]) -> Board[Any, Any]:
        """Return the board as another process has it."""
        return Board(self.machine, self.memory, self.limits, reasons)

    def run(self) -> "Shared":
        """Let the writer run."""
        self.running = asyncio.create_task(self.writer.run(self.below))
        return self

    def worker(self, on_commit: Callable[[], None] = lambda: None) -> SharedStore[Any, Any]:
        """Return the store of another worker."""
        ours, its = connected(self.limits)
        self._sockets.append(its)
        self.channels.append(self.writer.join(ours, lambda _: self.ended.append("worker")))
        return SharedStore(
            self.machine,
            its,
            self.see((Full, TooLong)),
            self.limits,
            on_told=self.heard.append,
            on_end=lambda: self.ended.append("writer"),
            on_commit=on_commit,
        )

    async def stop(self) -> None:
        """End the writer, and the workers."""
        if self.running is not None:
            self.running.cancel()
            await asyncio.wait([self.running])
        for each in [*(channel.socket for channel in self.channels), *self._sockets]:
            if each.fileno() >= 0:
                asyncio.get_running_loop().remove_reader(each)
                each.close()


def opening(
    machine: Machine[Any, Any], open_below: Callable[[], Awaitable[Store[Any, Any]]]
) -> Callable[[], Awaitable[Store[Any, Any]]]:
    """Return how to open the store of a worker, any number of times; its writer then opens the one below."""
    running: list[Shared] = []

    async def opened() -> Store[Any, Any]:
        while running:
            await running.pop().stop()
        running.append(Shared(machine, await open_below()).run())
        store = running[0].worker()
        await settled()
        return store

    return opened


def play(
    scenario: Callable[[Shared, MemoryStore[Any, Any]], Coroutine[Any, Any, None]],
    *,
    machine: Machine[Any, Any] = WALK,
    in_flight_max: int = 1,
) -> None:
    """Run a scenario on a writer whose store is held back."""

    async def run() -> None:
        below = MemoryStore(machine, is_held=True, in_flight_max=in_flight_max)
        shared = Shared(machine, below).run()
        await settled()
        await scenario(shared, below)
        await shared.stop()

    asyncio.run(run())


async def heard() -> None:
    """Let messages get where they go."""
    for _ in range(5):
        await asyncio.sleep(0.001)
