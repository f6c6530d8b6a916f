"""A file that stands for a disk: it remembers every write and flush, and fails or dawdles when told to.

Below the file system there are only blocks, written in some order, and flushes. Attached as a block device with an ext4
on it, this shows what the kernel really does for a sync, and how it passes on the errors of a real disk. From the
record, `write_log.py` makes the disk as any power cut would have left it.
"""

import errno
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from torture.disks.fuse import Disk, FileSystem, failure, running
from torture.disks.mounting import attached
from torture.disks.write_log import Record, pack

_FILE: Final = "device"


class BlockDevice(FileSystem):
    """The file system. Its methods are the operations of libfuse."""

    def __init__(self, mount_point: Path, size_bytes: int, log: Path) -> None:
        super().__init__(mount_point)
        self._content = bytearray(size_bytes)
        self._log = log.open("wb")
        self._records = 0
        self._failing = {"write": range(0), "sync": range(0)}
        """Of each kind of operation, which ones fail, counted from now on."""
        self._sync_s = 0.0

    def obey(self, words: list[str]) -> str:
        """Take `fail write|sync FIRST COUNT`, `heal`, `delay SECONDS` (a sync), or `log`: how many records it has."""
        match words:
            case ["fail", kind, first, count]:
                self._failing[kind] = range(int(first), int(first) + int(count))
                self.has_failed.clear()
            case ["heal"]:
                self._failing = {"write": range(0), "sync": range(0)}
            case ["delay", seconds]:
                self._sync_s = float(seconds)
            case ["log"]:
                self._log.flush()
                return str(self._records)
            case _:
                raise ValueError(words)
        return "done"

    def getattr(self, path: str, fh: int | None = None) -> dict[str, int]:
        if path == "/":
            return {"st_mode": stat.S_IFDIR | 0o700, "st_nlink": 2}
        if path == f"/{_FILE}":
            return {"st_mode": stat.S_IFREG | 0o600, "st_nlink": 1, "st_size": len(self._content)}
        raise failure(errno.ENOENT)

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        return bytes(self._content[offset : offset + size])

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        self._operate("write", Record(time.monotonic(), offset, data))
        self._content[offset : offset + len(data)] = data
        return len(data)

    def fsync(self, path: str, datasync: int, fh: int) -> None:
        self._operate("sync", Record(time.monotonic(), 0, b""))
        time.sleep(self._sync_s)

    def _operate(self, kind: str, record: Record) -> None:
        """Record one operation, or fail it."""
        failing = self._failing[kind]
        self._failing[kind] = range(failing.start - 1, failing.stop - 1)
        if 0 in failing:
            self.has_failed.set()
            raise failure(errno.EIO)
        self._log.write(pack(record))
        self._records += 1


@contextmanager
def block_device(directory: Path, *, size_bytes: int) -> Iterator[tuple[Disk, Path]]:
    """Have such a disk until the end of the block, as a block device of that path. Its log is `log` in the directory.

    Raises Unsupported.
    """
    where = directory / "disk"
    with (
        running("torture.disks.block_device", where, size_bytes, directory / "log") as disk,
        attached(where / _FILE) as device,
    ):
        yield disk, device


if __name__ == "__main__":
    _, given_path, given_size, given_log = sys.argv
    BlockDevice(Path(given_path), int(given_size), Path(given_log)).serve()
