"""The workers of a service, as the writer sees them: started, watched, replaced, stopped.

A worker that ends is replaced after a pause, and the sooner it ended the longer that is. One that is silent is ended:
it may hang, or be suspended.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Generic

import structlog

from pexservice.core.machine import C, S
from pexservice.disk.daemons import first
from pexservice.errors import Scarce, reason
from pexservice.limits import Limits
from pexservice.process.counts import Live, Region
from pexservice.process.nursery import Nursery
from pexservice.process.together import Silence
from pexservice.process.worker import Order
from pexservice.stores.shared.message import Kind, Told
from pexservice.stores.shared.ordering import Channel, Writer, connected

log = structlog.get_logger()


@dataclass(slots=True)
class _Member(Generic[S, C]):
    """One of the crew, and those that had its place before it."""

    number: int
    live: memoryview
    pause_s: float
    """Before it is replaced, should it end young."""
    channel: Channel[S, C] | None = None
    """None while there is none."""
    began_s: float = 0.0
    silence: Silence = field(init=False)

    def __post_init__(self) -> None:
        self.silence = Silence(self.live)


class Crew(Generic[S, C]):
    """Keeps as many workers as there are regions."""

    def __init__(
        self, nursery: Nursery, writer: Writer[S, C], regions: Sequence[Region], own: Region, limits: Limits
    ) -> None:
        """`regions` are those of the workers, and `own` that of this process."""
        self._nursery = nursery
        self._writer = writer
        self._own = own.live
        self._limits = limits
        self._members = [
            _Member[S, C](number, region.live, limits.replace_pause_s) for number, region in enumerate(regions)
        ]
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_stopping = False
        self._gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Gets an error when a worker cannot be replaced."""
        self._ending = 0
        self.unanswered = 0
        """How many workers, told to stop, did not end as they should: not all that they accepted was answered."""

    @property
    def channels(self) -> list[Channel[S, C]]:
        """Those of the workers that there are."""
        return [member.channel for member in self._members if member.channel is not None]

    def describe(self) -> str:
        """Tell how many of them serve."""
        return f"{len(self.channels)} of {len(self._members)} workers"

    @property
    def is_silent(self) -> bool:
        """Whether one has been silent for so long that it should have been replaced by now."""
        return any(member.silence.missed > 2 * self._limits.beats_missed_max for member in self._members)

    async def begin(self, order: Order, fds: Sequence[int]) -> None:
        """Start the workers. Each gets the order, with its number, and copies of the descriptors. Raises Fatal."""
        self._order, self._fds = order, fds
        for member in self._members:
            await self._start(member)

    def look(self) -> None:
        """See who goes on. To be called once a period."""
        for member in self._members:
            if member.channel is None:
                continue
            if member.silence.look() == self._limits.beats_missed_max:
                log.error("a worker is silent and is ended", worker=member.number, pid=member.live[Live.PID])
                self._do(self._nursery.kill(member.number))

    async def stop(self, timeout_s: float) -> None:
        """Tell all to answer what they accepted and to end; return when they have, or were ended after the time."""
        self._is_stopping = True
        for channel in self.channels:
            self._writer.tell(channel, Told(Kind.STOP))
        if self.channels:
            await first(self._gone, timeout_s=timeout_s)
        for member in self._members:
            if member.channel is not None:
                log.warning("a worker did not end in time", worker=member.number)
                await self._nursery.kill(member.number)
        # The channel of one that was just killed is still there: only when it closes its end is known, and counts.
        if not self._gone.done() and (self.channels or self._ending):
            await first(self._gone, timeout_s=self._limits.nursery_patience_s)
        self.unanswered += len(self.channels)  # Killed, and not ended even so: in a call that nothing interrupts.

    async def _start(self, member: _Member[S, C]) -> None:
        try:
            ours, its = connected(self._limits)
        except OSError as error:
            raise Scarce(f"a worker cannot be talked to: {reason(error)}. Raise the limit on descriptors.") from error
        member.silence, member.began_s = Silence(member.live), time.monotonic()
        order = Order(member.number, self._order.access, self._order.reasons, self._order.locks)
        try:
            # At a stop, the descriptors are closed.
            fds, is_wanted = [its.fileno(), *self._fds], lambda: not self._is_stopping
            pid = member.live[Live.PID] = await self._nursery.start(member.number, order, fds, is_wanted)
        except BaseException:
            ours.close()
            raise
        finally:
            its.close()
        if not pid:
            ours.close()
            return
        member.channel = self._writer.join(ours, lambda _: self._on_gone(member))
        if self._is_stopping:
            self._writer.tell(member.channel, Told(Kind.STOP))

    def _on_gone(self, member: _Member[S, C]) -> None:
        member.channel = None
        for state in (Live.PID, Live.CONNECTIONS, Live.WATCHERS, Live.WAITING, Live.UNSENT_BYTES):
            member.live[state] = 0
        self._do(self._replace(member, is_told=self._is_stopping))

    async def _replace(self, member: _Member[S, C], *, is_told: bool) -> None:
        """Start another in its place. One that a signal ended before it was told to stop is not that stop's fault."""
        self._ending += 1
        status = await self._nursery.end(member.number)
        lived_s = time.monotonic() - member.began_s
        if not self._is_stopping:  # Ctrl-C tells every process, and a worker may hear of it first.
            await asyncio.sleep(self._limits.replace_pause_s)
        self._ending -= 1
        if self._is_stopping:
            if status and not is_told:
                log.error("a worker ended just before a stop", worker=member.number, status=status)
            self.unanswered += status > 0 or (is_told and status != 0)
            if not self.channels and not self._ending and not self._gone.done():
                self._gone.set_result(None)
            return
        is_young = lived_s < self._limits.replace_pause_s_max
        member.pause_s = min(2 * member.pause_s, self._limits.replace_pause_s_max) if is_young else 0
        member.pause_s = max(member.pause_s, self._limits.replace_pause_s)
        self._own[Live.WORKERS_REPLACED] += 1
        log.error("a worker ended and is replaced", worker=member.number, status=status, pause_s=member.pause_s)
        is_over, wait_s = False, member.pause_s - self._limits.replace_pause_s
        while not is_over:
            await asyncio.sleep(wait_s)
            is_over, wait_s = await self._is_replaced(member), member.pause_s

    async def _is_replaced(self, member: _Member[S, C]) -> bool:
        """Start a worker unless all stop; tell whether that could be. If not just now, the others serve meanwhile."""
        if self._is_stopping:
            return True
        try:
            await self._start(member)
        except Scarce as error:
            member.pause_s = min(2 * member.pause_s, self._limits.replace_pause_s_max)
            log.error("a worker cannot be replaced yet", worker=member.number, error=str(error), pause_s=member.pause_s)
            return False
        return True

    def _do(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None and not self.failed.done():
            self.failed.set_exception(task.exception())  # type: ignore[arg-type]
