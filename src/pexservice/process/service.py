"""The service as a whole: what is started in which order, and how it ends.

The idea: the data directory is locked and the address bound before anything is written, so a second service or a
wrong address changes nothing; and the kernel holds the clients that come while the journal is read.
"""

import asyncio
import sys
import time
from contextlib import suppress
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog
import uvloop

from pexservice import __version__
from pexservice.config import Settings
from pexservice.core.engine import Engine
from pexservice.core.metrics import Metrics, State
from pexservice.disk.linux import LinuxDisk
from pexservice.errors import Draining, JournalFailed, NotApplied, Recovering, defect
from pexservice.http.action import StepAction
from pexservice.http.answer import Clock
from pexservice.http.connection import Shared
from pexservice.http.memo import Memo
from pexservice.http.server import Server
from pexservice.limits import (
    ADMIN_CONNECTIONS_MAX,
    DRAIN_IDLE_S,
    RECOVERY_PATIENCE_S,
    STOP_PATIENCE_S,
)
from pexservice.process import logs, signals
from pexservice.process.daemons import first, in_daemon
from pexservice.process.listeners import is_local, whereabouts
from pexservice.process.reports import Vitals
from pexservice.process.start import Held, hold
from pexservice.stores.journal.recovery import Recovered, recover
from pexservice.stores.journal.writer import Journal
from pexservice.walk import original
from pexservice.walk.endpoints import ADMIN_PATHS, WALK_PATHS, Routes

if TYPE_CHECKING:
    from pexservice.process.exposition import Exposition

log = structlog.get_logger()

_SWITCH_INTERVAL_S = 0.0002
"""How long a thread that computes may keep the event loop from running: Python's default of 5 ms is 30 syncs."""


def serve(settings: Settings) -> None:
    """Serve until told to stop. Raises Fatal, with the exit status that says why."""
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.get_loop().set_exception_handler(_log_unexpected)
        runner.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    stopping = _stop_signal()
    holding = asyncio.create_task(hold(settings))
    await first(holding, stopping)
    if not holding.done():  # Whatever it waits for: nothing was written that a walk needs.
        log.info("stopped")
        return
    held = holding.result()
    try:
        await _Service(settings, held).run(stopping)
    finally:
        held.listeners.remove_file()


class _Service:
    def __init__(self, settings: Settings, held: Held) -> None:
        self._settings = settings
        self._held = held
        self._metrics = Metrics()
        self._engine: Engine[StepAction] = Engine(self._metrics, pending_steps_max=settings.pending_steps_max)
        paths = WALK_PATHS if settings.admin else WALK_PATHS | ADMIN_PATHS
        self._server = self._server_of(paths, settings.connections_max)
        self._is_draining = False
        self._vitals = Vitals(self._engine, lambda: self._is_draining)
        self._opened: asyncio.Future[Journal] = asyncio.get_running_loop().create_future()
        self._exposition: Exposition | None = None

    def _server_of(self, paths: frozenset[str], connections_max: int) -> Server:
        clock = Clock()
        routes = Routes(
            self._engine, clock, self._held.access, paths=paths, unready=self._unready, metrics=self._metrics_text
        )
        shared = Shared(self._engine, Memo(routes.action), clock, self._metrics, self._settings.keep_alive_s)
        return Server(shared, connections_max=connections_max)

    async def run(self, stopping: asyncio.Future[None]) -> None:
        """Start, serve, and stop when told to. Raises Fatal."""
        working = asyncio.create_task(self._work(self._held.disk))
        self._held.manager.keep_informed(self._vitals.report)

        await first(working, stopping, self._opened, timeout_s=RECOVERY_PATIENCE_S)
        if not working.done() and not stopping.done():
            self._start()
            await first(working, stopping, self._opened)
            self._held.manager.tell(self._vitals.report())
            # Not before, which would delay the first answers; nor at the first scrape, when descriptors may be short.
            with suppress(RuntimeError):  # Without a thread to be had it is imported then.
                in_daemon(partial(import_module, "pexservice.process.exposition"))
            await first(working, stopping)
        if not working.done():
            draining = asyncio.create_task(self._drain())
            await first(working, draining)
            if draining.done():
                await draining
                log.info("stopped")
                return
        await working

    def _start(self) -> None:
        walk, admin = self._held.listeners.walk, self._held.listeners.admin
        for listener in walk:
            self._server.start(listener)
        more = {}
        if admin:
            admin_server = self._server_of(ADMIN_PATHS, ADMIN_CONNECTIONS_MAX)  # The event loop keeps it.
            for listener in admin:
                admin_server.start(listener)
            more["admin"] = whereabouts(admin)
        where = whereabouts(walk)
        log.info(
            "listening",
            where=where,
            **more,
            steps="need a token" if self._held.access.needs_token else "open to everyone",
            version=__version__,
            data_dir=str(_absolute(self._settings.data_dir)),
        )
        if not self._held.access.needs_token and not all(map(is_local, walk)):
            log.warning(
                "whoever reaches this address can step and reset the walk",
                where=where,
                hint="give --token-file, or listen on 127.0.0.1 or a Unix socket",
            )

    async def _work(self, disk: LinuxDisk) -> None:
        """Recover, then take steps for ever. Raises Fatal."""
        settings = self._settings
        is_interval = settings.durability == "interval"
        began_s = time.perf_counter()
        recovered = await in_daemon(partial(self._recover, disk))
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
            sync=self._held.syncer.method,
        )
        if not recovered.has_history:
            self._announce(_absolute(settings.data_dir))
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

    def _announce(self, data_dir: Path) -> None:
        """Say that there was no walk: whoever set this up may have meant another directory."""
        if logs.is_terminal():
            log.info("a new walk begins", data_dir=str(data_dir))
        else:
            log.warning("a new walk begins", data_dir=str(data_dir))

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
        self._held.manager.tell(["STOPPING=1", f"EXTEND_TIMEOUT_USEC={patience_us}"])
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
        counts = self._metrics
        log.debug(
            "served",
            accepted=counts.connections_accepted,
            evicted=counts.connections_evicted,
            turned_away=counts.connections_turned_away,
            steps=sum(counts.steps.values()),
        )

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
                connections_max=self._settings.connections_max,
            )
        return self._exposition.text()

    def _look(self) -> State:
        """Return what the service is like now, whatever state it is in."""
        place = disk_free_bytes = None
        with suppress(Recovering):
            place = self._engine.place
        with suppress(OSError):  # A disk that is broken is no reason to tell nothing else.
            disk_free_bytes = self._held.disk.free_bytes()
        return State(
            place=place,
            unready=self._unready(),
            steps_waiting=self._engine.waiting,
            connections=self._server.connections,
            segment_bytes=self._opened.result().segment_bytes if self._opened.done() else 0,
            disk_free_bytes=disk_free_bytes,
            late_s=self._server.late_s,
            sync_method=self._held.syncer.method,
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


def _absolute(path: Path) -> Path:
    try:
        return path.absolute()
    except OSError:  # The working directory was removed.
        return path


def _log_unexpected(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    error = context.get("exception")
    log.error("unexpected error", what=context["message"], defect=defect(error) if error else None)
