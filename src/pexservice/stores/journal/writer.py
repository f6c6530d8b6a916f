"""The journal as a store: one row and one sync per group.

A file whose last write is in doubt is never appended to. Whatever ends the writing of a segment (a stop, a crash, a
full disk, its size), the next row goes into a new one. And a segment gets its name only when its beginning is durable:
it is written under another name, synced, renamed, and the directory synced.
"""

import asyncio
import time
from collections.abc import Awaitable, Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Generic, NoReturn, Self

import structlog

from pexservice.core.judging import Judgement, Place, judge
from pexservice.core.machine import C, S
from pexservice.core.measures import SECONDS_BOUNDS, Histogram, Measure
from pexservice.core.store import Commit, Status
from pexservice.disk import Disk
from pexservice.errors import NotApplied, reason
from pexservice.limits import Limits
from pexservice.stores.journal.errors import JournalFailed, JournalFull, failure
from pexservice.stores.journal.record import Codec
from pexservice.stores.journal.recovery import Recovered, sequences
from pexservice.stores.journal.segment import new_name, segment_name, torn_name
from pexservice.stores.journal.tail import Tail

log = structlog.get_logger()

_DIRECTORY: Final = "the data directory"


@dataclass(frozen=True, slots=True)
class Options:
    """How a journal is kept."""

    sync_interval_s: float | None = None
    """None: a commit is done once its row is synced. Else once it is written, and a sync follows so often."""
    history_bytes_max: int = 0
    """Beyond it the oldest segments go; 0 keeps all."""


class _Committing(Generic[S, C]):
    """A group whose row is being written, as `store.Commit`."""

    __slots__ = ("_outcome", "expected")

    def __init__(self, expected: Judgement[S, C], outcome: Awaitable[Judgement[S, C]]) -> None:
        self.expected = expected
        self._outcome = outcome

    def __await__(self) -> Generator[Any, None, Judgement[S, C]]:
        return self._outcome.__await__()


class Journal(Generic[S, C]):
    """The store of the service. It owns the segments of its directory."""

    unready_reasons: ClassVar[tuple[type[NotApplied], ...]] = (JournalFull,)
    is_shared: Final = False
    in_flight_max: Final = 1

    def __init__(
        self, codec: Codec[S, C], disk: Disk, recovered: Recovered[S], options: Options, limits: Limits
    ) -> None:
        """Use `open`."""
        self.unready: NotApplied | None = None
        self._codec = codec
        self._place = recovered.place
        self._disk = disk
        self._options = options
        self._limits = limits
        self._tail: Tail | None = None
        self._torn = recovered.torn
        self._failure: JournalFailed | None = None
        """Why nothing is written any more: what the disk has lost once, it may lose again and report success."""
        self._unsynced = False
        self._flushing = asyncio.Lock()
        self._flush_seconds = Histogram(SECONDS_BOUNDS)

    @classmethod
    async def open(
        cls, codec: Codec[S, C], disk: Disk, recovered: Recovered[S], options: Options, limits: Limits
    ) -> Self:
        """Begin a new segment of a directory where the machine stopped.

        Without room for a segment the journal opens too, and takes groups once `run` finds room. Raises JournalFailed.
        """
        journal = cls(codec, disk, recovered, options, limits)
        try:
            await journal._begin_segment()
        except JournalFull as error:
            journal.unready = error
            log.error("no room for a new segment: commands are turned away until there is", error=str(error))
        return journal

    def commit(self, commands: Sequence[C]) -> Commit[S, C]:
        """As `Store.commit`. Raises JournalFull, JournalFailed."""
        if self._failure is not None:
            raise self._failure
        judgement = judge(self._codec.machine, self._place, commands)
        if not judgement.taken:
            return _Committing(judgement, _done(judgement))
        if self._tail is not None and self._tail.is_long and self.unready is None:
            return _Committing(judgement, asyncio.ensure_future(self._rotate_and_commit(judgement, self._tail)))
        return _Committing(judgement, self._append_and_sync(judgement))

    def read(self) -> Place[S]:
        """As `Store.read`."""
        return self._place

    def status(self) -> Status:
        """As `Store.status`."""
        measures = [
            Measure("pex_flush_seconds", "Syncs for --durability interval.", self._flush_seconds),
            Measure(
                "pex_segment_bytes", "Size of the segment being written.", self._tail.size_bytes if self._tail else 0
            ),
            Measure("pex_segment_bytes_max", "Beyond it the next is begun.", self._limits.segment_bytes_max),
        ]
        with suppress(OSError):  # A disk that is broken is no reason to tell nothing else.
            text = "Free space of the file system of the journal."
            measures.append(Measure("pex_disk_free_bytes", text, self._disk.free_bytes()))
        durability = "fsync" if self._options.sync_interval_s is None else "interval"
        return Status({"durability": durability, "sync_method": self._disk.sync_method}, measures)

    async def run(self) -> None:
        """As `Store.run`: sync now and again if a commit does not, and look for room when there is none."""
        await asyncio.gather(self._keep_healing(), self._keep_flushing())

    async def _keep_healing(self) -> NoReturn:
        while True:
            await asyncio.sleep(self._limits.heal_period_s)
            if self.unready is not None:
                await self._heal(self.unready)

    async def _keep_flushing(self) -> None:
        interval_s = self._options.sync_interval_s
        while interval_s is not None:
            await asyncio.sleep(interval_s)
            began_s = time.perf_counter()
            if await self.flush():
                self._flush_seconds.observe(time.perf_counter() - began_s)

    def _append_and_sync(self, judgement: Judgement[S, C]) -> Awaitable[Judgement[S, C]]:
        tail = self._tail
        if self.unready is not None or tail is None:
            message = f"no row is written after sequence {self._place.sequence} before there is room for a new segment"
            raise JournalFull(message)
        commands = self._codec.machine.encode(judgement.taken)
        row, checksum = self._codec.encode_row(judgement.end, commands, time.time(), tail.checksum)
        try:
            tail.append(row)
        except JournalFull as error:
            self.unready = error
            raise
        except JournalFailed as error:
            self._failure = error
            raise
        synced = None if self._options.sync_interval_s is not None else tail.sync()
        return self._finish(tail, synced, judgement, (len(row), checksum))

    async def _rotate_and_commit(self, judgement: Judgement[S, C], tail: Tail) -> Judgement[S, C]:
        try:
            await self._rotate()
        except JournalFull:  # Put off: the segment may grow until there is room. An attempt costs as much as a row.
            tail.rotate_at_bytes = tail.size_bytes + self._limits.segment_bytes_max // 64
        return await self._append_and_sync(judgement)

    async def _finish(
        self, tail: Tail, synced: Awaitable[None] | None, judgement: Judgement[S, C], written: tuple[int, int]
    ) -> Judgement[S, C]:
        if synced is None:
            self._unsynced = True
        else:
            await self._outcome(synced, tail.name, "Nothing of its last group was answered.")
        if self._failure is not None:
            raise self._failure
        try:
            tail.grow(*written)
        except JournalFailed as error:
            self._failure = error
            raise
        self._place = judgement.end
        return judgement

    async def _heal(self, full: NotApplied) -> None:
        """Try to begin a new segment. Raises JournalFailed."""
        try:
            await self._rotate()
        except JournalFull as error:
            self.unready = error
            return
        log.info("commands are taken again", after=full.code)
        self.unready = None

    async def flush(self) -> bool:
        """Sync what `commit` only wrote; tell whether there was anything. Raises JournalFailed."""
        async with self._flushing:
            if not self._unsynced or self._tail is None:
                return False
            self._unsynced = False
            await self._outcome(
                self._tail.sync(), self._tail.name, "What was answered since the last sync may be lost."
            )
            return True

    async def close(self) -> None:
        """As `Store.close`. Raises JournalFailed."""
        await self.flush()
        if self._tail is not None:
            self._tail.close()
            self._tail = None

    async def _rotate(self) -> None:
        """Go on in a new segment; without room for one, stay in the old. Raises JournalFull, JournalFailed."""
        await self.flush()
        old = self._tail
        await self._begin_segment()
        if old is not None:
            old.close()

    async def _begin_segment(self) -> None:
        """Begin a segment at `place`. One of that name has no rows; it is replaced, and kept aside if it was torn."""
        name = segment_name(self._place.sequence)
        temporary = new_name(name)
        opening, checksum = self._codec.encode_opening(
            self._place, is_interval=self._options.sync_interval_s is not None, time_s=time.time()
        )
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
                await self._outcome(self._disk.sync_names(), _DIRECTORY)
            except BaseException:
                file.close()
                with suppress(OSError):  # It may have its name already; and the error that is under way tells more.
                    self._disk.remove(temporary)
                raise
        except OSError as error:
            # Without its name, a segment may fail to sync for lack of space without harm: it is thrown away.
            raise failure("begin the segment", name, error) from error
        self._tail = Tail(name, file, checksum, len(opening), self._limits.segment_bytes_max)
        self._torn = None
        await self._forget_old_segments()

    def _keep_old(self, name: str) -> None:
        try:
            with suppress(FileNotFoundError):
                self._disk.remove(torn_name(name))
            self._disk.link(name, torn_name(name))
        except OSError as error:  # Nothing in it was ever answered; it was only to be looked at.
            log.warning("could not keep a torn segment", segment=name, error=str(error))

    async def _outcome(self, synced: Awaitable[None], what: str, consequence: str = "") -> None:
        """Wait for a sync. Raises JournalFailed, and then nothing is written or answered any more."""
        try:
            await synced
        except OSError as error:
            said = f"cannot sync {what}: {reason(error)}. {consequence}".rstrip()
            self._failure = JournalFailed(f"{said} Check the disk and the kernel's log before starting again.")
            raise self._failure from error

    async def _forget_old_segments(self) -> None:
        if not self._options.history_bytes_max:
            return
        try:
            names = [segment_name(sequence) for sequence in sequences(self._disk)]
            sizes = {name: self._disk.size(name) for name in names}
            excess = sum(sizes.values()) - self._options.history_bytes_max
            for name in names[:-1]:
                if excess <= 0:
                    break
                self._disk.remove(name)
                # One by one: else a power cut could take a newer one, leave an older one, and so a gap.
                await self._outcome(self._disk.sync_names(), _DIRECTORY)
                excess -= sizes[name]
                log.info("history over its limit, oldest segment removed", segment=name)
        except OSError as error:
            log.warning("could not remove an old segment", error=str(error))


async def _done(judgement: Judgement[S, C]) -> Judgement[S, C]:
    """Return at once what took nothing: all before it is durable."""
    return judgement
