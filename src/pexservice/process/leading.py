"""A service of several processes, from its start to its stop: this one owns the data, and workers serve.

It is the one that was started, so the one that a service manager knows: it is told to stop, it tells how the service
is, and with it all of it ends. It gets hold of the store and of the addresses as a single process does, and gives its
workers copies of the listeners, and of the lock: until the last worker has ended, nobody else can own the data.
"""

import asyncio
import os
import time
from collections.abc import Callable
from functools import partial
from typing import Generic, NoReturn

import structlog

from pexservice.config import Settings
from pexservice.core.budget import Budget
from pexservice.core.engine import Engine
from pexservice.core.judging import OWN_REFUSALS
from pexservice.core.machine import C, S
from pexservice.core.store import Store
from pexservice.disk.daemons import first
from pexservice.errors import AnswersUnsent, Draining, NotApplied, QueueFull, Recovering, Unanswered, WatchersFull
from pexservice.http.clock import Clock
from pexservice.http.server import Server
from pexservice.process.application import Application
from pexservice.process.counts import Live
from pexservice.process.crew import Crew
from pexservice.process.exposition import State
from pexservice.process.front import Front
from pexservice.process.nursery import Nursery
from pexservice.process.reports import Reports
from pexservice.process.start import Held, end, opened, tell_listening
from pexservice.process.together import Heartbeat, Together
from pexservice.process.worker import Common, Order, work
from pexservice.stores.shared.ordering import Writer
from pexservice.stores.shared.store import WriterSilent

log = structlog.get_logger()


def leading(
    application: Application[S, C], settings: Settings, stop_signal: Callable[[], asyncio.Future[None]]
) -> "Callable[[Held[S, C]], Leading[S, C]]":
    """Return how to make the service. To be called before there is an event loop or a thread of ours. Raises Scarce."""
    together = Together(application.machine, settings)
    nursery = Nursery.found(partial(work, Common(application, settings, together, stop_signal)), settings.limits)
    return partial(Leading, application, settings, together, nursery)


class Leading(Generic[S, C]):
    """A service of several processes that has hold of all that it needs."""

    def __init__(
        self,
        application: Application[S, C],
        settings: Settings,
        together: Together[S, C],
        nursery: Nursery,
        held: Held[S, C],
    ) -> None:
        limits = settings.limits
        self._reasons = reasons = (*held.store.unready_reasons, WriterSilent)
        self._application = application
        self._settings = settings
        self._together = together
        self._nursery = nursery
        self._held = held
        self._is_draining = False
        self._board = together.board(reasons)
        self._writer = Writer(application.machine, self._board, limits)
        self._crew = Crew(nursery, self._writer, together.workers, together.writer, limits)
        self._heartbeat = Heartbeat(together.writer)
        self._opened: asyncio.Future[Store[S, C]] = asyncio.get_running_loop().create_future()
        self._admin: Server | None = None
        metrics = together.writer.metrics
        metrics.show_from_the_start(
            application.machine.kinds, OWN_REFUSALS, [QueueFull, AnswersUnsent, WatchersFull, Recovering, *reasons]
        )
        together.writer.live[Live.PID] = os.getpid()
        together.writer.live[Live.STARTED_US] = int(metrics.started_s * 1e6)

    async def run(self, stopping: asyncio.Future[None]) -> None:
        """Start, serve, and stop when told to. Raises Fatal."""
        limits = self._settings.limits
        reports = Reports(self._writer, lambda: self._is_draining, limits.start_patience_s, self._crew)
        self._nursery.attend()
        assert self._nursery.lost is not None, "it is attended to"
        working = asyncio.gather(self._work(), self._crew.failed, self._nursery.lost)
        self._held.manager.keep_informed(reports.report)

        await first(working, stopping, self._opened, timeout_s=limits.recovery_patience_s)
        if not working.done() and not stopping.done():
            await self._accept()
            await first(working, stopping, self._opened)
            self._held.manager.tell(reports.report())
            await first(working, stopping)
        await end(working, self._drain)

    async def _work(self) -> None:
        """Open the store, then order groups for ever. Raises Fatal."""
        store, recovery_seconds = await opened(self._application, self._held)
        self._together.writer.live[Live.RECOVERY_US] = int(recovery_seconds * 1e6)
        self._opened.set_result(store)
        self._heartbeat.beat(0.0)  # Before workers hear that it is open: they have seen none for as long as that took.
        await asyncio.gather(self._writer.run(store), store.run(), self._keep_looking(store))

    async def _keep_looking(self, store: Store[S, C]) -> NoReturn:
        """Publish how the store is, and see to the workers."""
        clock = Clock(self._settings.limits)  # From here on: the recovery is nobody's lateness.
        while True:
            self._writer.look(store)
            self._board.show_status(store.status())
            clock.tick()
            self._heartbeat.beat(clock.late_s)
            self._crew.look()
            await asyncio.sleep(self._settings.limits.beat_period_s)

    async def _accept(self) -> None:
        """Let clients in. Raises Fatal."""
        held = self._held
        main = [each.fileno() for each in held.listeners.main]
        locks = list(held.store.locks)
        order = Order(0, held.access, self._reasons, len(locks))
        await self._crew.begin(order, [*locks, *main])
        if held.listeners.admin:
            self._serve_admin()
        tell_listening(self._application, held, workers=self._settings.workers)

    def _serve_admin(self) -> None:
        """Serve probes and metrics here, where they are answered until the process ends."""
        limits = self._settings.limits
        metrics, budget = self._together.writer.metrics, Budget(limits.unsent_bytes_max)
        # The endpoints for clients, which would need it, are those of workers.
        engine = Engine(self._application.machine, metrics, budget, limits)
        front = Front(
            self._application, self._settings, engine, self._held.access, self._unready, self._look, self._reasons
        )
        shared = front.shared(front.probes, metrics, budget)
        self._admin = Server(shared, connections_max=limits.admin_connections_max)
        self._admin.start(*self._held.listeners.admin)

    async def _drain(self) -> None:
        """Have workers answer what they accepted, make it durable, and let go of the store. Raises Fatal."""
        limits = self._settings.limits
        timeout_s = limits.drain_timeout_s
        connections = sum(region.live[Live.CONNECTIONS] for region in self._together.workers)
        log.info("draining", connections=connections, timeout_s=timeout_s)
        self._is_draining = True
        patience_us = int((timeout_s + limits.stop_patience_s) * 10**6)
        self._held.manager.tell(["STOPPING=1", f"EXTEND_TIMEOUT_USEC={patience_us}"])
        for listener in self._held.listeners.main:
            listener.close()  # Workers have copies, and close theirs.
        began_s = time.monotonic()
        # After its time, a worker waits once more for steps under way.
        await self._crew.stop(timeout_s + limits.drain_idle_s + limits.beat_period_s)
        if self._crew.unanswered:
            message = (
                f"{self._crew.unanswered} workers had not answered all that they accepted when they ended, "
                f"{time.monotonic() - began_s:.1f} s after the stop was asked for. What became of it will show at the "
                "next start."
            )
            raise Unanswered(message)
        if self._opened.done():
            await self._opened.result().close()

    def _unready(self) -> NotApplied | None:
        return Draining() if self._is_draining else self._writer.unready

    def _look(self) -> State:
        return self._together.state(self._board, self._unready())
