"""One group, from the queue to the answers.

Its life is one way, and every group's is the same:

    CUT        taken off the queue, in the order of arrival
    AT_STORE   handed over; rendered meanwhile, if the store knows where it begins
    DURABLE    it and all groups before it are on stable storage: now it may be seen
    DELIVERED  its callers were told; also those of a group that was turned away, which never was DURABLE

Answers are rendered while the disk works, and leave once the group is durable. Should it turn out that the group began
elsewhere than expected, since another process came in between, they are rendered anew.
"""

from dataclasses import dataclass, field
from enum import Enum, auto
from time import perf_counter
from typing import Generic, Protocol, TypeVar

import structlog

from pexservice.core.budget import Budget
from pexservice.core.judging import Judgement
from pexservice.core.machine import C, Refusal, S
from pexservice.core.store import Commit, Store
from pexservice.errors import NotApplied, defect

log = structlog.get_logger()

S_contra = TypeVar("S_contra", contravariant=True)
C_co = TypeVar("C_co", covariant=True)


class Asked(Protocol[S_contra, C_co]):
    """What a caller asked for: knows how to answer a command, but not whom."""

    @property
    def command(self) -> C_co:
        """The command."""
        ...

    @property
    def carries_value(self) -> bool:
        """Whether the answer shows the state, in up to `Machine.answer_bytes_max` bytes."""
        ...

    def render(self, sequence: int, state: S_contra) -> bytes:
        """Return the answer to a command that led there."""
        ...

    def render_refusal(self, sequence: int, state: S_contra, refusal: Refusal) -> bytes:
        """Return the answer to a command that the machine refused there."""
        ...


A = TypeVar("A")
A_contra = TypeVar("A_contra", contravariant=True)


class Caller(Protocol[A_contra]):
    """Who asked. Exactly one of the two is called for each command that was submitted, in the order of submission."""

    def deliver(self, asked: A_contra, answer: bytes) -> None:
        """Take what `asked` rendered: what it tells is durable."""
        ...

    def refuse(self, asked: A_contra, error: NotApplied) -> None:
        """Take note that the command was not taken."""
        ...

    def abort(self) -> None:
        """Expect nothing more: one of the above met a defect, and what came next would be taken for its answer."""
        ...


class Life(Enum):
    """Where a group is in its life."""

    CUT = auto()
    AT_STORE = auto()
    DURABLE = auto()
    DELIVERED = auto()


@dataclass(slots=True)
class Group(Generic[S, C]):
    """Commands that share a row and a sync, and who asked for them."""

    elements: list[tuple[Asked[S, C], Caller[Asked[S, C]]]]
    valued: int
    """How many of the answers carry a value."""
    life: Life = Life.CUT
    judgement: Judgement[S, C] | None = None
    """What `answers` were rendered by."""
    answers: list[bytes] = field(default_factory=list)
    error: Exception | None = None
    """Why it did not become durable, if so: NotApplied for one that was turned away, anything else is the end."""
    seconds: float = 0.0
    """How long it was at the store."""
    reserved_bytes: int = 0
    """Memory set aside for the answers."""
    _commit: Commit[S, C] | None = None

    def reserve(self, budget: Budget, value_bytes: int) -> None:
        """Set memory aside for the answers: so many bytes for each that carries a value."""
        self.reserved_bytes = self.valued * value_bytes
        budget.take(self.reserved_bytes)

    def release(self, budget: Budget) -> None:
        """Give that memory back, to whoever holds the answers from now on."""
        budget.take(-self.reserved_bytes)
        self.reserved_bytes = 0

    def hand_over(self, store: Store[S, C]) -> None:
        """Begin to make it durable. What goes wrong is told when its turn comes, behind the groups before it."""
        assert self.life is Life.CUT, "a group is handed over once"
        self.life = Life.AT_STORE
        self.seconds = -perf_counter()
        try:
            self._commit = store.commit([asked.command for asked, _ in self.elements])
        except Exception as error:  # noqa: BLE001 - as it says above.
            self.error = error

    def render_ahead(self) -> None:
        """Render the answers, if it is known what the group comes to once it is durable."""
        if self._commit is None or self._commit.expected is None:
            return
        try:
            self._render(self._commit.expected)
        except Exception as error:  # noqa: BLE001 - as above.
            self.error = error

    def turn_away(self, error: NotApplied) -> None:
        """End it before it gets to the store."""
        assert self.life is Life.CUT, "what is at the store is the store's to decide"
        self.life = Life.AT_STORE
        self.error = error

    async def become_durable(self) -> None:
        """Return once the group is durable, or, with `error` set, turned away.

        Raises what else kept it from that: nothing of it, nor of a later group, may be answered.
        """
        assert self.life is Life.AT_STORE, "only what was handed over becomes durable"
        try:
            if self.error is not None:
                raise self.error
            assert self._commit is not None, "a group without an error is at the store"
            judgement = await self._commit
        except NotApplied as error:
            self.error = error
            return
        self.seconds += perf_counter()
        if judgement is not self.judgement:
            self._render(judgement)
        self.life = Life.DURABLE

    def deliver(self) -> None:
        """Tell every caller what became of it."""
        assert self.life is Life.DURABLE or isinstance(self.error, NotApplied), "nothing is told before it is durable"
        self.life = Life.DELIVERED
        if isinstance(self.error, NotApplied):
            for asked, caller in self.elements:
                try:
                    caller.refuse(asked, self.error)
                except Exception as defective:  # noqa: BLE001 - a defect that one caller meets is not all callers' end.
                    _abort(caller, defective)
            return
        for (asked, caller), answer in zip(self.elements, self.answers, strict=True):
            try:
                caller.deliver(asked, answer)
            except Exception as defective:  # noqa: BLE001 - as above.
                _abort(caller, defective)

    def _render(self, judgement: Judgement[S, C]) -> None:
        self.judgement = judgement
        sequence, refusals = judgement.start.sequence, judgement.refusals
        judged = zip(self.elements, judgement.states, strict=True)
        if not refusals:  # PERF: the common case of the below, 0.05 us less for each.
            self.answers = [
                asked.render(next_, state) for next_, ((asked, _), state) in enumerate(judged, sequence + 1)
            ]
            sequence += len(self.answers)
        else:
            self.answers = []
            for index, ((asked, _), state) in enumerate(judged):
                if index in refusals:
                    self.answers.append(asked.render_refusal(sequence, state, refusals[index]))
                else:
                    sequence += 1
                    self.answers.append(asked.render(sequence, state))
        assert sequence == judgement.end.sequence, "the answers end where the store says that the group ends"


def _abort(caller: Caller[Asked[S, C]], error: Exception) -> None:
    log.error("an answer could not be delivered", defect=defect(error))
    caller.abort()
