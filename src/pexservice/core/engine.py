"""Group commit: many callers, one machine, one store.

While groups are being made durable, the commands that arrive form the next. There is no timer and no delay when idle;
the more callers wait, the larger the groups and the smaller each one's share of a sync. So the disk sets the number of
groups a second, the processor the number of commands, and the service slows down gracefully in between.

Groups in flight are first in, first out, and at most as many as the store takes at once. In whatever order the disk is
done, the head is completed first, and answers leave in that order. What a group will come to is known to the group
alone until it is durable; only then is it shown. No command costs a task, a future or a timer.
"""

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import structlog

from pexservice.core.budget import Budget
from pexservice.core.caller import Asked, Caller, Reader
from pexservice.core.group import Group, Room
from pexservice.core.judging import Place
from pexservice.core.machine import C, Machine, S
from pexservice.core.metrics import Metrics
from pexservice.core.queue import Queue
from pexservice.core.store import Store
from pexservice.errors import AnswersUnsent, NotApplied, QueueFull, Recovering
from pexservice.limits import Limits

log = structlog.get_logger()

A = TypeVar("A", bound=Asked[Any, Any])
T = TypeVar("T")

_HEAD_BYTES = 512
"""More than the head of any answer to a command."""
_GATHERINGS_MAX = 10
"""How often the event loop is let go round before a small group leaves: each time takes some 20 us."""


class Engine(Generic[S, C]):
    """Commits the commands of many callers through one store, and shows what is durable."""

    def __init__(self, machine: Machine[S, C], metrics: Metrics, budget: Budget, limits: Limits) -> None:
        self.machine = machine
        self.metrics = metrics
        self._budget = budget
        self._limits = limits
        self._store: Store[S, C] | None = None
        self._queue: Queue[S, C] = Queue()
        self._in_flight: deque[Group[S, C]] = deque()
        self._durable: list[Group[S, C]] = []
        """Groups whose answers have yet to leave."""
        self._value_bytes = 0
        """The most bytes that an answer with a value takes, as of the last durable place."""
        self._room: Room[S] = Room(limits.group_answer_bytes_max, self._answer_bytes)
        self._is_over = False
        """Whether the end has come, or comes once the groups in flight are done: the store gets no more."""
        self._is_told = False
        """Whether it was told that commands are turned away, since one was last taken."""
        self._is_open = False
        """Whether the next command that arrives is to have a group handed over."""
        self._arrival: asyncio.Future[None] | None = None
        self._idle: asyncio.Future[None] | None = None

    @property
    def unready(self) -> NotApplied | None:
        """Why commands are turned away just now, if they are."""
        return Recovering() if self._store is None else self._store.unready

    @property
    def place(self) -> Place[S]:
        """The durable place. Raises Recovering before there is one."""
        if self._store is None:
            raise Recovering
        return self._store.read()

    def look(self, asked: T, reader: Reader[T]) -> bool:
        """Have `place` not older than this call; return whether that takes a while, and the reader is told once it is.

        Raises QueueFull, Recovering, or what keeps the store from answering: then the reader is told nothing more.
        """
        store = self._store
        if store is not None and not store.is_remote:
            return False
        if store is None or store.unready is not None:
            raise (self.unready or Recovering()).with_traceback(None)
        if len(self._queue.readers) >= self._limits.pending_max:
            raise QueueFull
        self._queue.readers.append((asked, reader))
        self._expect_group(store)
        return True

    @property
    def labels(self) -> Mapping[str, str]:
        """How the store is set up: nothing before there is one."""
        return {} if self._store is None else self._store.status().labels

    @property
    def serving(self) -> int:
        """How many processes serve clients, as far as the store knows of others."""
        store = self._store  # Only one far away has others; and to ask one that is near may ask its file system.
        return store.status().serving if store is not None and store.is_remote else 1

    @property
    def waiting(self) -> int:
        """How many commands were submitted and are not yet durable."""
        return len(self._queue) + sum(len(group.elements) for group in self._in_flight)

    @property
    def is_stalled(self) -> bool:
        """Whether commands wait and no group is at the store: true for longer than a moment, nobody works on them."""
        return self._queue.is_waiting and not self._in_flight

    def check_room(self) -> None:
        """Raise AnswersUnsent unless the budget has room for one more answer with a value."""
        if not self._budget.has_room_for((self._queue.valued + 1) * self._value_bytes):
            raise AnswersUnsent

    def submit(self, asked: A, caller: Caller[A]) -> None:
        """Queue one command. Its caller is told later, never from within this call.

        Raises QueueFull, AnswersUnsent, or what keeps the store from taking any: then the command was not taken.
        """
        store = self._store
        if store is None or store.unready is not None:
            error = self.unready or Recovering()
            if store is not None:
                self._tell(error)
            raise error.with_traceback(None)  # Else it would grow with every use.
        queue = self._queue
        if len(queue) >= self._limits.pending_max:
            raise QueueFull
        if asked.carries_value:
            budget = self._budget  # PERF: as `check_room`, without two calls.
            if budget.taken_bytes + (queue.valued + 1) * self._value_bytes > budget.bytes_max:
                raise AnswersUnsent
            queue.valued += 1
        if asked.terms is not None:
            queue.has_terms = True
        queue.append((asked, caller))
        if self._is_open:
            self._expect_group(store)

    async def run(self, store: Store[S, C]) -> None:
        """Take commands and commit them, for ever.

        Raises Fatal when the store cannot go on: then nothing more may be answered.
        """
        self._store = store
        self._measure(store.read())
        tending = asyncio.create_task(self._turn_away_when_unready(store)) if store.is_remote else None
        try:
            while True:
                if store.is_shared and self._durable:
                    self._deliver()
                    await self._gather()
                self._hand_over(store)
                if self._durable:
                    self._deliver()
                if self._in_flight:
                    head = self._in_flight[0]
                    await head.become_durable()
                    self._complete(head)
                elif not self._queue.is_waiting:  # Else it was asked for from within an answer.
                    if self._idle is not None and not self._idle.done():  # Who waited may have given up.
                        self._idle.set_result(None)
                    self._idle = None
                    self._arrival = asyncio.get_running_loop().create_future()
                    await self._arrival
        finally:
            if tending is not None:
                tending.cancel()
            self._store = None
            self._is_over = True  # Whatever the event loop has still to do, nothing is handed over any more.

    async def _gather(self) -> None:
        """Let those who were just answered, and ask again at once, come along with the next group if it is small.

        A group that goes to another process costs there what many commands cost (docs/workers.md). Nobody is waited
        for: it leaves as soon as the event loop has nothing more to read.
        """
        for _ in range(_GATHERINGS_MAX):
            waiting = len(self._queue)
            if not 0 < waiting < self._limits.group_small_commands:
                return
            await asyncio.sleep(0)
            if len(self._queue) == waiting:
                return

    async def drained(self) -> None:
        """Return once no command waits, and every answer has left."""
        if self._queue.is_waiting or self._in_flight or self._durable:
            self._idle = asyncio.get_running_loop().create_future()
            await self._idle

    def _expect_group(self, store: Store[S, C]) -> None:
        """See to it that a group is handed over in this turn of the event loop, if the store takes one now."""
        if self._is_open:
            self._is_open = False
            if not self._wake():  # `run` is busy, or waits for the head.
                asyncio.get_running_loop().call_soon(self._hand_over, store)

    def _wake(self) -> bool:
        """Let `run` go on if it waits for an arrival; return whether it did."""
        arrival, self._arrival = self._arrival, None
        if arrival is None or arrival.done():
            return False
        arrival.set_result(None)
        return True

    def _hand_over(self, store: Store[S, C]) -> None:
        """Let groups leave for the store, as many as it takes at once."""
        queue, in_flight, limits = self._queue, self._in_flight, self._limits
        try:
            # PERF: `queue.is_waiting`, and names of this call, without asking each time.
            while (queue or queue.readers) and len(in_flight) < store.in_flight_max and not self._is_over:
                if store.is_shared:  # Values may have become longer since our last group.
                    self._measure(store.read())
                group = queue.cut(limits.group_commands_max, limits.group_answer_bytes_max // self._value_bytes)
                group.reserve(self._budget, self._value_bytes, self._room)
                group.hand_over(store)
                in_flight.append(group)
                if self._durable:
                    self._deliver()  # Now that the disk has work again (decision 5).
                group.render_ahead()
                self._is_over = group.is_the_end
        except Exception as error:  # noqa: BLE001 - a defect of ours: it ends the engine when its turn comes.
            in_flight.append(Group.failed(error))
            self._is_over = True
        self._is_open = len(in_flight) < store.in_flight_max
        if in_flight:
            self._wake()

    def _complete(self, group: Group[S, C]) -> None:
        """Count the head of the groups in flight, which is durable or was turned away."""
        self._in_flight.popleft()
        self._durable.append(group)
        if isinstance(group.error, NotApplied):
            self._tell(group.error)
            if group.error.is_lasting:  # Else it is about this group alone.
                self._turn_away_rest(group.error)
            return
        self._is_told = False
        judgement = group.judgement
        assert judgement is not None, "what is durable was judged"
        if judgement.replays:
            self.metrics.replayed += len(judgement.replays)
        if judgement.refusals:
            for refusal in judgement.refusals.values():
                self.metrics.declined[refusal.code] += 1
        if judgement.taken:
            self.metrics.count_group(self.machine.tally(judgement.taken), len(judgement.taken), group.seconds)
        self._measure(judgement.end)

    def _tell(self, error: NotApplied) -> None:
        """Tell why commands are turned away; what lasts, once until one is taken again."""
        if not (self._is_told and error.is_lasting):
            log.error("commands are turned away", reason=error.code, error=str(error) or error.detail)
        self._is_told = error.is_lasting

    def _measure(self, place: Place[S]) -> None:
        self._value_bytes = self.machine.answer_bytes_max(place.state) + _HEAD_BYTES

    def _answer_bytes(self, state: S) -> int:
        return self.machine.answer_bytes_max(state) + _HEAD_BYTES

    def _turn_away_rest(self, error: NotApplied) -> None:
        """Turn away who waits, behind the groups in flight. The store may take a while to get what it lacks."""
        if self._queue.is_waiting:
            rest = self._queue.cut(len(self._queue), self._queue.valued)
            rest.turn_away(error)
            self._in_flight.append(rest)

    async def _turn_away_when_unready(self, store: Store[S, C]) -> None:
        """Turn away who waits behind a group of which a store far away cannot tell for a while what became of it.

        Reads, too, and all but who waits for an answer in that group: answers leave in order.
        """
        while True:
            await asyncio.sleep(self._limits.heal_period_s)
            error = store.unready
            if error is not None and self._in_flight:
                callers = {id(caller) for group in self._in_flight for _, caller in group.elements}
                for group in self._in_flight:
                    self._queue.readers, group.readers = group.readers + self._queue.readers, []
                rest = self._queue.cut_others(callers)
                rest.turn_away(error)
                rest.deliver()

    def _deliver(self) -> None:
        """Let the answers of groups that became durable leave."""
        durable, self._durable = self._durable, []
        for group in durable:
            group.release(self._budget)
            group.deliver()
