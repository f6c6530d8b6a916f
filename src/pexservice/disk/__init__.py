"""The seam to the operating system: the few things that the journal asks of a disk.

Everything that can fail, tear or be lost at a power cut goes through these small interfaces. `linux.py` implements them
with system calls; the tests implement them with a disk that can be cut off at any instant. All methods raise OSError.
None of them gives meaning to the bytes.

What changes a file or a name is awaited, or tells when it is done. For a sync is not all that waits for the disk: a
file system commits such changes when it wants to, and whoever makes the next one meanwhile waits for it.
"""

import errno
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

NOT_REGULAR: Final = errno.EBADFD
"""What is raised of a file that is a directory, a pipe or a device; the system has no number of its own for it."""
LOCK_NAME: Final = "lock"
"""The file by which a process owns a directory."""
Done = Callable[[OSError | None], None]
"""Told once of the outcome of a write: None if it is on stable storage."""


class File(Protocol):
    """A new file, which only grows."""

    def append(self, data: bytes) -> Awaitable[None]:
        """Write all of `data` at the end, or raise with any part of it written. Not durable before `sync`."""
        ...

    def sync(self) -> Awaitable[None]:
        """Begin to put everything written so far on stable storage; done when awaited. Never again after it raised."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...


class FixedFile(Protocol):
    """A file of a fixed size, which is written over in place. Offsets and sizes are multiples of `Disk.block_bytes`."""

    @property
    def in_flight_max(self) -> int:
        """How many writes may be under way at once."""
        ...

    @property
    def method(self) -> str:
        """How writes are made durable, for people."""
        ...

    def write(self, offset: int, data: bytes, done: Done) -> None:
        """Begin to write, and to put what was written on stable storage. `done` is called later, never from within.

        Writes are done in any order. One that fails may have been made in part; no error is raised here. Of a file that
        is cached, `done` may be called from within, and means that it survives the end of the process; a `sync` that
        begins then makes it durable.
        """
        ...

    def sync(self) -> Awaitable[None]:
        """As `File.sync`, of a file that is cached."""
        ...

    def is_whole(self) -> bool:
        """Tell whether the file still has a name, and the size that it had."""
        ...

    def close(self) -> None:
        """Let go of the file. All was synced, and nothing is raised.

        With a write under way, as when the process is about to end, it stays open: the write could go to another file
        that gets its number.
        """
        ...


class Disk(Protocol):
    """One directory of files, owned by this process."""

    def names(self) -> list[str]:
        """Return the names of all files, in no order."""
        ...

    def size(self, name: str) -> int:
        """Return the size of a file in bytes."""
        ...

    def read(self, name: str) -> bytes:
        """Return the whole of a file, as it is on the disk."""
        ...

    def create(self, name: str, *, is_private: bool = False) -> Awaitable[File]:
        """Create an empty file; there must be none of this name. Its name is not durable before `sync_names`.

        A private one is for its owner alone to read.
        """
        ...

    async def open_fixed(self, name: str, *, is_cached: bool) -> FixedFile:
        """Open a file to write over it. If it is cached, writes are not durable before a sync.

        The last block is written again as it is, to find out how this file system lets itself be written to.
        """
        ...

    def rename(self, old: str, new: str) -> Awaitable[None]:
        """Give a file another name, in one step taking the place of any file that has it."""
        ...

    def remove(self, name: str) -> Awaitable[None]:
        """Remove a file."""
        ...

    def sync_names(self) -> Awaitable[None]:
        """Begin to put every name given or removed so far on stable storage; done when awaited."""
        ...

    def block_bytes(self) -> int:
        """Return the size of what the disk writes as one."""
        ...

    def file_bytes_max(self) -> int:
        """Return how large a file of this process may get (getrlimit(2), RLIMIT_FSIZE)."""
        ...

    def free_bytes(self) -> int:
        """Return how many bytes this user may still write to the file system, quotas left aside (statvfs(3))."""
        ...
