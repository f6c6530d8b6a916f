"""Safeguards, each taken out on purpose. Only tests and attacks use this; the product has no such option.

An attack that finds nothing may be a weak attack. So each is also run against a service that lacks the very safeguard
that it probes, and must then find a violation. Where it can, a sabotage wraps the original and undoes one thing, so
that it lacks that one thing alone whatever becomes of the original.
"""

import asyncio
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import replace
from typing import Any, Final
from unittest.mock import patch
from zlib import crc32

from pexservice import limits
from pexservice.cli import serve
from pexservice.disk import Done
from pexservice.disk.fixed import CachedFile, DirectFile
from pexservice.disk.linux import LinuxFile
from pexservice.disk.syncer import Syncer
from pexservice.http import request
from pexservice.http.clock import Clock
from pexservice.http.connection import Connection
from pexservice.http.forms import Forms
from pexservice.http.outbox import Outbox
from pexservice.http.server import Server
from pexservice.stores.journal import opening, record, ring, segment
from pexservice.stores.journal.flight import Flight
from pexservice.stores.journal.record import Codec
from pexservice.stores.journal.ring_writer import RingWriter
from pexservice.walk import endpoints, forms
from pexservice.walk.fibonacci import Walker

Patches = list[AbstractContextManager[Any]]


def no_sync() -> Patches:
    """Syncs and direct writes report success: they never were on the disk, but in the page cache at most."""

    def sync(_self: Syncer, _fd: int, *, is_directory: bool = False) -> asyncio.Future[None]:
        done = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done

    cached: dict[DirectFile, int] = {}

    def write(self: DirectFile, offset: int, data: bytes, done: Done) -> None:
        if self not in cached:
            cached[self] = os.open(f"/proc/self/fd/{self._fd}", os.O_RDWR)
        os.pwrite(cached[self], data, offset)
        asyncio.get_running_loop().call_soon(done, None)

    return [patch.object(Syncer, "sync", sync), patch.object(DirectFile, "write", write)]


def trust_failed_sync() -> Patches:
    """A failed sync, or direct write, is reported as success: what the disk refused is answered."""
    begin, write = Syncer.sync, Syncer.write

    def sync(self: Syncer, fd: int, *, is_directory: bool = False) -> asyncio.Future[None]:
        synced = begin(self, fd, is_directory=is_directory)

        async def trust() -> None:
            with suppress(OSError):
                await synced

        return asyncio.ensure_future(trust())

    def trust_write(self: Syncer, fd: int, address: int, size_bytes: int, *rest: Any) -> None:
        offset, done = rest
        write(self, fd, address, size_bytes, offset, lambda _result: done(size_bytes))

    return [patch.object(Syncer, "sync", sync), patch.object(Syncer, "write", trust_write)]


def ignore_removal() -> Patches:
    """A ring that was removed is written to as before."""
    return [patch.object(kind, "is_linked", lambda _self: True) for kind in (DirectFile, CachedFile)]


def late_write() -> Patches:
    """A line is written only when the next one comes: what was answered is lost with the process."""
    patches: Patches = []
    for kind in (DirectFile, CachedFile):
        patches.append(patch.object(kind, "write", _held_back(kind)))
    return patches


def _held_back(kind: type[DirectFile | CachedFile]) -> Callable[..., None]:
    begin, held = kind.write, dict[Any, tuple[int, bytes]]()

    def hold(self: Any, offset: int, data: bytes, done: Done) -> None:
        if is_tried(self):
            begin(self, offset, data, done)
            return
        before = held.pop(self, None)
        held[self] = (offset, data)
        if before is None:
            asyncio.get_running_loop().call_soon(done, None)
        else:
            begin(self, *before, done)

    def is_tried(file: Any) -> bool:
        """Tell whether the file is being opened: the first write puts back what is there."""
        is_first = file not in seen
        seen.add(file)
        return kind is DirectFile and is_first

    seen = set[Any]()
    return hold


def trust_short_write() -> Patches:
    """What a write did not take is taken for written."""
    append, write, cached = LinuxFile.append, Syncer.write, CachedFile.write_cached

    def trust(self: LinuxFile, data: bytes) -> None:
        with suppress(OSError):
            append(self, data)

    def trust_cached(self: CachedFile, offset: int, data: bytes) -> None:
        with suppress(OSError):
            cached(self, offset, data)

    def trust_direct(self: Syncer, fd: int, address: int, size_bytes: int, *rest: Any) -> None:
        offset, done = rest
        write(self, fd, address, size_bytes, offset, lambda _result: done(size_bytes))

    return [
        patch.object(LinuxFile, "append", trust),
        patch.object(CachedFile, "write_cached", trust_cached),
        patch.object(Syncer, "write", trust_direct),
    ]


def highest_completed() -> Patches:
    """A line calls durable whatever was written last, whether those before it were written or not."""
    written = RingWriter._written

    def trust(self: RingWriter[Any, Any], flight: Flight[Any, Any], error: OSError | None) -> None:
        written(self, flight, error)
        if error is None:
            self.durable = max(self.durable, flight.last)

    return [patch.object(RingWriter, "_written", trust)]


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
    ring_bounds = {"_RING_BYTES": 0, "_LINES_MIN": 64}
    return [*_limits(segment_bytes_max=400), *(patch.object(opening, name, to) for name, to in ring_bounds.items())]


def slow_sync() -> Patches:
    """No safeguard: every sync and direct write takes 20 ms more, so that something is always under way."""
    begin, write = Syncer.sync, Syncer.write

    def sync(self: Syncer, fd: int, *, is_directory: bool = False) -> asyncio.Future[None]:
        async def delay() -> None:
            await asyncio.sleep(0.02)
            await begin(self, fd, is_directory=is_directory)

        return asyncio.ensure_future(delay())

    def write_slowly(self: Syncer, fd: int, address: int, size_bytes: int, *rest: Any) -> None:
        offset, done = rest
        loop = asyncio.get_running_loop()

        def tell_later(result: int) -> None:
            loop.call_later(0.02, done, result)

        write(self, fd, address, size_bytes, offset, tell_later)

    return [patch.object(Syncer, "sync", sync), patch.object(Syncer, "write", write_slowly)]


def lenient_host() -> Patches:
    """A request passes without Host, with two, and with a bad one."""
    return [patch.object(request, "_check_host", lambda _hosts, *, is_http_10: None)]


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


def skip_checksum() -> Patches:
    """Rows of the history, and lines and header of the ring, are believed without proof."""

    def check(line: bytes, previous_checksum: int) -> int:
        return crc32(line.rpartition(b",")[0] + b"\n", previous_checksum)

    decode, read_header = ring.decode_line, ring._read_header

    def decode_line(header: ring.Header, slot: int, held: bytes) -> ring.Line:
        text = held.rstrip(b" \n")
        body = text.rpartition(b",")[0]
        return decode(header, slot, ring.fill(b"%b,%08x" % (body, crc32(body)), len(held)))

    def read_believing(codec: Codec[Any, Any], data: bytes) -> tuple[ring.Header, int]:
        end = data.find(b"\n") + 1
        body, _, written = data[:end].rstrip(b" \n").rpartition(b",")
        read, _ = read_header(codec, (b"%b,%08x" % (body, crc32(body))).ljust(end - 1) + b"\n" + data[end:])
        return read, int(written, 16)

    return [
        patch.object(record, "check", check),
        patch.object(segment, "check", check),
        patch.object(ring, "decode_line", decode_line),
        patch.object(ring, "_read_header", read_believing),
    ]


def no_lock() -> Patches:
    """Any number of services may own a data directory."""
    return [patch.object(fcntl, "flock", lambda _fd, _operation: None)]


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


def _limits(**changed: Any) -> Patches:
    """Change bounds, beside those that another sabotage changed."""
    current: limits.Limits = vars(serve)["DEFAULT"]
    return [patch.object(serve, "DEFAULT", replace(current, **changed))]


SABOTAGES: Final[dict[str, Callable[[], Patches]]] = {
    "no-sync": no_sync,
    "trust-failed-sync": trust_failed_sync,
    "ignore-removal": ignore_removal,
    "late-write": late_write,
    "trust-short-write": trust_short_write,
    "highest-completed": highest_completed,
    "wall-clock": wall_clock,
    "no-drain": no_drain,
    "small-segments": small_segments,
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
}


@contextmanager
def sabotaged(*names: str) -> Iterator[None]:
    """Take safeguards out of this process."""
    with ExitStack() as stack:
        for name in names:
            for each in SABOTAGES[name]():
                stack.enter_context(each)
        yield
