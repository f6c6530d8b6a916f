"""The journal as a store: one row and one sync per group.

The idea: a file whose last write is in doubt is never appended to. Whatever ends the writing of a segment, a stop, a
crash, a full disk or its size, the next row goes into a new one, and a segment appears under its name only when it is
whole and durable: it is written under another name, synced, renamed, and the directory synced.
"""

import asyncio
import errno
import time
from collections.abc import Awaitable
from contextlib import suppress
from typing import Final, NamedTuple, Self

import structlog

from pexservice.core.store import Place
from pexservice.disk import Disk, File
from pexservice.errors import JournalFailed, JournalFull, NotApplied, NotPermitted
from pexservice.limits import SEGMENT_BYTES_MAX
from pexservice.stores.journal.record import encode_group, encode_opening
from pexservice.stores.journal.recovery import Recovered, sequences
from pexservice.stores.journal.segment import new_name, segment_name, torn_name
from pexservice.walk.steps import fold, runs

log = structlog.get_logger()

_NO_ROOM: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EMFILE, errno.ENFILE}


class _Written(NamedTuple):
    """A group whose row is written, and not yet known to be durable."""

    start: Place
    end: Place
    row_bytes: int
    checksum: int


class Journal:
    """The store of the service. It owns the segments of its directory."""

    def __init__(self, disk: Disk, recovered: Recovered, *, interval: bool, history_bytes_max: int) -> None:
        """Use `open`."""
        self.place = recovered.place
        self.segment_bytes = 0
        self._disk = disk
        self._interval = interval
        self._history_bytes_max = history_bytes_max
        self._name = ""
        self._file: File | None = None
        self._checksum = 0
        self._torn = recovered.torn
        self._rotate_at_bytes = SEGMENT_BYTES_MAX
        self._full = False
        self._unsynced = False
        self._flushing = asyncio.Lock()

    @classmethod
    async def open(
        cls, disk: Disk, recovered: Recovered, *, interval: bool = False, history_bytes_max: int = 0
    ) -> Self:
        """Begin a new segment of a directory where the walk stopped.

        Without `interval` a commit returns once its row is synced, with it once the row is written; then somebody
        must call `flush` now and again. When the history exceeds `history_bytes_max` the oldest segments go; 0 keeps
        all. Without room for a segment the journal opens too, and takes steps once `heal` succeeds.

        Raises JournalFailed.
        """
        journal = cls(disk, recovered, interval=interval, history_bytes_max=history_bytes_max)
        try:
            await journal._begin_segment()
        except JournalFull as error:
            journal._full = True
            log.error("no room for a new segment: steps are refused until there is", error=str(error))
        return journal

    def commit(self, steps: bytes) -> Awaitable[Place]:
        """As `Store.commit`. Raises JournalFull, JournalFailed."""
        if self.segment_bytes >= self._rotate_at_bytes and not self._full:
            return self._rotate_and_commit(steps)
        return self._append_and_sync(steps)

    def _append_and_sync(self, steps: bytes) -> Awaitable[Place]:
        file = self._file
        if self._full or file is None:
            message = f"no row is written after step {self.place.sequence} before there is room for a new segment"
            raise JournalFull(message)
        start = self.place
        group = runs(steps)
        end = Place(start.sequence + len(steps), fold(group)(start.position))
        row, checksum = encode_group(end, group, time.time(), self._checksum)
        self._append(file, row)
        synced = None if self._interval else file.sync()
        return self._finish(file, synced, _Written(start, end, len(row), checksum))

    async def _rotate_and_commit(self, steps: bytes) -> Place:
        try:
            await self._rotate()
        except JournalFull:  # Put off: the segment may grow until there is room. An attempt costs as much as a group.
            self._rotate_at_bytes = self.segment_bytes + SEGMENT_BYTES_MAX // 64
        return await self._append_and_sync(steps)

    async def _finish(self, file: File, synced: Awaitable[None] | None, written: "_Written") -> Place:
        if synced is None:
            self._unsynced = True
        else:
            await self._outcome(synced)
        if not self._is_linked(file):
            message = f"the segment {self._name} was removed while it was in use. Restore the data directory."
            raise JournalFailed(message)
        self.place, self._checksum = written.end, written.checksum
        self.segment_bytes += written.row_bytes
        return written.start

    def _is_linked(self, file: File) -> bool:
        try:
            return file.is_linked()
        except OSError as error:
            raise _failure("look at", self._name, error) from error

    async def heal(self) -> NotApplied | None:
        """As `Store.heal`: try to begin a new segment. Raises JournalFailed."""
        if self._full:
            try:
                await self._rotate()
            except JournalFull as error:
                return error
            self._full = False
        return None

    async def flush(self) -> bool:
        """Sync what `commit` only wrote; tell whether there was anything. Raises JournalFailed."""
        async with self._flushing:
            if not self._unsynced or self._file is None:
                return False
            self._unsynced = False
            await self._outcome(self._file.sync())
            return True

    async def close(self) -> None:
        """As `Store.close`. Raises JournalFailed."""
        await self.flush()
        if self._file is not None:
            self._file.close()
            self._file = None

    async def _rotate(self) -> None:
        """Go on in a new segment; without room for one, stay in the old. Raises JournalFull, JournalFailed."""
        await self.flush()
        old = self._file
        await self._begin_segment()
        if old is not None:
            old.close()

    async def _begin_segment(self) -> None:
        """Begin a segment at `place`. One of that name has no rows; it is replaced, and kept aside if it was torn."""
        name = segment_name(self.place.sequence)
        temporary = new_name(name)
        opening, checksum = encode_opening(self.place, interval=self._interval, time_s=time.time())
        try:
            with suppress(FileNotFoundError):
                self._disk.remove(temporary)
            file = self._disk.create(temporary)
            try:
                file.append(opening)
                await file.sync()
                if name == self._torn:
                    self._keep_old(name)
                self._disk.rename(temporary, name)
                # From here on the old segment must not grow: a start would read the new one.
                await self._outcome(self._disk.sync_names())
            except BaseException:
                file.close()
                with suppress(OSError):  # It may have its name already; and the error that is under way tells more.
                    self._disk.remove(temporary)
                raise
        except OSError as error:
            # Without its name, a segment may fail to sync for want of space without harm: it is thrown away.
            raise _failure("begin the segment", name, error) from error
        self._name, self._file, self._checksum, self.segment_bytes = name, file, checksum, len(opening)
        self._torn, self._rotate_at_bytes = None, SEGMENT_BYTES_MAX
        await self._forget_old_segments()

    def _keep_old(self, name: str) -> None:
        try:
            with suppress(FileNotFoundError):
                self._disk.remove(torn_name(name))
            self._disk.link(name, torn_name(name))
        except OSError as error:  # Nothing in it was ever answered; it would only have been of interest.
            log.warning("could not keep a torn segment", segment=name, error=str(error))

    def _append(self, file: File, row: bytes) -> None:
        try:
            file.append(row)
        except OSError as error:
            failure = _failure("write to", self._name, error)
            try:
                file.cut(self.segment_bytes)
            except OSError as cut_error:
                raise _failure("cut back", self._name, cut_error) from error
            self._full = True
            raise failure from error

    async def _outcome(self, synced: Awaitable[None]) -> None:
        try:
            await synced
        except OSError as error:
            message = (
                f"cannot sync {self._name}: {error.strerror}. Nothing of its last group was answered. "
                "Check the disk and the kernel's log before starting again."
            )
            raise JournalFailed(message) from error

    async def _forget_old_segments(self) -> None:
        if not self._history_bytes_max:
            return
        try:
            names = [segment_name(sequence) for sequence in sequences(self._disk)]
            sizes = {name: self._disk.size(name) for name in names}
            excess = sum(sizes.values()) - self._history_bytes_max
            for name in names[:-1]:
                if excess <= 0:
                    break
                self._disk.remove(name)
                # One by one: else a power cut could take a newer one, leave an older one, and so a gap.
                await self._outcome(self._disk.sync_names())
                excess -= sizes[name]
                log.info("history over its limit, oldest segment removed", segment=name)
        except OSError as error:
            log.warning("could not remove an old segment", error=str(error))


def _failure(verb: str, name: str, error: OSError) -> JournalFull | JournalFailed | NotPermitted:
    if isinstance(error, PermissionError):
        return NotPermitted(f"may not {verb} {name}: {error.strerror}. Give this user the right to.")
    if error.errno in _NO_ROOM:
        return JournalFull(f"cannot {verb} {name}: {error.strerror}")
    return JournalFailed(f"cannot {verb} {name}: {error.strerror}. Check the disk and the kernel's log.")
