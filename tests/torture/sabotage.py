"""Safeguards, each taken out on purpose. Only tests and attacks use this; the product has no such option.

An attack that finds nothing may be a weak attack. So each is also run against a service that lacks the very safeguard
that it probes, and must then find a violation. Where it can, a sabotage wraps the original and undoes one thing, so
that it lacks that one thing alone whatever becomes of the original.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any, Final
from unittest.mock import patch

from pexservice import limits
from pexservice.cli import serve
from pexservice.core.judging import Place
from pexservice.disk.linux import LinuxDisk
from pexservice.disk.syncer import Buffer, Syncer
from pexservice.http import request
from pexservice.http.clock import Clock
from pexservice.http.connection import Connection
from pexservice.http.forms import Forms
from pexservice.http.outbox import Outbox
from pexservice.http.server import Server
from pexservice.process import nursery
from pexservice.process.worker import Worker
from pexservice.stores.journal import opening
from pexservice.stores.shared.board import Board
from pexservice.walk import endpoints, forms
from pexservice.walk.fibonacci import Walker
from torture.sabotage_journal import (
    Patches,
    forgotten_keys,
    highest_completed,
    ignore_removal,
    late_write,
    no_lock,
    no_sync,
    skip_checksum,
    trust_failed_sync,
    trust_short_write,
)


def wall_clock() -> Patches:
    """Deadlines go by the time of day."""
    tick = Clock.tick

    def tick_by_it(self: Clock) -> None:
        tick(self)
        self.now_s = time.time()

    return [patch.object(Clock, "tick", tick_by_it)]


def no_drain() -> Patches:
    """A stop does not wait for what was accepted."""
    drain = Server.drain

    async def drain_at_once(self: Server, _timeout_s: float) -> None:
        await drain(self, 0)

    return [patch.object(Server, "drain", drain_at_once)]


def small_segments() -> Patches:
    """No safeguard: segments of a few rows and a ring of a few lines, so that rotations and laps are many."""
    return [*_limits(segment_bytes_max=400), *_ring(lines=64)]


def small_ring() -> Patches:
    """No safeguard: a ring that is shorter than a segment, goes round all the time, and is soon full."""
    return _ring(lines=16)


def slow_sync() -> Patches:
    """No safeguard: every sync and direct write takes 20 ms more, so that something is always under way."""
    begin, write = Syncer.sync, Syncer.write

    def sync(self: Syncer, fd: int, *, is_directory: bool = False) -> asyncio.Future[None]:
        async def delay() -> None:
            await asyncio.sleep(0.02)
            await begin(self, fd, is_directory=is_directory)

        return asyncio.ensure_future(delay())

    def write_slowly(self: Syncer, fd: int, buffer: Buffer, size_bytes: int, *rest: Any) -> None:
        offset, done = rest
        loop = asyncio.get_running_loop()

        def tell_later(result: int) -> None:
            loop.call_later(0.02, done, result)

        write(self, fd, buffer, size_bytes, offset, tell_later)

    return [patch.object(Syncer, "sync", sync), patch.object(Syncer, "write", write_slowly)]


def lenient_host() -> Patches:
    """A request passes without Host, with two, and with a bad one."""
    return [patch.object(request, "_host", lambda _hosts, *, is_http_10: "")]


def lenient_framing() -> Patches:
    """A coding wins over a length, however each is written, as in servers that can be smuggled through."""

    def parse_fields(head: bytes, _method: bytes) -> list[tuple[bytes, bytes]]:
        lines = [line.partition(b":") for line in head.split(b"\r\n")[1:-2]]
        return [(name.strip().lower(), value.strip()) for name, _, value in lines]

    def body_bytes(codings: list[str], lengths: list[str], _bytes_max: int, *, is_http_10: bool) -> int | None:
        if any("chunked" in coding for coding in codings):
            return None
        return int(lengths[-1]) if lengths and lengths[-1].isdigit() else 0

    return [patch.object(request, "_parse_fields", parse_fields), patch.object(request, "_body_bytes", body_bytes)]


def undeclared_form() -> Patches:
    """A value is answered in another form than /openapi.json says."""

    def quoted(walker: Walker) -> Forms[int]:
        made = make(walker)
        number = made.bodies["application/json"]
        return replace(made, bodies={"application/json": lambda *place: f'"{number(*place).strip()}"\n'})

    make = forms.forms
    return [patch.object(endpoints, "forms", quoted)]


def leak_unsent() -> Patches:
    """What a client had not taken of its answers is still counted when the client is gone."""
    return [patch.object(Outbox, "drop", lambda _self: None)]


def no_deadlines() -> Patches:
    """A connection has all the time of the world."""
    return [patch.object(Connection, "sweep", lambda _self: None)]


def costly_connections() -> Patches:
    """Every connection that is open takes time from the others."""
    sweep = Connection.sweep

    def sweep_slowly(self: Connection) -> None:
        time.sleep(0.0002)
        sweep(self)

    return [patch.object(Connection, "sweep", sweep_slowly)]


def no_bounds() -> Patches:
    """Any number of bytes may wait for clients that do not read."""
    return _limits(unsent_bytes_max=limits.GIB, write_buffer_bytes_max=limits.GIB)


def no_reserve() -> Patches:
    """Connections may take all descriptors."""
    return _limits(reserved_descriptors=0)


def spin() -> Patches:
    """Deadlines are looked at without a pause."""
    return _limits(sweep_period_s=0)


def publish_late() -> Patches:
    """Workers are told of a group before it is published: who was answered finds something older elsewhere."""
    show = Board.show_place

    def show_late(self: Board[Any, Any], place: Place[Any]) -> None:
        asyncio.get_running_loop().call_later(0.002, show, self, place)

    return [patch.object(Board, "show_place", show_late)]


def orphans() -> Patches:
    """Workers live on when their writer is gone, and keep nobody from its data."""
    return [
        patch.object(nursery, "die_with", lambda _parent: None),
        patch.object(LinuxDisk, "locks", []),
        patch.object(Worker, "_on_writer_gone", lambda _self: None),
    ]


def patience() -> Patches:
    """A worker may be silent for as long as it likes."""
    return _limits(beats_missed_max=1_000_000)


def _ring(*, lines: int) -> Patches:
    return [patch.object(opening, "LINES", lines)]


def _limits(**changed: Any) -> Patches:
    """Change bounds, beside those that another sabotage changed."""
    current: limits.Limits = vars(serve)["DEFAULT"]
    return [patch.object(serve, "DEFAULT", replace(current, **changed))]


SABOTAGES: Final[dict[str, Callable[[], Patches]]] = {
    "no-sync": no_sync,
    "forgotten-keys": forgotten_keys,
    "trust-failed-sync": trust_failed_sync,
    "ignore-removal": ignore_removal,
    "late-write": late_write,
    "trust-short-write": trust_short_write,
    "highest-completed": highest_completed,
    "wall-clock": wall_clock,
    "no-drain": no_drain,
    "small-segments": small_segments,
    "small-ring": small_ring,
    "slow-sync": slow_sync,
    "lenient-host": lenient_host,
    "lenient-framing": lenient_framing,
    "skip-checksum": skip_checksum,
    "no-lock": no_lock,
    "undeclared-form": undeclared_form,
    "leak-unsent": leak_unsent,
    "no-deadlines": no_deadlines,
    "costly-connections": costly_connections,
    "no-bounds": no_bounds,
    "no-reserve": no_reserve,
    "spin": spin,
    "publish-late": publish_late,
    "orphans": orphans,
    "patience": patience,
}


@contextmanager
def sabotaged(*names: str) -> Iterator[None]:
    """Take safeguards out of this process."""
    with ExitStack() as stack:
        for name in names:
            for each in SABOTAGES[name]():
                stack.enter_context(each)
        yield
