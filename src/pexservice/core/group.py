"""One group, from the queue to the answers.

Its life is one way, and every group's is the same:

    CUT        taken off the queue, in the order of arrival
    AT_STORE   handed over; rendered meanwhile, if the store knows where it begins
    DURABLE    it and all groups before it are on stable storage: now it may be seen
    DELIVERED  its callers were told; also those of a group that was turned away, which never was DURABLE

Answers are rendered while the disk works, and leave once the group is durable. Should it turn out that the group began
elsewhere than expected, since another process came in between, they are rendered anew.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from time import perf_counter
from typing import Any, Generic, Self

from pexservice.core.budget import Budget
from pexservice.core.caller import Asked, Caller, Reader, abort, deliver, resume, turn_away
from pexservice.core.judging import Judgement
from pexservice.core.keys import NO_TERMS, AllTerms, digested
from pexservice.core.machine import C, S
from pexservice.core.store import Commit, Store
from pexservice.errors import AnswersUnsent, NotApplied


class Life(Enum):
    """Where a group is in its life."""

    CUT = auto()
    AT_STORE = auto()
    DURABLE = auto()
    DELIVERED = auto()


@dataclass(frozen=True, slots=True)
class Room(Generic[S]):
    """How much memory the answers of a group may take."""

    spare_bytes: int
    """What they may take on top of what is set aside: those to commands that were taken before, at any state. The first
    that needs some of it may take more: else it never got an answer."""
    answer_bytes: Callable[[S], int]
    """Tells the most bytes that an answer takes which carries the value of a state."""


@dataclass(slots=True)
class Group(Generic[S, C]):
    """Commands that share a row and a sync, and who asked for them."""

    elements: list[tuple[Asked[S, C], Caller[Any]]]
    valued: int
    """How many of the answers carry a value."""
    has_terms: bool = False
    """Whether there may be commands with terms among them."""
    readers: list[tuple[Any, Reader[Any]]] = field(default_factory=list)
    """Reads that go with it: it begins at a place that is not older than they are."""
    life: Life = Life.CUT
    judgement: Judgement[S, C] | None = None
    """What `answers` were rendered by."""
    answers: list[Any] = field(default_factory=list)
    error: Exception | None = None
    """Why it did not become durable, if so: NotApplied for one that was turned away, anything else is the end."""
    seconds: float = 0.0
    """How long it was at the store."""
    value_bytes: int = 0
    """What is set aside for each answer that carries a value: enough for any state that the group leads to."""
    room: "Room[S] | None" = None
    """While memory is set aside for the answers."""
    _commit: Commit[S, C] | None = None
    _has_unanswerable: bool = False
    """Whether some of the answers are errors: there was no room for what their callers asked for."""

    @classmethod
    def failed(cls, error: Exception) -> Self:
        """Return a group that ends the engine when its turn comes."""
        return cls([], 0, life=Life.AT_STORE, error=error)

    @property
    def is_the_end(self) -> bool:
        """Whether something went wrong behind which no group may be answered."""
        return self.error is not None and not isinstance(self.error, NotApplied)

    def reserve(self, budget: Budget, value_bytes: int, room: "Room[S]") -> None:
        """Set memory aside for the answers: so many bytes for each that carries a value."""
        self.value_bytes = value_bytes
        self.room = room
        budget.take(self.valued * value_bytes)

    def release(self, budget: Budget) -> None:
        """Give that memory back, to whoever holds the answers from now on."""
        if self.room is not None:
            budget.take(-self.valued * self.value_bytes)
            self.room = None

    def hand_over(self, store: Store[S, C]) -> None:
        """Begin to make it durable. What goes wrong is told when its turn comes, behind the groups before it."""
        assert self.life is Life.CUT, "a group is handed over once"
        self.life = Life.AT_STORE
        self.seconds = -perf_counter()
        try:
            terms = self._terms(store) if self.has_terms else NO_TERMS
            self._commit = store.commit([asked.command for asked, _ in self.elements], terms)
        except Exception as error:  # noqa: BLE001 - told when its turn comes.
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
        for reading, reader in self.readers:
            resume(reading, reader, self.error)
        if isinstance(self.error, NotApplied):
            for asked, caller in self.elements:
                turn_away(asked, caller, self.error)
            return
        if self._has_unanswerable:
            for (asked, caller), answer in zip(self.elements, self.answers, strict=True):
                if isinstance(answer, NotApplied):
                    turn_away(asked, caller, answer)
                else:
                    deliver(asked, caller, answer)
            return
        for (asked, caller), answer in zip(self.elements, self.answers, strict=True):
            try:  # PERF: as `caller.deliver`, without a call.
                caller.deliver(asked, answer)
            except Exception as defective:  # noqa: BLE001 - a defect that one caller meets is not all callers' end.
                abort(caller, defective)

    def _terms(self, store: Store[S, C]) -> AllTerms:
        """Return the terms of the commands, as the store takes them."""
        elements = enumerate(self.elements)
        return digested({index: asked.terms for index, (asked, _) in elements if asked.terms}, store.key_secret)

    def _render(self, judgement: Judgement[S, C]) -> None:
        self.judgement = judgement
        sequence = judgement.start.sequence
        if (
            not judgement.refusals and not judgement.replays
        ):  # PERF: the common case of the below, 0.1 us less for each.
            numbers = range(sequence + 1, sequence + 1 + len(self.elements))
            judged = zip(self.elements, numbers, judgement.states, strict=True)
            self.answers = [asked.render(number, state) for (asked, _), number, state in judged]
            sequence += len(self.answers)
        else:
            sequence = self._render_each(judgement)
        assert sequence == judgement.end.sequence, "the answers end where the store says that the group ends"

    def _render_each(self, judgement: Judgement[S, C]) -> int:
        """Render answers of any kind; return the sequence behind the last command that was taken."""
        sequence, refusals, replays = judgement.start.sequence, judgement.refusals, judgement.replays
        spare_bytes, is_first = self.room.spare_bytes if self.room is not None else 0, True
        self.answers = []
        for index, ((asked, _), state) in enumerate(zip(self.elements, judgement.states, strict=True)):
            if index in refusals:
                self.answers.append(asked.render_refusal(sequence, state, refusals[index]))
            elif index in replays:
                place, more_bytes = replays[index], 0
                if asked.carries_value and self.room is not None:
                    more_bytes = max(self.room.answer_bytes(place.state) - self.value_bytes, 0)
                if more_bytes > spare_bytes and not is_first:
                    self.answers.append(AnswersUnsent())
                    self._has_unanswerable = True
                else:
                    spare_bytes, is_first = max(spare_bytes - more_bytes, 0), is_first and not more_bytes
                    self.answers.append(asked.render_replay(place.sequence, place.state))
            else:
                sequence += 1
                self.answers.append(asked.render(sequence, state))
        return sequence
