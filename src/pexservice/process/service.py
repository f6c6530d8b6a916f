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
from collections.abc import Callable
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
from pexservice.core.metrics import Metrics, State
from pexservice.disk.linux import LinuxDisk
from pexservice.disk.syncer import Syncer
from pexservice.errors import Draining, JournalFailed, NotApplied, Recovering, defect
from pexservice.http.access import Access
from pexservice.http.action import StepAction
from pexservice.http.clock import Clock
from pexservice.http.connection import Shared
from pexservice.http.memo import Memo
from pexservice.http.server import Server
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
from pexservice.stores.journal.recovery import Recovered, recover
from pexservice.stores.journal.writer import Journal
from pexservice.walk import original
from pexservice.walk.endpoints import ADMIN_PATHS, WALK_PATHS, Routes

if TYPE_CHECKING:
    from pexservice.process.exposition import Exposition

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


class _CountedBudget(Budget):
    """Going: until the engine asks the budget, and not the metric."""

    __slots__ = ("_metrics",)

    def __init__(self, metrics: Metrics) -> None:
        super().__init__(DEFAULT.unsent_bytes_max)
        self._metrics = metrics

    def take(self, more_bytes: int) -> None:
        """As `Budget`."""
        super().take(more_bytes)
        self._metrics.unsent_bytes = self.taken_bytes


class _Service:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._metrics = Metrics()
        self._budget = _CountedBudget(self._metrics)
        self._engine: Engine[StepAction] = Engine(self._metrics, pending_steps_max=settings.pending_steps_max)
        self._access = Access(tokens.read(settings.token_file) if settings.token_file else ())
        reserved = RESERVED_DESCRIPTORS + (ADMIN_CONNECTIONS_MAX if settings.admin else 0)
        self._connections_max = _connections_max(settings.connections_max, reserved)
        paths = WALK_PATHS if settings.admin else WALK_PATHS | ADMIN_PATHS
        self._server = self._server_of(paths, self._connections_max)
        self._is_draining = False
        self._manager = systemd.Manager()
        self._vitals = Vitals(self._engine, lambda: self._is_draining)
        self._syncer = Syncer()
        self._disk: LinuxDisk | None = None
        self._opened: asyncio.Future[Journal] = asyncio.get_running_loop().create_future()
        self._exposition: Exposition | None = None

    def _server_of(self, paths: frozenset[str], connections_max: int) -> Server:
        limits = replace(DEFAULT, keep_alive_s=self._settings.keep_alive_s)
        clock = Clock(limits)
        routes = Routes(
            self._engine, clock, self._access, paths=paths, unready=self._unready, metrics=self._metrics_text
        )
        memo = Memo(routes.action, limits)
        shared = Shared(self._engine, memo, clock, self._metrics, limits, self._budget)
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
            self._server_of(ADMIN_PATHS, ADMIN_CONNECTIONS_MAX).start(admin_listener)  # The event loop keeps it.
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
        journal = await Journal.open(
            disk, recovered, interval=is_interval, history_bytes_max=settings.history_bytes_max
        )
        self._metrics.recovery_seconds = time.perf_counter() - began_s
        log.info(
            "recovered",
            data_dir=str(settings.data_dir),
            sequence=journal.place.sequence,
            position=journal.place.position,
            seconds=round(self._metrics.recovery_seconds, 3),
            durability=settings.durability,
            sync=self._syncer.method,
        )
        self._opened.set_result(journal)
        if is_interval:
            await asyncio.gather(self._engine.run(journal), self._flush_forever(journal))
        else:
            await self._engine.run(journal)

    def _recover(self, disk: LinuxDisk) -> Recovered:
        """Find where the walk stopped, taking over a file of the original if there is no journal yet."""
        recovered = recover(disk)
        path = self._settings.data_dir / original.FILE_NAME
        if recovered.has_history or not path.exists():
            return recovered
        place = original.read(path)
        log.info("taking over the walk of the original", file=str(path))
        return replace(recovered, place=place)

    async def _flush_forever(self, journal: Journal) -> None:
        while True:
            await asyncio.sleep(self._settings.sync_interval_s)
            began_s = time.perf_counter()
            if await journal.flush():
                self._metrics.flush_seconds.observe(time.perf_counter() - began_s)

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

            self._exposition = Exposition(
                self._metrics,
                self._look,
                durability=self._settings.durability,
                steps_waiting_max=self._settings.pending_steps_max,
                connections_max=self._connections_max,
            )
        return self._exposition.text()

    def _look(self) -> State:
        """Return what the service is like now, whatever state it is in."""
        place = disk_free_bytes = None
        with suppress(Recovering):
            place = self._engine.place
        with suppress(OSError):  # A disk that is broken is no reason to tell nothing else.
            disk_free_bytes = self._disk.free_bytes() if self._disk is not None else None
        return State(
            place=place,
            unready=self._unready(),
            steps_waiting=self._engine.waiting,
            connections=self._server.connections,
            segment_bytes=self._opened.result().segment_bytes if self._opened.done() else 0,
            disk_free_bytes=disk_free_bytes,
            late_s=self._server.late_s,
            sync_method=self._syncer.method,
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
