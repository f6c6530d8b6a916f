"""What a group of commands comes to, from where it begins.

Whoever orders groups judges them: whether a machine takes a command depends on the state at its turn, and only whoever
puts groups in order knows that state. So this is one pure function, and each store says where it runs: in the process
that has the journal, or in whatever it shares with other processes.

Most groups are plain: the machine applies them whole. Where a command has terms, its turn is this:

    its key is known, and for the same command    it was taken before: a replay, which tells where that led
    its key is known, and for another command     refused, KEY_REUSED
    its conditions do not hold                    refused, CONDITION_FAILED
    else                                          the machine's to take or to refuse; if taken, its key is known then

The key comes first: a command that was taken on condition has changed the state, so the condition no longer holds for
who asks again. What was refused left no trace, so who asks again with its key is judged anew.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final, Generic, NamedTuple

from pexservice.core.keys import NO_KEYS, NO_TERMS, AllTerms, Keys, Known, Looked, Seen, Tag, Terms
from pexservice.core.machine import C, Machine, Refusal, S

CONDITION_FAILED: Final = Refusal(
    "condition-failed",
    "Precondition Failed",
    "At its turn, the state was not one that If-Match or If-None-Match asks for. No step was taken. Read the state "
    "again, and ask with the tag it has now.",
    HTTPStatus.PRECONDITION_FAILED,
)
KEY_REUSED: Final = Refusal(
    "key-reused",
    "Key used for something else",
    "Another command was taken with this Idempotency-Key. No step was taken now. Give each command a key of its own.",
    HTTPStatus.UNPROCESSABLE_ENTITY,
)
_NONE: Final = Looked()
OWN_REFUSALS: Final = {each.code: each for each in (CONDITION_FAILED, KEY_REUSED)}
"""Those of the core, for any machine, by code."""


class Place(NamedTuple, Generic[S]):
    """Where a machine stands: `sequence` commands were ever taken, and they led to `state`.

    PERF: it and `Judgement` are tuples: of the two for each group, a frozen dataclass takes 1.5 us more to make.
    """

    sequence: int
    state: S


_NO_REPLAYS: Final[Mapping[int, Place[Any]]] = MappingProxyType({})


class Judgement(NamedTuple, Generic[S, C]):
    """What became of a group that began at `start`."""

    start: Place[S]
    end: Place[S]
    states: Sequence[S]
    """As `Outcomes.states`; after a command that was taken before, the state before it."""
    refusals: Mapping[int, Refusal]
    """As `Outcomes.refusals`, those of the core among them."""
    taken: Sequence[C]
    """The commands that were taken, which are all that is kept."""
    replays: Mapping[int, Place[S]] = _NO_REPLAYS
    """Where the commands led that were taken before, by index."""
    keys: Keys = NO_KEYS
    """The keys of what was taken, in order: kept with it. Empty in one that was made by `follow`."""


def judge(  # noqa: PLR0913 - all that the outcome depends on.
    machine: Machine[S, C],
    start: Place[S],
    commands: Sequence[C],
    terms: AllTerms = NO_TERMS,
    known: Known = _NONE,
    *,
    time_s: int = 0,
) -> Judgement[S, C]:
    """Return what becomes of one or more commands.

    `terms` are those of the group, digested; `known` are the keys of all that was taken before it, and `time_s` is when
    it is judged, as `Seen.time_s`.
    """
    if not terms:
        return _plain(machine, start, commands)
    course = _Course(machine, start, commands)
    keys: dict[bytes, bytes] = {}
    # PERF: of a key the common case, that it is new and has no conditions, 0.5 us less for each.
    asked = {own.key: index for index, own in terms.items() if own.key and own.match is None and not own.none_match}
    if len(asked) == len(terms) and not known.has_any(asked.keys()):
        course.asked = asked
        course.run(len(commands), time_s, keys)
        return course.judgement(keys)
    for index, own in sorted(terms.items()):
        course.come_to(index, own, known, time_s, keys)
    course.run(len(commands), time_s, keys)
    return course.judgement(keys)


def follow(
    machine: Machine[S, C],
    start: Place[S],
    commands: Sequence[C],
    replays: Mapping[int, Place[S]],
    refusals: Mapping[int, Refusal],
) -> Judgement[S, C]:
    """Return what `judge` returned to who judged elsewhere, from what it said of the commands that had terms.

    `refusals` are those of the core among its refusals; what the machine refuses, it refuses here, too.
    """
    if not replays and not refusals:
        return _plain(machine, start, commands)
    course = _Course(machine, start, commands)
    for index in sorted((*replays, *refusals)):
        course.run(index, 0, {})
        if index in replays:
            course.replay(replays[index])
        else:
            course.refuse(refusals[index])
    course.run(len(commands), 0, {})
    return course.judgement(NO_KEYS)


def _plain(machine: Machine[S, C], start: Place[S], commands: Sequence[C]) -> Judgement[S, C]:
    states, refusals = machine.apply(start.state, commands)
    assert len(states) == len(commands) > 0, "each command has an outcome"
    taken = commands if not refusals else [each for index, each in enumerate(commands) if index not in refusals]
    return Judgement(start, Place(start.sequence + len(taken), states[-1]), states, refusals, taken)


class _Course(Generic[S, C]):
    """A group in the middle of being judged: all before `_done` have their outcome."""

    def __init__(self, machine: Machine[S, C], start: Place[S], commands: Sequence[C]) -> None:
        self.sequence = start.sequence
        self.state = start.state
        self.asked: dict[bytes, int] = {}
        """The keys of the commands that the next run is going to ask the machine for, with their indices, in order."""
        self._machine = machine
        self._start = start
        self._commands = commands
        self._done = 0
        self._states: list[S] = []
        self._refusals: dict[int, Refusal] = {}
        self._replays: dict[int, Place[S]] = {}
        self._taken: list[C] = []

    def come_to(self, index: int, own: Terms, known: Known, time_s: int, keys: dict[bytes, bytes]) -> None:
        """Judge a command with terms, or leave it to the next run if the machine alone has a say."""
        key = own.key
        if key is not None:
            if key in self.asked:  # By a command before it in this group, which may yet be refused.
                self.run(index, time_s, keys)
            seen = Seen.of(keys[key]) if key in keys else known.get(key)
            if seen is not None:
                self.run(index, time_s, keys)
                if seen.command == self._machine.encode([self._commands[index]]):
                    self.replay(Place(seen.sequence, self._machine.decode_state(seen.state)))
                else:
                    self.refuse(KEY_REUSED)
                return
        if own.has_condition:
            self.run(index, time_s, keys)
            if not own.hold(Tag(self.sequence, self._machine.tag(self.state))):
                self.refuse(CONDITION_FAILED)
                return
        if key is not None:
            self.asked[key] = index

    def run(self, end: int, time_s: int, keys: dict[bytes, bytes]) -> None:
        """Let the machine have all commands up to `end`, and make the keys known of those that it takes."""
        begin, self._done = self._done, end
        if begin == end:
            return
        commands = self._commands[begin:end]
        states, refusals = self._machine.apply(self.state, commands)
        assert len(states) == len(commands), "each command has an outcome"
        refused = sorted(refusals)
        if self.asked:
            self._know(begin, states, refused, time_s, keys)
        self._states += states
        self._refusals.update((begin + index, refusal) for index, refusal in refusals.items())
        self._taken += [each for index, each in enumerate(commands) if index not in refusals]
        self.sequence += len(commands) - len(refusals)
        self.state = states[-1]

    def _know(self, begin: int, states: Sequence[S], refused: list[int], time_s: int, keys: dict[bytes, bytes]) -> None:
        """Make the keys known of what the machine has taken of a run."""
        commands, encode, encode_state = self._commands, self._machine.encode, self._machine.encode_state
        # PERF: what is alike is written once, and not as a `Seen`: 0.8 us less for each.
        first, last, time, command = self.sequence + 1, None, f",{time_s},", ""
        for key, index in self.asked.items():
            nth = index - begin
            before = bisect_left(refused, nth) if refused else 0
            if before < len(refused) and refused[before] == nth:
                continue
            if commands[index] is not last:  # PERF: most are alike.
                last = commands[index]
                command = f",{encode([last])},"
            keys[key] = f"{time}{first + nth - before}{command}{encode_state(states[nth])}\n".encode("ascii")
        self.asked.clear()

    def replay(self, place: Place[S]) -> None:
        """Pass over the next command: it was taken before."""
        self._replays[self._done] = place
        self._pass_over()

    def refuse(self, refusal: Refusal) -> None:
        """Pass over the next command: it is not taken."""
        self._refusals[self._done] = refusal
        self._pass_over()

    def _pass_over(self) -> None:
        self._done += 1
        self._states.append(self.state)

    def judgement(self, keys: Keys) -> Judgement[S, C]:
        """Return what the group came to."""
        assert self._done == len(self._states) == len(self._commands) > 0, "each command has an outcome"
        end = Place(self.sequence, self.state)
        return Judgement(self._start, end, self._states, self._refusals, self._taken, self._replays, keys)
