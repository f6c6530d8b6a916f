r"""The journal as a store: groups through the ring, and the history written behind it.

    commit -> judge -> row -> lines of the ring -> (direct writes that overlap) -> durable, in order -> answered
                                                                              \-> the history, later, in one go

The ring is small and goes round: a line is written over once its row is in the synced history. That is brought up to
date when half of the ring is used, and at least once a minute. On a full disk the ring goes on until it is full; then
groups are turned away until the history can be written.
"""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Final, Generic, Self

import structlog

from pexservice.core.judging import Place, judge
from pexservice.core.keys import NO_TERMS, AllTerms
from pexservice.core.known import KnownKeys
from pexservice.core.machine import C, S
from pexservice.core.measures import SECONDS_BOUNDS, Histogram
from pexservice.core.store import Commit, Status
from pexservice.disk import Disk
from pexservice.errors import NotApplied
from pexservice.stores.journal.errors import JournalFull
from pexservice.stores.journal.flight import Flight, Places
from pexservice.stores.journal.history_writer import HistoryWriter
from pexservice.stores.journal.keys_writer import KeysWriter
from pexservice.stores.journal.opening import Found, Opener
from pexservice.stores.journal.options import IN_FLIGHT_MAX, ROWS_IN_FLIGHT_MAX, Options
from pexservice.stores.journal.record import Codec
from pexservice.stores.journal.ring_writer import RingWriter
from pexservice.stores.journal.rows import flights
from pexservice.stores.journal.showing import show

log = structlog.get_logger()

_HISTORY_DELAY_S_MAX: Final = 60.0
"""The history is at most so much behind: each time may write the newest segment again, so not more often."""


@dataclass(slots=True)
class _Chores:
    """When what was last done, in running time."""

    flush_seconds: Histogram = field(default_factory=lambda: Histogram(SECONDS_BOUNDS))
    tick_s: float = field(default_factory=time.monotonic)
    sync_s: float = field(default_factory=time.monotonic)
    history_s: float = field(default_factory=time.monotonic)
    last_seen: int = 0
    """The last line, as of the last tick."""
    are_over: bool = False


class Journal(Generic[S, C]):
    """Keeps the state of one machine in a directory. See `core.store.Store`."""

    is_shared: Final = False
    is_remote: Final = False

    def __init__(self, disk: Disk, codec: Codec[S, C], found: Found[S], options: Options) -> None:
        """Use `open`."""
        limits = options.limits
        self._disk, self._codec, self._options = disk, codec, options
        self._keys = KeysWriter(
            disk, codec, KnownKeys(limits.idempotency_keys_max, limits.idempotency_ttl_s), found.keys
        )
        self._history: HistoryWriter[S, C] = HistoryWriter(
            disk,
            codec,
            is_interval=options.is_interval,
            segment_bytes_max=limits.segment_bytes_max,
            history_bytes_max=limits.history_bytes_max,
            keys=self._keys,
        )
        self._opener: Opener[S, C] = Opener(disk, codec, found, self._history, self._keys)
        self._ring: RingWriter[S, C] | None = None
        self.in_flight_max = IN_FLIGHT_MAX
        self._places = Places(found.plan.place, found.plan.place, found.plan.place)
        self._blocked: deque[Flight[S, C]] = deque()
        """Groups that wait for room in the ring."""
        self._lack: JournalFull | None = None
        """Why the history could not be written the last time."""
        self._wanted = asyncio.Event()
        self._writing = asyncio.Lock()
        self._chores = _Chores()

    @classmethod
    async def open(cls, disk: Disk, codec: Codec[S, C], found: Found[S], options: Options) -> Self:
        """Go on from what `opening.look` found; without room for a new ring too. Raises JournalFailed, NotPermitted."""
        journal = cls(disk, codec, found, options)
        await journal._opener.settle()
        try:
            await journal._renew()
        except JournalFull as error:
            journal._lack = error
            log.error("no room for a new ring: commands are turned away until there is", error=str(error))
        return journal

    @property
    def unready(self) -> NotApplied | None:
        """As `Store.unready`. JournalFull only once the ring is full."""
        ring = self._ring
        is_full = ring is None or not ring.has_room(self._lines_max, self._history.kept)
        return self._lack if is_full else None

    @property
    def _lines_max(self) -> int:
        """How many lines a group may have: so many that all that are in flight, and one that seals, fit."""
        assert self._ring is not None, "there is a ring"
        return max(1, self._ring.shape.in_flight_max // (IN_FLIGHT_MAX + 1))

    @property
    def key_secret(self) -> bytes:
        """As `Store.key_secret`."""
        return self._keys.secret

    def commit(self, commands: Sequence[C], terms: AllTerms = NO_TERMS) -> Commit[S, C]:
        """As `Store.commit`. Raises JournalFull, RowTooLong, CommandTooLong, JournalFailed."""
        ring = self._ring
        if ring is None or (self._lack is not None and self.unready is not None):
            raise (self._lack or JournalFull()).with_traceback(None)
        if ring.failure is not None:
            raise ring.failure.with_traceback(None)
        known = self._keys.known
        now_s = known.now_s() if terms else 0
        judgement = judge(self._codec.machine, self._places.tail, commands, terms, known, time_s=now_s)
        rows = flights(self._codec, judgement, self._lines_max, time.time())
        self._places.tail = judgement.end
        if judgement.keys:
            known.expect(judgement.keys)
        for flight in rows:
            if self._blocked or not self._may_send(ring, flight):
                self._blocked.append(flight)
                self._wanted.set()
            else:
                self._send(ring, flight)
        return rows[-1]

    def read(self) -> Place[S]:
        """As `Store.read`."""
        return self._places.shown

    def status(self) -> Status:
        """As `Store.status`."""
        return show(self._disk, self._options, self._ring, self._history, self._keys.known, self._chores.flush_seconds)

    async def run(self) -> None:
        """As `Store.run`: sync, seal, write history, look for room. Raises JournalFailed, NotPermitted."""
        while not self._chores.are_over:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._options.chores_period_s):
                    await self._wanted.wait()
            self._wanted.clear()
            if not self._chores.are_over:
                await self._tend()

    async def close(self) -> None:
        """As `Store.close`. On a full disk what is durable in the ring stays there. Raises JournalFailed."""
        self._chores.are_over = True
        if self._ring is None:
            return
        await self._sync(self._ring)
        with suppress(JournalFull):
            await self._write_history()
            await self._keys.finish(self._places.shown.sequence)
        self._ring.close()
        self._ring.check_in_place(self._disk, self._history.in_place | self._keys.in_place)

    async def _tend(self) -> None:
        ring, chores, now_s = self._ring, self._chores, time.monotonic()
        is_tick = now_s - chores.tick_s >= self._options.limits.heal_period_s
        if is_tick:
            chores.tick_s = now_s
        if ring is None:
            if is_tick:
                await self._heal()
            return
        if ring.failure is not None:
            raise ring.failure
        if is_tick and not self._writing.locked():
            ring.check_in_place(self._disk, self._history.in_place | self._keys.in_place)
        if self._options.is_interval:
            is_late = now_s - chores.sync_s >= self._options.sync_interval_s
            if self._blocked or is_late or ring.is_sync_due or self._is_half_full(ring):
                chores.sync_s = now_s
                await self._sync(ring)
        elif is_tick:
            self._seal_if_idle(ring)
        if self._is_history_due(ring, is_tick=is_tick):
            await self._try_history()
        self._send_blocked(ring)

    async def _try_history(self) -> None:
        try:
            await self._write_history()
        except JournalFull as error:
            if self._lack is None:
                log.error("no room for the history: commands are taken until the ring is full", error=str(error))
            self._lack = error
            self._turn_away_blocked(error)

    def _is_history_due(self, ring: RingWriter[S, C], *, is_tick: bool) -> bool:
        if not self._history.is_behind:
            return False
        if self._lack is not None:
            return is_tick  # An attempt costs as much as many groups.
        is_late = time.monotonic() - self._chores.history_s >= _HISTORY_DELAY_S_MAX
        return bool(self._blocked) or self._is_half_full(ring) or is_late or self._keys.are_many_unwritten

    def _is_half_full(self, ring: RingWriter[S, C]) -> bool:
        return ring.last - self._history.kept >= ring.shape.lines // 2

    async def _heal(self) -> None:
        """Try again what `open` had no room for."""
        try:
            await self._renew()
        except JournalFull as error:
            self._lack = error
            return
        self._lack = None
        log.info("there is room again: commands are taken")

    async def _renew(self) -> None:
        file, header = await self._opener.renew(self._options.shape, is_cached=self._options.is_interval)
        self._ring = RingWriter(file, header, self._on_durable, self._on_written)
        self.in_flight_max = min(IN_FLIGHT_MAX, file.in_flight_max)

    async def _write_history(self) -> None:
        async with self._writing:
            await self._history.write()
            self._chores.history_s = time.monotonic()
            if self._lack is not None:
                self._lack = None
                log.info("there is room again: commands are taken")

    async def _sync(self, ring: RingWriter[S, C]) -> None:
        if self._options.is_interval and ring.last > ring.durable:
            began_s = time.perf_counter()
            await ring.sync()
            self._chores.flush_seconds.observe(time.perf_counter() - began_s)

    def _seal_if_idle(self, ring: RingWriter[S, C]) -> None:
        """Have a line say that the last row is durable, if none does and the history does not have it either."""
        is_idle = ring.last == ring.durable == self._chores.last_seen
        self._chores.last_seen = ring.last
        if is_idle and self._history.waiting and self._places.is_unsealed and ring.has_room(1, self._history.kept):
            self._places.is_unsealed = False
            ring.send(Flight(None, [b""]), is_cached=False)

    def _may_send(self, ring: RingWriter[S, C], flight: Flight[S, C]) -> bool:
        is_room = ring.has_room(len(flight.parts), self._history.kept)
        return is_room and (self._options.is_interval or ring.rows_under_way < ROWS_IN_FLIGHT_MAX)

    def _send(self, ring: RingWriter[S, C], flight: Flight[S, C]) -> None:
        places = self._places
        places.is_unsealed = True
        ring.send(flight, is_cached=self._options.is_interval)
        places.sent = flight.end
        if self._is_half_full(ring) or (self._options.is_interval and ring.is_sync_due):
            self._wanted.set()

    def _send_blocked(self, ring: RingWriter[S, C]) -> None:
        while self._blocked and self._may_send(ring, self._blocked[0]):
            self._send(ring, self._blocked.popleft())

    def _turn_away_blocked(self, error: JournalFull) -> None:
        """Nothing of them was written: the next group begins where the last one ends that was, or still has to be."""
        begun = deque(takewhile(lambda flight: flight.continues, self._blocked))
        turned_away = list(self._blocked)[len(begun) :]
        self._blocked = begun
        self._places.tail = begun[-1].end if begun else self._places.sent
        for flight in turned_away:
            self._keys.known.forget(flight.keys)
            flight.finish(error)

    def _on_written(self, flight: Flight[S, C]) -> None:
        self._places.shown = flight.end
        flight.finish()
        if self._blocked:
            self._wanted.set()

    def _on_durable(self, flight: Flight[S, C]) -> None:
        if flight.expected is None:
            return
        if flight.keys:
            self._keys.settle(flight.keys)
            if self._keys.are_many_unwritten:
                self._wanted.set()
        if flight.parts:
            self._history.add(b"".join(flight.parts), flight.end, flight.first)
        if not flight.is_done:
            self._on_written(flight)
        elif self._blocked:
            self._wanted.set()
