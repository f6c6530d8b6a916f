"""A new file, which only grows: in threads, since to write may wait for the disk, and for room in its cache."""

import os
from collections.abc import Awaitable
from functools import partial

from pexservice.disk.daemons import off_loop
from pexservice.disk.syncer import Syncer


class LinuxFile:
    """See `disk.File`."""

    def __init__(self, fd: int, syncer: Syncer) -> None:
        self._fd = fd
        self._syncer = syncer
        self._is_appending = False

    async def append(self, data: bytes) -> None:
        """As `File.append`."""
        self._is_appending = True
        await off_loop(partial(self._append, data))

    def _append(self, data: bytes) -> None:
        try:
            written = os.write(self._fd, data)
            while written < len(data):  # A short write comes first, the error that explains it with the next.
                written += os.write(self._fd, data[written:])
        finally:
            self._is_appending = False

    def sync(self) -> Awaitable[None]:
        """As `File.sync`."""
        return self._syncer.sync(self._fd)

    def close(self) -> None:
        """As `File.close`. Left to the end of the process, if nobody waited for the last `append`."""
        if not self._is_appending:
            os.close(self._fd)
