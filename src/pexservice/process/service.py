"""The service as a whole: what is started in which order, and how it ends.

The idea: the data directory is locked and the address bound before anything is written, so a second service or a
wrong address changes nothing; and the kernel holds the clients that come while the journal is read.
"""

import asyncio
import os
import resource
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

import structlog
import uvloop

from pexservice.config import Settings
from pexservice.core.budget import Budget
from pexservice.core.engine import Engine
from pexservice.core.measures import Measure
from pexservice.core.metrics import Metrics
from pexservice.core.store import Status
from pexservice.disk.linux import LinuxDisk
from pexservice.disk.syncer import Syncer
from pexservice.errors import AnswersUnsent, Draining, NotApplied, QueueFull, Recovering, defect
from pexservice.http.access import Access
from pexservice.http.answer import Clock
from pexservice.http.connection import Shared
from pexservice.http.endpoint import Endpoint
from pexservice.http.memo import Memo
from pexservice.http.resource import Site
from pexservice.http.router import Router
from pexservice.http.server import Server
from pexservice.http.text import probes
from pexservice.limits import (
    ADMIN_CONNECTIONS_MAX,
    DEFAULT,
    DRAIN_IDLE_S,
    RECOVERY_PATIENCE_S,
    RESERVED_DESCRIPTORS,
    STOP_PATIENCE_S,
)
from pexservice.process import systemd, tokens
from pexservice.process.listeners import is_local, listeners, whereabouts
from pexservice.process.reports import Vitals
from pexservice.stores.journal.errors import JournalFailed
from pexservice.stores.journal.record import Codec
from pexservice.stores.journal.recovery import Recovered, recover
from pexservice.stores.journal.writer import Journal, Options
from pexservice.walk import original
from pexservice.walk.endpoints import endpoints
from pexservice.walk.machine import WALK
from pexservice.walk.steps import Step

if TYPE_CHECKING:
    from pexservice.process.exposition import Exposition, State

log = structlog.get_logger()
T = TypeVar("T")

_SWITCH_INTERVAL_S = 0.0002
"""How long a thread that computes may keep the event loop from running: Python's default of 5 ms is 30 syncs."""


def serve(settings: Settings) -> None:
    """Serve until told to stop. Raises Fatal, with the exit status that says why."""
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.get_loop().set_exception_handler(_log_unexpected)
        runner.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    await _Service(settings).run()


class _Service:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._metrics = Metrics()
        self._limits = replace(DEFAULT, pending_max=settings.pending_steps_max, keep_alive_s=settings.keep_alive_s)
        self._budget = Budget(self._limits.unsent_bytes_max)
        self._codec = Codec(WALK)
        self._engine: Engine[int, Step] = Engine(WALK, self._metrics, self._budget, self._limits)
        self._metrics.show_from_the_start(WALK.kinds, (QueueFull, AnswersUnsent, Recovering, *Journal.refusals))
        self._access = Access(tokens.read(settings.token_file) if settings.token_file else ())
        reserved = RESERVED_DESCRIPTORS + (ADMIN_CONNECTIONS_MAX if settings.admin else 0)
        self._connections_max = _connections_max(settings.connections_max, reserved)
        self._server = self._server_of(self._endpoints, self._connections_max)
        self._is_draining = False
        self._manager = systemd.Manager()
        self._vitals = Vitals(self._engine, lambda: self._is_draining)
        self._syncer = Syncer()
        self._disk: LinuxDisk | None = None
        self._opened: asyncio.Future[Journal[int, Step]] = asyncio.get_running_loop().create_future()
        self._exposition: Exposition | None = None

    def _endpoints(self, clock: Clock) -> list[Endpoint]:
        site = Site(self._engine, self._access, clock, self._limits)
        return endpoints(site, () if self._settings.admin else self._probes(clock))

    def _probes(self, clock: Clock) -> list[Endpoint]:
        return list(probes(clock, self._unready, self._metrics_text))

    def _server_of(self, table: Callable[[Clock], list[Endpoint]], connections_max: int) -> Server:
        clock = Clock()
        memo = Memo(Router(clock, table(clock)).action)
        shared = Shared(self._engine, memo, clock, self._metrics, self._budget, self._settings.keep_alive_s)
        return Server(shared, connections_max=connections_max)

    async def run(self) -> None:
        """Start, serve, and stop when told to. Raises Fatal."""
        settings = self._settings
        stopping = _stop_signal()
        disk = self._disk = LinuxDisk.own(settings.data_dir, self._syncer)
        listener, admin_listener = listeners(settings)
        working = asyncio.create_task(self._work(disk))
        self._manager.keep_informed(self._vitals.report)

        await _first(working, stopping, self._opened, timeout_s=RECOVERY_PATIENCE_S)
        if not working.done() and not stopping.done():
            self._start(listener, admin_listener)
            await _first(working, stopping, self._opened)
            self._manager.tell(self._vitals.report())
            # Not before, which would delay the first answers; nor at the first scrape, when descriptors may be short.
            importing = _in_daemon(partial(import_module, "pexservice.process.exposition"))
            await _first(working, stopping)
            importing.cancel()
        if not working.done():
            draining = asyncio.create_task(self._drain())
            await _first(working, draining)
            if draining.done():
                await draining
                log.info("stopped")
                return
        await working

    def _start(self, listener: socket.socket, admin_listener: socket.socket | None) -> None:
        self._server.start(listener)
        more = {}
        if admin_listener is not None:
            self._server_of(self._probes, ADMIN_CONNECTIONS_MAX).start(admin_listener)  # The event loop keeps it.
            more["admin"] = whereabouts(admin_listener)
        steps = "need a token" if self._access.needs_token else "open to everyone"
        log.info("listening", where=whereabouts(listener), **more, steps=steps)
        if not self._access.needs_token and not is_local(listener):
            log.warning(
                "whoever reaches this address can step and reset the walk",
                where=whereabouts(listener),
                hint="give --token-file, or listen on 127.0.0.1 or a Unix socket",
            )

    async def _work(self, disk: LinuxDisk) -> None:
        """Recover, then take steps for ever. Raises Fatal."""
        settings = self._settings
        is_interval = settings.durability == "interval"
        began_s = time.perf_counter()
        recovered = await _in_daemon(partial(self._recover, disk))
        options = Options(settings.sync_interval_s if is_interval else None, settings.history_bytes_max)
        journal = await Journal.open(self._codec, disk, recovered, options, self._limits)
        self._metrics.recovery_seconds = time.perf_counter() - began_s
        log.info(
            "recovered",
            data_dir=str(settings.data_dir),
            sequence=journal.read().sequence,
            place=WALK.describe(journal.read().state),
            seconds=round(self._metrics.recovery_seconds, 3),
            durability=settings.durability,
            sync=self._syncer.method,
        )
        self._opened.set_result(journal)
        await asyncio.gather(self._engine.run(journal), journal.run())

    def _recover(self, disk: LinuxDisk) -> Recovered[int]:
        """Find where the walk stopped, taking over a file of the original if there is no journal yet."""
        recovered = recover(self._codec, disk)
        path = self._settings.data_dir / original.FILE_NAME
        if recovered.has_history or not path.exists():
            return recovered
        place = original.read(path)
        log.info("taking over the walk of the original", file=str(path))
        return replace(recovered, place=place)

    async def _drain(self) -> None:
        """Answer what was accepted, make it durable, and let go of the journal. Raises JournalFailed.

        The listener for probes and metrics answers until the process ends.
        """
        timeout_s = self._settings.drain_timeout_s
        log.info("draining", connections=self._server.connections, timeout_s=timeout_s)
        self._is_draining = True
        patience_us = int((timeout_s + STOP_PATIENCE_S) * 10**6)
        self._manager.tell(["STOPPING=1", f"EXTEND_TIMEOUT_USEC={patience_us}"])
        began_s = time.monotonic()
        await self._server.drain(timeout_s)
        left_s = max(DRAIN_IDLE_S, timeout_s - (time.monotonic() - began_s))
        try:
            await asyncio.wait_for(self._engine.drained(), left_s)
        except TimeoutError as error:
            message = f"the disk did not answer within {timeout_s:g} s: {self._engine.waiting} steps are unanswered."
            raise JournalFailed(message) from error
        if self._opened.done():
            await self._opened.result().close()

    def _unready(self) -> NotApplied | None:
        return Draining() if self._is_draining else self._engine.refusal

    def _metrics_text(self) -> str:
        if self._exposition is None:
            # PERF: 40 ms, which must not delay the first answer: a thread has it imported in the meantime.
            from pexservice.process.exposition import Exposition  # noqa: PLC0415

            self._exposition = Exposition(self._metrics, self._look)
        return self._exposition.text()

    def _look(self) -> "State":
        """Return what the service is like now, whatever state it is in."""
        from pexservice.process.exposition import State  # noqa: PLC0415

        sequence: int | None = None
        store: Status | None = None
        machine: Sequence[Measure] = ()
        with suppress(Recovering):
            place = self._engine.place
            sequence, machine = place.sequence, WALK.measures(place.state)
        if self._opened.done():
            store = self._opened.result().status()
        return State(
            sequence=sequence,
            machine=machine,
            store=store,
            unready=self._unready(),
            unready_reasons=(Recovering, *Journal.refusals, Draining),
            waiting=self._engine.waiting,
            waiting_max=self._limits.pending_max,
            connections=self._server.connections,
            connections_max=self._connections_max,
            unsent_bytes=self._budget.taken_bytes,
            unsent_bytes_max=self._budget.bytes_max,
            late_s=self._server.late_s,
        )


def _in_daemon(function: Callable[[], T]) -> asyncio.Future[T]:
    """Run a function in a thread that does not keep the process from ending. It must change nothing."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(settle_with: Callable[[Any], None], outcome: object) -> None:
        if not done.done():
            settle_with(outcome)

    def run() -> None:
        try:
            outcome = function()
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is for whoever awaits it.
            report = partial(settle, done.set_exception, error)
        else:
            report = partial(settle, done.set_result, outcome)
        with suppress(RuntimeError):  # The loop is closed: nobody waits any more.
            loop.call_soon_threadsafe(report)

    threading.Thread(target=run, daemon=True).start()
    return done


async def _first(*futures: asyncio.Future[Any], timeout_s: float | None = None) -> None:
    await asyncio.wait(futures, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)


def _stop_signal() -> asyncio.Future[None]:
    """Return a future that the first SIGTERM or SIGINT fulfils; a second ends the process at once."""
    loop = asyncio.get_running_loop()
    stopping: asyncio.Future[None] = loop.create_future()

    def on_signal(number: int) -> None:
        if stopping.done():
            log.warning("second signal, stopping at once")
            os._exit(128 + number)
        stopping.set_result(None)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal, number)
    return stopping


def _connections_max(wanted: int, reserved: int) -> int:
    """Return how many connections the descriptor limit allows, after raising it as far as it goes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + reserved
    if soft != resource.RLIM_INFINITY and soft < needed:
        possible = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        if possible > soft:  # A sandbox may forbid the call, and then has set the limit.
            soft = possible
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        if soft < needed:
            allowed = max(1, soft - reserved)
            log.warning("the descriptor limit allows fewer connections", wanted=wanted, allowed=allowed)
            return allowed
    return wanted


def _log_unexpected(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    error = context.get("exception")
    log.error("unexpected error", what=context["message"], defect=defect(error) if error else None)
