"""Group commit: many callers, one walk, one store, one group in flight.

The idea: while one group is being made durable, the steps that arrive form the next. There is no timer and no delay
when idle; the more callers wait, the larger the groups and the smaller each one's share of a sync. So the disk sets the
number of groups per second, the processor the number of steps, and the service slows down gracefully in between.

There are two states. The *durable* place is the only one that is ever shown. The *tentative* one, where the group in
flight will lead, exists only inside `_commit`: the answers are rendered from it while the disk works, and leave once
the store says that the group is durable. No caller costs a task, a future or a timer.
"""

import asyncio
from collections.abc import Callable
from time import perf_counter
from typing import Generic, Protocol, TypeVar

import structlog

from pexservice.core.metrics import Metrics
from pexservice.core.store import Place, Store
from pexservice.errors import AnswersUnsent, NotApplied, QueueFull, Recovering, defect
from pexservice.limits import (
    GROUP_ANSWER_BYTES_MAX,
    GROUP_STEPS_MAX,
    HEAL_PERIOD_S,
    PENDING_STEPS_MAX,
    UNSENT_BYTES_MAX,
)
from pexservice.walk.fibonacci import Walker, digits_max
from pexservice.walk.steps import Step, positions

log = structlog.get_logger()

_HEAD_BYTES = 512
"""More than the head of any answer to a step."""


class Asked(Protocol):
    """What a caller asked for: knows how to answer a step, but not whom."""

    @property
    def carries_value(self) -> bool:
        """Whether the answer carries the digits of the value."""
        ...

    def render(self, sequence: int, position: int, digits: Callable[[int], str]) -> bytes:
        """Return the answer to a step that led there. `digits` gives those of the value, if they are wanted."""
        ...


A = TypeVar("A", bound=Asked)
A_contra = TypeVar("A_contra", bound=Asked, contravariant=True)


class Caller(Protocol[A_contra]):
    """Who asked. Exactly one of the two is called for each step that `submit` took, in the order of submission."""

    def deliver(self, asked: A_contra, answer: bytes) -> None:
        """Take what `asked` rendered: the step is durable."""
        ...

    def refuse(self, asked: A_contra, error: NotApplied) -> None:
        """Take note that the step was not taken."""
        ...

    def abort(self) -> None:
        """Expect nothing more: one of the above met a defect, and what came next would be taken for its answer."""
        ...


class Engine(Generic[A]):
    """Commits the steps of many callers through one store, and shows what is durable."""

    def __init__(self, metrics: Metrics, *, pending_steps_max: int = PENDING_STEPS_MAX) -> None:
        self.refusal: NotApplied | None = Recovering()
        """Why steps are refused just now, if they are."""
        self._place: Place | None = None
        self._metrics = metrics
        self._pending_steps_max = pending_steps_max
        self._steps = bytearray()
        self._tickets: list[tuple[A, Caller[A]]] = []
        self._arrival: asyncio.Future[None] | None = None
        self._idle: asyncio.Future[None] | None = None
        self._in_flight = 0
        self._durable_answers: tuple[list[tuple[A, Caller[A]]], list[bytes]] = [], []
        self._valued = 0
        self._answer_bytes = 0
        self._tentative = Walker()
        self._durable = Walker()

    @property
    def place(self) -> Place:
        """The durable place. Raises Recovering before there is one."""
        if self._place is None:
            raise Recovering
        return self._place

    @property
    def waiting(self) -> int:
        """Steps submitted and not yet durable."""
        return len(self._tickets) + self._in_flight

    @property
    def is_stalled(self) -> bool:
        """Whether steps wait and no group is at the store: true for longer than a moment, nobody works on them."""
        return bool(self._tickets) and not self._in_flight

    def digits(self) -> str:
        """Return the exact digits of the value at the durable place. Raises AnswersUnsent."""
        self._reserve()
        return self._durable.digits(self.place.position)

    def submit(self, step: Step, asked: A, caller: Caller[A]) -> None:
        """Queue one step. Its caller hears of it later, never from within this call.

        Raises QueueFull, AnswersUnsent, or what the store is in want of: then the step was not taken.
        """
        if self.refusal is not None:
            raise self.refusal.with_traceback(None)  # Else it would grow with every step that it refuses.
        if len(self._tickets) >= self._pending_steps_max:
            raise QueueFull
        if asked.carries_value:
            self._reserve()
            self._valued += 1
        self._steps.append(step)
        self._tickets.append((asked, caller))
        if self._arrival is not None:
            self._arrival.set_result(None)
            self._arrival = None

    async def run(self, store: Store) -> None:
        """Take steps and commit them, for ever.

        Raises Fatal when the store cannot go on: then nothing more may be answered.
        """
        loop = asyncio.get_running_loop()
        self._publish(store.place)
        self.refusal = await store.heal()
        while True:
            if self.refusal is not None:
                await self._heal(store, self.refusal)
            elif self._tickets:
                await self._commit(store, *self._cut())
            else:
                if self._idle is not None and not self._idle.done():  # Who waited may have given up.
                    self._idle.set_result(None)
                self._idle = None
                self._arrival = loop.create_future()
                await self._arrival

    async def drained(self) -> None:
        """Return once no step waits."""
        if self.waiting:
            self._idle = asyncio.get_running_loop().create_future()
            await self._idle

    def _reserve(self) -> None:
        """Raise AnswersUnsent unless one more value fits into the memory set aside for answers."""
        if self._metrics.unsent_bytes + (self._valued + 1) * self._answer_bytes > UNSENT_BYTES_MAX:
            raise AnswersUnsent

    def _cut(self) -> tuple[bytes, list[tuple[A, Caller[A]]]]:
        """Take the next group off the queue: as many steps as may share a row, and as their answers may share."""
        count = min(len(self._tickets), GROUP_STEPS_MAX)
        valued_max = max(1, GROUP_ANSWER_BYTES_MAX // self._answer_bytes)
        if count > valued_max:
            valued = 0
            for index in range(count):
                valued += self._tickets[index][0].carries_value
                if valued > valued_max:
                    count = index
                    break
        steps, tickets = bytes(self._steps[:count]), self._tickets[:count]
        del self._steps[:count], self._tickets[:count]
        return steps, tickets

    async def _commit(self, store: Store, steps: bytes, tickets: list[tuple[A, Caller[A]]]) -> None:
        self._in_flight = len(tickets)
        valued = self._valued if not self._tickets else _valued(tickets)
        began = perf_counter()
        try:
            try:
                committing = store.commit(steps)
            finally:
                self._deliver()  # What became durable before, now that the disk has work again (decision 5).
            expected = self.place
            answers, end = self._render(expected, steps, tickets)
            start = await committing
        except NotApplied as error:
            self.refusal = error
            log.error("steps are refused", reason=error.code, error=str(error))
            self._settle(valued)
            self._refuse_all(tickets, error)
            return
        self._metrics.count_group(steps, perf_counter() - began)
        if start != expected:  # Another process committed in between.
            answers, end = self._render(start, steps, tickets)
        self._publish(end)
        self._settle(valued)
        self._durable_answers = tickets, answers
        if not self._tickets:
            self._deliver()

    def _deliver(self) -> None:
        """Let the answers of the group that became durable last leave."""
        tickets, answers = self._durable_answers
        self._durable_answers = [], []
        for (asked, caller), answer in zip(tickets, answers, strict=True):
            try:
                caller.deliver(asked, answer)
            except Exception as error:  # noqa: BLE001 - a defect that one caller meets must not be all callers' end.
                _abort(caller, error)

    def _render(self, start: Place, steps: bytes, tickets: list[tuple[A, Caller[A]]]) -> tuple[list[bytes], Place]:
        """Return the answers to a group that began at `start`, and where it ends."""
        digits = self._tentative.digits
        sequence, position = start.sequence, start.position
        answers = []
        for (asked, _), position in zip(tickets, positions(start.position, steps), strict=True):
            sequence += 1
            answers.append(asked.render(sequence, position, digits))
        return answers, Place(sequence, position)

    def _publish(self, place: Place) -> None:
        self._place = place
        if self._tentative.pair.position == place.position:  # Else no value was rendered there.
            self._durable.adopt(self._tentative)
        self._answer_bytes = digits_max(place.position + GROUP_STEPS_MAX) + _HEAD_BYTES

    def _settle(self, valued: int) -> None:
        self._in_flight = 0
        self._valued -= valued

    def _refuse_all(self, tickets: list[tuple[A, Caller[A]]], error: NotApplied) -> None:
        waiting, self._tickets, self._steps = self._tickets, [], bytearray()
        self._settle(self._valued)
        for asked, caller in tickets + waiting:
            try:
                caller.refuse(asked, error)
            except Exception as unexpected:  # noqa: BLE001 - as above.
                _abort(caller, unexpected)

    async def _heal(self, store: Store, refusal: NotApplied) -> None:
        await asyncio.sleep(HEAL_PERIOD_S)
        self.refusal = await store.heal()
        if self.refusal is None:
            log.info("steps are taken again", after=refusal.code)


def _valued(tickets: list[tuple[A, Caller[A]]]) -> int:
    return sum(asked.carries_value for asked, _ in tickets)


def _abort(caller: Caller[A], error: Exception) -> None:
    log.error("an answer could not be delivered", defect=defect(error))
    caller.abort()
