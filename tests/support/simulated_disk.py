"""A disk in memory that can fail, fill up, and lose its power at any instant.

It keeps apart what is durable and what is only written. A power cut decides about each unsynced sector on its own: old
or new; about each direct write under way likewise; and about the unsynced names: a prefix of the operations is kept, as
a journaling file system does it. What a file grew by and was not synced may also be absent, or read as zeros.
"""

import asyncio
import errno
import os
from collections.abc import Callable
from functools import partial
from random import Random

from pexservice.disk import Done
from support.faults import Faults, PowerCut
from support.inode import Inode
from support.outcome import NOTHING, Outcome


class SimulatedFile:
    """See `disk.File`."""

    def __init__(self, disk: "SimulatedDisk", inode: Inode) -> None:
        self._disk = disk
        self._inode = inode

    def append(self, data: bytes) -> Outcome[None]:
        faults = self._disk.faults
        self._disk.check_power()
        if faults.write_error is not None:
            raise _error(faults.write_error)
        room = len(data) if faults.free_bytes is None else min(len(data), faults.free_bytes)
        if faults.operations_until_cut == 1:
            room = self._disk.rng.randrange(room + 1)
        self._inode.written += data[:room]
        self._disk.operate()
        if faults.free_bytes is not None:
            faults.free_bytes -= room
            if room < len(data):
                raise _error(errno.ENOSPC)
        return NOTHING

    async def sync(self) -> None:
        await self._disk.sync(self._inode)

    def close(self) -> None:
        """Do nothing."""


class SimulatedFixedFile:
    """See `disk.FixedFile`. Writes are done some turns of the event loop later, those that are durable in any order."""

    method = "simulated"

    def __init__(self, disk: "SimulatedDisk", inode: Inode, *, is_cached: bool) -> None:
        self.in_flight_max = 1 if is_cached else disk.in_flight_max
        self._is_cached = is_cached
        self.held: list[Callable[[], None]] | None = None
        """With a list, writes are not done until whoever has it calls what is in it."""
        self._disk = disk
        self._inode = inode
        self._size_bytes = len(inode.written)

    def write(self, offset: int, data: bytes, done: Done) -> None:
        disk, inode, faults = self._disk, self._inode, self._disk.faults
        assert offset % disk.sector_bytes == len(data) % disk.sector_bytes == 0, "direct writes are aligned"
        disk.check_power()
        if self._is_cached:
            self._write_cached(offset, data, done)
            return
        inode.under_way.append((offset, data))
        disk.operate(is_told=False)
        error, faults.fixed_error = faults.fixed_error, None
        if error is None and disk.is_to_fail():
            error = faults.error

        def complete() -> None:
            if disk.is_cut:
                return
            inode.under_way.remove((offset, data))
            if error is not None or faults.is_short:
                torn = disk.torn(inode.durable, offset, data)
                inode.durable[:], inode.written[:] = torn, torn
                done(_error(error or errno.EIO))
                return
            if not faults.lies:
                inode.durable[offset : offset + len(data)] = data
            inode.written[offset : offset + len(data)] = data
            done(None)

        turns = disk.rng.randrange(1, 6)
        if self.held is not None:
            self.held.append(complete)
        else:
            asyncio.ensure_future(_after(turns, complete))  # noqa: RUF006 - the loop ends first, or not.

    def _write_cached(self, offset: int, data: bytes, done: Done) -> None:
        failure: OSError | None = None
        try:
            if self._disk.faults.write_error is not None:
                raise _error(self._disk.faults.write_error)
            self._inode.written[offset : offset + len(data)] = data
            self._disk.operate()
        except OSError as error:
            failure = error
        if self.held is None:
            done(failure)
        else:
            self.held.append(partial(done, failure))

    async def sync(self) -> None:
        await self._disk.sync(self._inode)

    def is_whole(self) -> bool:
        return self._inode in self._disk.inodes.values() and len(self._inode.written) == self._size_bytes

    def close(self) -> None:
        """Do nothing."""


class SimulatedDisk:
    """See `disk.Disk`."""

    def __init__(
        self, rng: Random, files: dict[str, bytes] | None = None, *, sector_bytes: int = 512, in_flight_max: int = 8
    ) -> None:
        self.rng = rng
        self.faults = Faults()
        self.sector_bytes = sector_bytes
        self.in_flight_max = in_flight_max
        self.is_cut = False
        self.fixed: list[SimulatedFixedFile] = []
        self.inodes = {name: Inode(bytearray(data), bytearray(data)) for name, data in (files or {}).items()}
        self._durable_names = dict(self.inodes)
        self._name_operations: list[Callable[[dict[str, Inode]], object]] = []

    def check_power(self) -> None:
        """Take nothing more after the cut: an event loop goes on behind a callback that raised PowerCut."""
        if self.is_cut:
            raise PowerCut

    def operate(self, *, is_told: bool = True) -> None:
        """Count one operation, in which the power may go, or which may fail."""
        faults = self.faults
        if faults.operations_until_cut is not None:
            faults.operations_until_cut -= 1
            if faults.operations_until_cut <= 0:
                self.is_cut = True
                raise PowerCut
        if is_told and self.is_to_fail():
            raise _error(faults.error)

    def is_to_fail(self) -> bool:
        """Tell whether the count of operations has come to the one that fails."""
        if self.faults.operations_until_error is None:
            return False
        self.faults.operations_until_error -= 1
        return self.faults.operations_until_error == 0

    def names(self) -> list[str]:
        return list(self.inodes)

    def size(self, name: str) -> int:
        return len(self._inode(name).written)

    def read(self, name: str) -> bytes:
        self.operate()
        return bytes(self._inode(name).written)

    def create(self, name: str, *, is_private: bool = False) -> Outcome[SimulatedFile]:
        if name in self.inodes:
            raise _error(errno.EEXIST)
        if self.faults.free_bytes == 0:
            raise _error(errno.ENOSPC)
        inode = Inode()
        self._change(lambda names: names.__setitem__(name, inode))
        return Outcome(SimulatedFile(self, inode))

    async def open_fixed(self, name: str, *, is_cached: bool) -> SimulatedFixedFile:
        self.operate()
        file = SimulatedFixedFile(self, self._inode(name), is_cached=is_cached)
        self.fixed.append(file)
        return file

    def rename(self, old: str, new: str) -> Outcome[None]:
        inode = self._inode(old)
        self._give_back(new)

        def change(names: dict[str, Inode]) -> None:
            names.pop(old, None)
            names[new] = inode

        self._change(change)
        return NOTHING

    def remove(self, name: str) -> Outcome[None]:
        self._inode(name)
        self._give_back(name)
        self._change(lambda names: names.pop(name, None))
        return NOTHING

    def block_bytes(self) -> int:
        return self.sector_bytes

    def file_bytes_max(self) -> int:
        return 1 << 40

    def free_bytes(self) -> int:
        return 1 << 30 if self.faults.free_bytes is None else self.faults.free_bytes

    async def sync(self, inode: Inode) -> None:
        """Make what was written when this began durable, some turns of the event loop later."""
        self.operate()
        if self.faults.sync_error is not None:
            raise _error(self.faults.sync_error)
        assert not inode.syncing, "a file is synced once at a time"
        inode.syncing += 1
        written = bytes(inode.written)
        await _after(self.rng.randrange(4), lambda: None)
        inode.syncing -= 1
        if not self.faults.lies:
            inode.durable[:] = written

    async def sync_names(self) -> None:
        self.operate()
        changes, names = len(self._name_operations), dict(self.inodes)
        await _after(self.rng.randrange(4), lambda: None)
        if not self.faults.lies:
            self._durable_names = names
            del self._name_operations[:changes]

    def killed(self) -> "SimulatedDisk":
        """Return the disk as a killed process leaves it: what was written is there, and direct writes land or not."""
        files = {}
        for name, inode in self.inodes.items():
            data = inode.written
            for offset, piece in inode.under_way:
                if self.rng.random() < 0.5:
                    data[offset : offset + len(piece)] = piece
            files[name] = bytes(data)
        return self._again(files)

    def powered_off(self) -> "SimulatedDisk":
        """Return the disk as a power cut leaves it."""
        names = dict(self._durable_names)
        for change in self._name_operations[: self.rng.randrange(len(self._name_operations) + 1)]:
            change(names)
        return self._again({name: self._survived(inode) for name, inode in names.items()})

    def torn(self, durable: bytearray, offset: int, data: bytes) -> bytes:
        """Return what is there when any sectors of a write came to be."""
        result = bytearray(durable)
        for begin in range(0, len(data), self.sector_bytes):
            if self.rng.random() < 0.5:
                result[offset + begin : offset + begin + self.sector_bytes] = data[begin : begin + self.sector_bytes]
        return bytes(result)

    def _again(self, files: dict[str, bytes]) -> "SimulatedDisk":
        return SimulatedDisk(self.rng, files, sector_bytes=self.sector_bytes, in_flight_max=self.in_flight_max)

    def _survived(self, inode: Inode) -> bytes:
        durable, written = inode.durable, bytes(inode.written)
        survived = bytearray(durable)
        if len(written) > len(durable):
            size = self.rng.choice([len(durable), len(written), self.rng.randint(len(durable), len(written))])
            survived += bytes(size - len(durable))
        for begin in range(0, len(survived), self.sector_bytes):
            end = min(begin + self.sector_bytes, len(survived))
            if survived[begin:end] != written[begin:end] and self.rng.random() < 0.5:
                survived[begin:end] = written[begin:end]
        for offset, data in inode.under_way:
            survived[:] = self.torn(survived, offset, data)
        return bytes(survived)

    def _inode(self, name: str) -> Inode:
        if name not in self.inodes:
            raise _error(errno.ENOENT)
        return self.inodes[name]

    def _give_back(self, name: str) -> None:
        """Let what a file took be free again."""
        if self.faults.free_bytes is not None and name in self.inodes:
            self.faults.free_bytes += len(self.inodes[name].written)

    def _change(self, change: Callable[[dict[str, Inode]], object]) -> None:
        self.operate()
        self._name_operations.append(change)
        change(self.inodes)


async def _after(turns: int, act: Callable[[], None]) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)
    act()


def _error(code: int) -> OSError:
    return OSError(code, os.strerror(code))
