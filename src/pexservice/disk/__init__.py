"""The seam to the operating system: the few things that a journal asks of a disk.

Everything that can fail, tear or be lost at a power cut goes through these two small interfaces. `linux.py` implements
them with system calls; the tests implement them with a disk that can be cut off at any instant. All methods raise
OSError. None of them gives meaning to the bytes.
"""

from collections.abc import Awaitable
from typing import Protocol


class File(Protocol):
    """A file that only grows, but for being cut back."""

    def append(self, data: bytes) -> None:
        """Write all of `data` at the end, or raise with any part of it written. Not durable before `sync`."""
        ...

    def cut(self, size_bytes: int) -> None:
        """Cut the file back to a size. Not durable before `sync`."""
        ...

    def is_linked(self) -> bool:
        """Tell whether the file still has a name."""
        ...

    def sync(self) -> Awaitable[None]:
        """Begin to put everything written so far on stable storage; done when awaited. Never again after it raised."""
        ...

    def close(self) -> None:
        """Let go of the file."""
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
        """Return the whole of a file."""
        ...

    def create(self, name: str) -> File:
        """Create an empty file; there must be none of this name. Its name is not durable before `sync_names`."""
        ...

    def rename(self, old: str, new: str) -> None:
        """Give a file another name, at once replacing any file that has it."""
        ...

    def link(self, name: str, second: str) -> None:
        """Give a file a second name."""
        ...

    def remove(self, name: str) -> None:
        """Remove a file."""
        ...

    def sync_names(self) -> Awaitable[None]:
        """Begin to put every name given or removed so far on stable storage; done when awaited."""
        ...

    def free_bytes(self) -> int:
        """Return how many bytes may still be written, as far as the file system says."""
        ...

    @property
    def sync_method(self) -> str:
        """How syncs are done, for metrics."""
        ...
