"""Safeguards of the journal and its disk, each taken out on purpose: see `sabotage.py`."""

import asyncio
import fcntl
import os
from contextlib import AbstractContextManager, suppress
from functools import partial
from typing import Any
from unittest.mock import patch
from zlib import crc32

from pexservice.core.known import KnownKeys
from pexservice.disk import Done
from pexservice.disk.daemons import off_loop
from pexservice.disk.fixed import LinuxFixedFile
from pexservice.disk.growing import LinuxFile
from pexservice.disk.syncer import Buffer, Syncer
from pexservice.stores.journal import record, ring, segment
from pexservice.stores.journal.flight import Flight
from pexservice.stores.journal.keys_writer import KeysWriter
from pexservice.stores.journal.record import Codec
from pexservice.stores.journal.ring_writer import RingWriter

Patches = list[AbstractContextManager[Any]]


def forgotten_keys() -> Patches:
    """Keys are in memory only: a start knows none."""

    def read(_self: KeysWriter, _bodies: object, _start: object) -> None:
        pass

    return [patch.object(KeysWriter, "read", read), patch.object(KnownKeys, "read", lambda _self, _written: None)]


def no_sync() -> Patches:
    """Syncs and direct writes report success: they never were on the disk, but in the page cache at most."""

    def sync(_self: Syncer, _fd: int, *, is_directory: bool = False) -> asyncio.Future[None]:
        done = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done

    cached: dict[LinuxFixedFile, int] = {}

    def write(self: LinuxFixedFile, offset: int, data: bytes, done: Done) -> None:
        if self not in cached:
            cached[self] = os.open(f"/proc/self/fd/{self._fds[0]}", os.O_RDWR)
        writing = off_loop(partial(os.pwrite, cached[self], data, offset))
        writing.add_done_callback(lambda _written: done(None))

    return [patch.object(Syncer, "sync", sync), patch.object(LinuxFixedFile, "write", write)]


def trust_failed_sync() -> Patches:
    """A failed sync, or direct write, is reported as success: what the disk refused is answered."""
    begin = Syncer.sync

    def sync(self: Syncer, fd: int, *, is_directory: bool = False) -> asyncio.Future[None]:
        synced = begin(self, fd, is_directory=is_directory)

        async def trust() -> None:
            with suppress(OSError):
                await synced

        return asyncio.ensure_future(trust())

    return [patch.object(Syncer, "sync", sync), _trusted_writes()]


def ignore_removal() -> Patches:
    """A ring that was removed is written to as before."""
    return [patch.object(LinuxFixedFile, "is_whole", lambda _self: True), _no_looks()]


def late_write() -> Patches:
    """A line is written only when the next one comes: what was answered is lost with the process."""
    write = LinuxFixedFile.write
    held = dict[LinuxFixedFile, tuple[int, bytes]]()
    opened = set[LinuxFixedFile]()

    def hold(self: LinuxFixedFile, offset: int, data: bytes, done: Done) -> None:
        if self not in opened:  # It is being opened: this puts back what is there.
            opened.add(self)
            write(self, offset, data, done)
            return
        before = held.pop(self, None)
        held[self] = (offset, data)
        if before is None:
            asyncio.get_running_loop().call_soon(done, None)
        else:
            write(self, *before, done)

    return [patch.object(LinuxFixedFile, "write", hold)]


def trust_short_write() -> Patches:
    """What a write did not take is taken for written."""
    append = LinuxFile.append

    async def trust(self: LinuxFile, data: bytes) -> None:
        with suppress(OSError):
            await append(self, data)

    return [
        patch.object(LinuxFile, "append", trust),
        _trusted_writes(),
        patch.object(LinuxFixedFile, "_is_quick", lambda _self: False),
        _no_looks(),
    ]


def _trusted_writes() -> AbstractContextManager[Any]:
    """Whatever the disk says of a write, all of it is taken for written."""
    write = Syncer.write

    def trust(self: Syncer, fd: int, buffer: Buffer, size_bytes: int, *rest: Any) -> None:
        offset, done = rest
        write(self, fd, buffer, size_bytes, offset, lambda _result: done(size_bytes))

    return patch.object(Syncer, "write", trust)


def _no_looks() -> AbstractContextManager[Any]:
    """Names and sizes are not looked at once a second: that second safeguard would end the service before its clients.

    What would be seen then is a service that ends, and not what its clients are told.
    """
    return patch.object(RingWriter, "check_in_place", lambda _self, _disk, _sizes: None)


def highest_completed() -> Patches:
    """A line calls durable whatever was written last, whether those before it were written or not."""
    written = RingWriter._written

    def trust(self: RingWriter[Any, Any], flight: Flight[Any, Any], error: OSError | None) -> None:
        written(self, flight, error)
        if error is None:
            self.durable = max(self.durable, flight.last)

    return [patch.object(RingWriter, "_written", trust)]


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
