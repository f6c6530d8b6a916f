"""Whole files: put in their place, and read from there.

One is written under another name, synced, renamed, and the directory synced. So it appears in one step, and nothing
that is synced is ever added to.
"""

from contextlib import suppress
from typing import Final

from pexservice.disk import Disk
from pexservice.limits import MIB
from pexservice.stores.journal.errors import failed, mismatch, translate

_SUFFIX_NEW: Final = ".new"
FILE_BYTES_MAX: Final = 256 * MIB
"""Some times what a ring, a segment or the most keys take. What was made longer by others is to be told as what it is,
and not to fill the memory."""


def read(disk: Disk, name: str) -> bytes:
    """Return the whole of a file. Raises OSError, and DamagedData if it is longer than any of a journal."""
    size_bytes = disk.size(name)
    if size_bytes > FILE_BYTES_MAX:
        raise mismatch(f"{name} has {size_bytes} bytes, and no file of a journal has more than {FILE_BYTES_MAX}")
    return disk.read(name)


def new_name(name: str) -> str:
    """Return the name that a file has until it is whole and durable."""
    return name + _SUFFIX_NEW


async def put(disk: Disk, name: str, data: bytes, what: str, *, is_private: bool = False) -> None:
    """Put a file in its place, or in that of an older one of its name; `what` says for people what it is.

    A private one is for its owner alone to read. Raises JournalFull, and then what was there is there; and Fatal.
    """
    temporary = new_name(name)
    try:
        await remove_if_there(disk, temporary)
        file = await disk.create(temporary, is_private=is_private)
        try:
            await file.append(data)
            await file.sync()
        finally:
            file.close()
        # May find no room either, for the new name; then both names are as they were.
        await disk.rename(temporary, name)
    except OSError as error:
        with suppress(OSError):  # The error that is under way tells more.
            await disk.remove(temporary)
        raise translate(f"write {what}", name, error) from error
    await sync_names(disk, name)


async def sync_names(disk: Disk, name: str) -> None:
    """Make durable which files there are; `name` is the one that it is for. Raises Fatal."""
    try:
        await disk.sync_names()
    except OSError as error:
        raise failed("sync the name of", name, error) from error


async def remove_if_there(disk: Disk, name: str) -> None:
    """Remove what an earlier attempt left. Raises OSError."""
    with suppress(FileNotFoundError):
        await disk.remove(name)
