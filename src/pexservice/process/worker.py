"""A worker: one of several processes that serve, while another owns the data.

It lives as long as the writer does, and not a moment longer: when the socket to it closes, or the kernel says that it
ended, this process is gone before it could answer anything. Told to stop, by the writer or by a signal, it answers what
it accepted and ends; the writer goes on until the last has.
"""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from socket import socket
from typing import Generic, NoReturn

import structlog
import uvloop

from pexservice.config import Settings
from pexservice.core.engine import Engine
from pexservice.core.machine import C, S
from pexservice.errors import Draining, NotApplied, Recovering, Unanswered
from pexservice.http.access import Access
from pexservice.http.joint import JointServer
from pexservice.process import logs
from pexservice.process.application import Application
from pexservice.process.counts import Live
from pexservice.process.exposition import State
from pexservice.process.front import Front
from pexservice.process.nursery import SIGNALS
from pexservice.process.together import Heartbeat, SharedBudget, SharedOccupancy, Silence, Together
from pexservice.stores.shared.message import Kind
from pexservice.stores.shared.store import SharedStore

log = structlog.get_logger()

_ORPHANED = 0
"""The exit status of a worker whose writer is gone. Nobody is left to be told."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a worker is told when it is started. With it come descriptors: the socket, a lock, and listeners."""

    number: int
    access: Access
    reasons: tuple[type[NotApplied], ...]
    """All that the store may have to be unready."""
    locks: int
    """How many of the descriptors after the socket are only to be kept open."""


@dataclass(frozen=True)  # With slots, Common[...](...) raises TypeError in Python 3.11.
class Common(Generic[S, C]):
    """What all workers of a service have in common, and have from before they are forked."""

    application: Application[S, C]
    settings: Settings
    together: Together[S, C]
    stop_signal: Callable[[], asyncio.Future[None]]
    """Gives a future that the first signal to stop fulfils."""


def work(common: Common[S, C], order: Order, fds: Sequence[int]) -> NoReturn:
    """Be a worker, until told to stop."""
    logs.go_on(order.number)
    # A copy, so that the writer sees the channel close when this process ends, and not while it still ends in order.
    os.dup(fds[0])
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_work(common, order, fds))
        status = 0
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is one line and a status.
        status = logs.tell_end(error)
    logs.finish()
    os._exit(status)


async def _work(common: Common[S, C], order: Order, fds: Sequence[int]) -> None:
    stopping = common.stop_signal()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    channel, *listeners = (socket(fileno=fd) for fd in (fds[0], *fds[1 + order.locks :]))
    await Worker(common, order, channel).run(stopping, listeners)


class Worker(Generic[S, C]):
    """Serves clients, and has groups ordered by the writer."""

    def __init__(self, common: Common[S, C], order: Order, channel: socket) -> None:
        application, settings, together = common.application, common.settings, common.together
        limits = settings.limits.shared_by(settings.workers)
        self._limits = limits
        self._together = together
        self._region = region = together.take(order.number)
        self._board = together.board(order.reasons)
        self._is_draining = False
        self._stalled_at: int | None = None
        self._told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._budget = SharedBudget(limits.unsent_bytes_max, region, together.workers)
        self._engine = Engine(application.machine, region.metrics, self._budget, limits)
        self._store = SharedStore(
            application.machine,
            channel,
            self._board,
            limits,
            on_told=self._on_told,
            on_end=self._on_writer_gone,
            on_commit=self._budget.look,
        )
        front = Front(
            application,
            replace(settings, limits=limits),
            self._engine,
            order.access,
            self._unready,
            self._look,
            order.reasons,
            together.serving,
        )
        shared = front.shared(front.endpoints, region.metrics, self._budget)
        occupancy = SharedOccupancy(region, together.workers, limits)
        self._server = JointServer(
            shared, occupancy, connections_max=limits.connections_max, processes=settings.workers
        )
        self._heartbeat = Heartbeat(region)
        self._silence = Silence(together.writer.live)
        self._replayed_before = region.live[Live.REPLAYED]
        for state in (Live.CONNECTIONS, Live.WATCHERS, Live.WAITING, Live.UNSENT_BYTES):
            region.live[state] = 0

    async def run(self, stopping: asyncio.Future[None], listeners: Sequence[socket]) -> None:
        """Serve until told to stop. Raises Fatal."""
        working = asyncio.create_task(self._work())
        self._beat()
        if not isinstance(self._board.unready, Recovering):  # The message that says so is on its way.
            await asyncio.wait([self._opened, stopping, self._told], return_when=asyncio.FIRST_COMPLETED)
            await asyncio.sleep(0)  # So that the engine runs.
        self._server.start(*listeners)
        await asyncio.wait([working, stopping, self._told], return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            draining = asyncio.create_task(self._drain())
            await asyncio.wait([working, draining], return_when=asyncio.FIRST_COMPLETED)
            if draining.done():
                await draining
                return
        await working

    async def _work(self) -> None:
        await self._opened
        await self._engine.run(self._store)

    async def _drain(self) -> None:
        """Answer what was accepted. Raises Unanswered."""
        self._is_draining = True
        timeout_s = self._limits.drain_timeout_s
        began_s = time.monotonic()
        await self._server.drain(timeout_s)
        left_s = max(self._limits.drain_idle_s, timeout_s - (time.monotonic() - began_s))
        try:
            await asyncio.wait_for(self._engine.drained(), left_s)
        except TimeoutError as error:
            message = f"{self._engine.waiting} steps were unanswered {timeout_s:g} s after the stop was asked for."
            raise Unanswered(message) from error
        self._heartbeat.beat(self._server.late_s)

    def _on_told(self, kind: Kind) -> None:
        told = self._opened if kind is Kind.OPEN else self._told
        if not told.done():
            told.set_result(None)

    def _on_writer_gone(self) -> None:
        """End at once, whatever is under way: somebody else may own the data from now on."""
        os._exit(_ORPHANED)

    def _unready(self) -> NotApplied | None:
        return Draining() if self._is_draining else self._engine.unready

    def _look(self) -> State:
        return self._together.state(self._board, self._unready())

    def _beat(self) -> None:
        """Show that the event loop turns, and that commands that wait are taken."""
        asyncio.get_running_loop().call_later(self._limits.beat_period_s, self._beat)
        self._budget.look()
        # While it reads the journal, it shows none.
        is_silent = self._silence.look() >= self._limits.beats_missed_max
        self._store.is_writer_silent = is_silent and not isinstance(self._board.unready, Recovering)
        self._region.live[Live.WAITING] = self._engine.waiting
        self._region.live[Live.WATCHERS] = self._region.metrics.watchers
        self._region.live[Live.REPLAYED] = self._replayed_before + self._region.metrics.replayed
        was_stalled_at, self._stalled_at = self._stalled_at, None
        if self._engine.is_stalled:
            self._stalled_at = self._engine.place.sequence
            if self._stalled_at == was_stalled_at:
                return
        self._heartbeat.beat(self._server.late_s)
