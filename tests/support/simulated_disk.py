"""A disk in memory that can fail, fill up, and lose its power at any instant.

It keeps apart what is durable and what is only written. A power cut decides about each unsynced write on its own: kept,
lost, or torn at 512-byte sectors; and about the unsynced names: a prefix of the operations is kept, as a journaling
file system does it.
"""

import errno
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random

SECTOR_BYTES = 512


class PowerCut(BaseException):
    """Raised in the middle of an operation: the process is no more."""


@dataclass(eq=False)
class Inode:
    """The bytes of a file: as written, and as durable."""

    written: bytearray = field(default_factory=bytearray)
    durable: bytes = b""


@dataclass
class Faults:
    """What is to go wrong. Counts run down with each operation; None is never."""

    operations_until_cut: int | None = None
    free_bytes: int | None = None
    write_error: int | None = None
    sync_error: int | None = None
    cut_error: int | None = None
    lies: bool = False
    """Syncs report success and do nothing: the negative control."""


class SimulatedFile:
    """See `disk.File`."""

    def __init__(self, disk: "SimulatedDisk", inode: Inode) -> None:
        self._disk = disk
        self._inode = inode

    def append(self, data: bytes) -> None:
        faults = self._disk.faults
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

    def cut(self, size_bytes: int) -> None:
        if self._disk.faults.cut_error is not None:
            raise _error(self._disk.faults.cut_error)
        self._disk.operate()
        del self._inode.written[size_bytes:]

    def is_linked(self) -> bool:
        return self._inode in self._disk.inodes.values()

    async def sync(self) -> None:
        self._disk.operate()
        if self._disk.faults.sync_error is not None:
            raise _error(self._disk.faults.sync_error)
        if not self._disk.faults.lies:
            self._inode.durable = bytes(self._inode.written)

    def close(self) -> None:
        """Do nothing."""


class SimulatedDisk:
    """See `disk.Disk`."""

    def __init__(self, rng: Random, files: dict[str, bytes] | None = None) -> None:
        self.rng = rng
        self.faults = Faults()
        self.inodes = {name: Inode(bytearray(data), data) for name, data in (files or {}).items()}
        self._durable_names = dict(self.inodes)
        self._name_operations: list[Callable[[dict[str, Inode]], object]] = []

    def operate(self) -> None:
        """Count one operation, in which the power may go."""
        if self.faults.operations_until_cut is not None:
            self.faults.operations_until_cut -= 1
            if self.faults.operations_until_cut <= 0:
                raise PowerCut

    def names(self) -> list[str]:
        return list(self.inodes)

    def size(self, name: str) -> int:
        return len(self._inode(name).written)

    def read(self, name: str) -> bytes:
        return bytes(self._inode(name).written)

    def create(self, name: str) -> SimulatedFile:
        if name in self.inodes:
            raise _error(errno.EEXIST)
        if self.faults.free_bytes == 0:
            raise _error(errno.ENOSPC)
        inode = Inode()
        self._change(lambda names: names.__setitem__(name, inode))
        return SimulatedFile(self, inode)

    def rename(self, old: str, new: str) -> None:
        inode = self._inode(old)

        def change(names: dict[str, Inode]) -> None:
            names.pop(old, None)
            names[new] = inode

        self._change(change)

    def link(self, name: str, second: str) -> None:
        inode = self._inode(name)
        self._change(lambda names: names.__setitem__(second, inode))

    def remove(self, name: str) -> None:
        self._inode(name)
        self._change(lambda names: names.pop(name, None))

    def sync_names(self) -> Awaitable[None]:
        return self._sync_names()

    async def _sync_names(self) -> None:
        self.operate()
        if not self.faults.lies:
            self._durable_names = dict(self.inodes)
            self._name_operations.clear()

    def free_bytes(self) -> int:
        return 1 << 40 if self.faults.free_bytes is None else self.faults.free_bytes

    @property
    def sync_method(self) -> str:
        return "simulated"

    def killed(self) -> "SimulatedDisk":
        """Return the disk as a killed process leaves it: everything written is there."""
        return SimulatedDisk(self.rng, {name: bytes(inode.written) for name, inode in self.inodes.items()})

    def powered_off(self, *, garbage: bool = False) -> "SimulatedDisk":
        """Return the disk as a power cut leaves it. With `garbage`, lost sectors read as random bytes."""
        names = dict(self._durable_names)
        for change in self._name_operations[: self.rng.randrange(len(self._name_operations) + 1)]:
            change(names)
        return SimulatedDisk(self.rng, {name: self._survived(inode, garbage=garbage) for name, inode in names.items()})

    def _survived(self, inode: Inode, *, garbage: bool) -> bytes:
        durable, written = inode.durable, bytes(inode.written)
        if len(written) < len(durable):  # A cut that was not synced may or may not have happened.
            return self.rng.choice([durable, written])
        fate = self.rng.choice(["kept", "lost", "torn"])
        if fate == "kept":
            return written
        if fate == "lost":
            return durable
        size = self.rng.choice([len(written), self.rng.randint(len(durable), len(written))])
        survived = bytearray(written[:size])
        for sector in range(len(durable) // SECTOR_BYTES, (max(size, 1) - 1) // SECTOR_BYTES + 1):
            if self.rng.random() < 0.5:
                begin, end = max(sector * SECTOR_BYTES, len(durable)), min((sector + 1) * SECTOR_BYTES, size)
                survived[begin:end] = self.rng.randbytes(end - begin) if garbage else bytes(end - begin)
        return bytes(survived)

    def _inode(self, name: str) -> Inode:
        if name not in self.inodes:
            raise _error(errno.ENOENT)
        return self.inodes[name]

    def _change(self, change: Callable[[dict[str, Inode]], object]) -> None:
        self.operate()
        self._name_operations.append(change)
        change(self.inodes)


def _error(code: int) -> OSError:
    return OSError(code, os.strerror(code))
