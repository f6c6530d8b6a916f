"""One service, from its start to its stop.

The store is held and the address bound before anything is written, so a second service or a wrong address changes
nothing; and the kernel holds the clients that come while the store finds where the machine stands.
"""

import asyncio
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Generic, Protocol

import structlog
import uvloop

from pexservice.config import Settings
from pexservice.core.budget import Budget
from pexservice.core.engine import Engine
from pexservice.core.judging import OWN_REFUSALS
from pexservice.core.machine import C, S
from pexservice.core.metrics import Metrics
from pexservice.core.store import Store
from pexservice.disk.daemons import first, in_daemon
from pexservice.errors import (
    AnswersUnsent,
    Draining,
    NotApplied,
    QueueFull,
    Recovering,
    Unanswered,
    WatchersFull,
    why,
)
from pexservice.http.clock import Clock
from pexservice.http.endpoint import Endpoint
from pexservice.http.server import Server
from pexservice.process import signals
from pexservice.process.application import Application
from pexservice.process.front import Front, check_endpoints
from pexservice.process.reports import Reports
from pexservice.process.start import Held, end, hold, opened, tell_listening

if TYPE_CHECKING:
    from pexservice.process.exposition import State

log = structlog.get_logger()

_SWITCH_INTERVAL_S = 0.0002
"""How long a thread that computes may keep the event loop from running: Python's default of 5 ms is 30 syncs."""


def serve(application: Application[S, C], settings: Settings) -> None:
    """Serve until told to stop. Raises Fatal, with the exit status that says why."""
    check_endpoints(application, settings)
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    make: Callable[[Held[S, C]], Serving] = partial(Service, application, settings)
    if settings.workers > 1:
        from pexservice.process.leading import leading  # noqa: PLC0415 - one process has no use for it.

        make = leading(application, settings, _stop_signal)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.get_loop().set_exception_handler(_log_unexpected)
        runner.run(_serve(application, settings, make))


async def _serve(application: Application[S, C], settings: Settings, make: "Callable[[Held[S, C]], Serving]") -> None:
    stopping = _stop_signal()
    holding = asyncio.create_task(hold(application, settings))
    await first(holding, stopping)
    if not holding.done():  # Whatever it waits for: nothing was written that anyone needs.
        log.info("stopped")
        return
    held = holding.result()
    try:
        await make(held).run(stopping)
    finally:
        held.listeners.remove_file()


class Serving(Protocol):
    """A service that has hold of all that it needs: in one process, or several."""

    async def run(self, stopping: asyncio.Future[None]) -> None:
        """Start, serve, and stop when told to. Raises Fatal."""
        ...


class Service(Generic[S, C]):
    """A service that has hold of all that it needs."""

    def __init__(self, application: Application[S, C], settings: Settings, held: Held[S, C]) -> None:
        self._application = application
        self._settings = settings
        self._held = held
        self._is_draining = False
        self._metrics = Metrics()
        self._budget = Budget(settings.limits.unsent_bytes_max)
        self._engine = Engine(application.machine, self._metrics, self._budget, settings.limits)
        self._front = Front(
            application, settings, self._engine, held.access, self._unready, self._look, held.store.unready_reasons
        )
        self._server = self._server_of(self._front.endpoints, settings.limits.connections_max)
        self._opened: asyncio.Future[Store[S, C]] = asyncio.get_running_loop().create_future()
        reasons: list[type[NotApplied]] = [
            QueueFull,
            AnswersUnsent,
            WatchersFull,
            Recovering,
            *held.store.unready_reasons,
        ]
        self._metrics.show_from_the_start(application.machine.kinds, OWN_REFUSALS, reasons)

    async def run(self, stopping: asyncio.Future[None]) -> None:
        """Start, serve, and stop when told to. Raises Fatal."""
        limits = self._settings.limits
        reports = Reports(self._engine, lambda: self._is_draining, limits.start_patience_s)
        working = asyncio.create_task(self._work())
        self._held.manager.keep_informed(reports.report)

        await first(working, stopping, self._opened, timeout_s=limits.recovery_patience_s)
        if not working.done() and not stopping.done():
            self._accept()
            await first(working, stopping, self._opened)
            self._held.manager.tell(reports.report())
            await first(working, stopping, timeout_s=limits.start_quiet_s)
        if not working.done() and not stopping.done():
            # Not before, which would delay the first answers; nor at the first scrape, when descriptors may be short.
            with suppress(RuntimeError):  # Without a thread to be had it is imported then.
                in_daemon(partial(import_module, "pexservice.process.exposition"))
            await first(working, stopping)
        await end(working, self._drain)

    async def _work(self) -> None:
        """Open the store, then take commands for ever. Raises Fatal."""
        store, self._metrics.recovery_seconds = await opened(self._application, self._held)
        self._opened.set_result(store)
        await asyncio.gather(self._engine.run(store), store.run())

    def _accept(self) -> None:
        """Let clients in."""
        main, admin = self._held.listeners.main, self._held.listeners.admin
        self._server.start(*main)
        if admin:
            server = self._server_of(self._front.probes, self._settings.limits.admin_connections_max)
            server.start(*admin)  # The event loop keeps it.
        tell_listening(self._application, self._held)

    async def _drain(self) -> None:
        """Answer what was accepted, make it durable, and let go of the store. Raises Fatal.

        The listener for probes and metrics answers until the process ends.
        """
        limits = self._settings.limits
        timeout_s = limits.drain_timeout_s
        log.info("draining", connections=self._server.connections, timeout_s=timeout_s)
        self._is_draining = True
        patience_us = int((timeout_s + limits.stop_patience_s) * 10**6)
        self._held.manager.tell(["STOPPING=1", f"EXTEND_TIMEOUT_USEC={patience_us}"])
        began_s = time.monotonic()
        await self._server.drain(timeout_s)
        left_s = max(limits.drain_idle_s, timeout_s - (time.monotonic() - began_s))
        try:
            await asyncio.wait_for(self._engine.drained(), left_s)
        except TimeoutError as error:
            message = (
                f"{self._engine.waiting} steps were unanswered {timeout_s:g} s after the stop was asked for. What "
                "became of them will show at the next start."
            )
            raise Unanswered(message) from error
        if self._opened.done():
            await self._opened.result().close()
        counts = self._metrics
        log.debug(
            "served",
            accepted=counts.connections["accepted"],
            evicted=counts.connections["evicted"],
            turned_away=counts.connections["turned_away"],
            steps=sum(counts.taken.values()),
        )

    def _server_of(self, table: Callable[[Clock], list[Endpoint]], connections_max: int) -> Server:
        shared = self._front.shared(table, self._metrics, self._budget)
        return Server(shared, connections_max=connections_max)

    def _unready(self) -> NotApplied | None:
        return Draining() if self._is_draining else self._engine.unready

    def _look(self) -> "State":
        """Return what the service is like now, before the store is open, too."""
        from pexservice.process.exposition import State  # noqa: PLC0415 - as `Front.metrics_text`.
        from pexservice.process.usage import usage  # noqa: PLC0415

        is_open = self._opened.done()
        place = self._engine.place if is_open else None
        return State(
            place=place,
            machine=self._application.machine.measures(place.state) if place else (),
            store=self._opened.result().status() if is_open else None,
            unready=self._unready(),
            waiting=self._engine.waiting,
            connections=self._server.connections,
            unsent_bytes=self._budget.taken_bytes,
            late_s=self._server.late_s,
            limits=self._settings.limits,
            metrics=self._metrics,
            usage=usage(),
        )


def _stop_signal() -> asyncio.Future[None]:
    """Return a future that the first signal to stop fulfils; a second ends the process at once."""
    loop = asyncio.get_running_loop()
    stopping: asyncio.Future[None] = loop.create_future()

    def stop() -> None:
        with suppress(RuntimeError):  # The loop is closed: it stops already.
            loop.call_soon_threadsafe(stopping.set_result, None)

    signals.on_first(stop)
    return stopping


def _log_unexpected(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    error = context.get("exception")
    log.error("unexpected error", what=context["message"], **(why(error) if error else {}))
