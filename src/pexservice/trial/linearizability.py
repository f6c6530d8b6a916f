"""Is there one order of all operations that explains every answer? Exact, and fast.

The idea: every answer carries its sequence, so the order is given and need not be searched for (which is what makes
the question hard in general). What is left to prove, in O(N log N) for N operations:

1. Each sequence between the first and the last place belongs to one step: one that was answered, or a *gap*, which
   one of the steps of unknown outcome must fill.
2. The order agrees with real time. Sweeping by time, a step's sequence exceeds every sequence that was answered before
   the step was invoked; a read's is at least that.
3. The walk, replayed in the order of sequences, passes through each answered place, and each value is F(position).
4. The gaps can be filled. A step of unknown outcome may fill the gap s if it was invoked before the first answer that
   knows of s. Those *deadlines* rise with s, so of one kind of step any that is early enough will do, and what is left
   over serves the later gaps as well: it suffices to count. The places that the walk may be at, each with the number of
   steps of each kind used up, are carried from gap to gap; where none is left, no order explains the answers.
5. What one client sends on one connection without waiting for answers is answered in order, none left out, and done in
   that order. So a step of unknown outcome fills only gaps above all that was answered before it on its connection;
   once it may fill one it may fill all later ones, and counting still suffices. (Of several steps of unknown outcome on
   one connection, the order among themselves is not judged: nobody was told of it.)
"""

from collections import Counter
from collections.abc import Iterable
from heapq import heappop, heappush
from math import inf

from pexservice.core.judging import Place
from pexservice.trial.operation import Operation
from pexservice.walk.fibonacci import Walker
from pexservice.walk.steps import NEXT, PREVIOUS, RESET, Step, positions

NOT_APPLIED = 503
WITH_VALUE = 200
_KINDS = (NEXT, PREVIOUS, RESET)


class Violation(Exception):
    """Raised when a promise was broken; says which, and what was seen."""


def require(kept: bool, broken: str) -> None:  # noqa: FBT001 - reads as an assertion.
    """Raise Violation unless a promise was kept."""
    if not kept:
        raise Violation(broken)


Unknown = tuple[float, int, Step]
"""A step of unknown outcome: when it was invoked, the highest sequence that it must be above, and its kind."""
Used = tuple[int, int, int]
"""How many steps of unknown outcome were used to fill gaps, of each kind."""


def check(history: Iterable[Operation], begin: Place[int], end: Place[int] | None = None) -> None:
    """Raise Violation unless the history is linearizable, from the place before it to the one after it, if known.

    With an `end`, as recovered after a crash, the steps of unknown outcome may account for what lies before it.
    """
    operations = list(history)
    for operation in operations:
        is_known = operation.is_taken or operation.is_unknown or operation.status == NOT_APPLIED
        require(is_known, f"answered neither 2xx nor 'not applied': {operation}")
        is_whole = (operation.value is not None) == (operation.status == WITH_VALUE)
        require(is_whole, f"the value is not there, or there without need: {operation}")
    beneath = _check_connections(operations, begin)
    taken = [operation for operation in operations if operation.is_taken]
    steps = _by_sequence(taken, begin, end)
    last = max([begin.sequence, *(_place(operation).sequence for operation in taken)]) if end is None else end.sequence
    _check_real_time(taken)
    _check_values(taken)
    _replay(steps, _pins(taken, begin, end), _deadlines(taken), beneath, range(begin.sequence + 1, last + 1))


def _place(operation: Operation) -> Place[int]:
    assert operation.place is not None
    return operation.place


def _check_connections(operations: list[Operation], begin: Place[int]) -> list[Unknown]:
    """Prove the order on each connection; return the steps of unknown outcome."""
    shown: dict[int, int] = {}
    unanswered: dict[int, Operation] = {}
    unknown: list[Unknown] = []
    for operation in operations:
        connection = operation.connection
        beneath = begin.sequence if connection is None else shown.get(connection, begin.sequence)
        if operation.is_unknown:
            if connection is not None:
                unanswered.setdefault(connection, operation)
            if operation.step is not None:
                unknown.append((operation.invoked_s, beneath, operation.step))
        elif connection is not None:
            passed_over = unanswered.get(connection)
            require(passed_over is None, f"answered before what was sent before it, {passed_over}: {operation}")
            if operation.is_taken:
                sequence = shown[connection] = _place(operation).sequence
                allowed = beneath if operation.step is None else beneath + 1
                require(sequence >= allowed, f"sequence {beneath} had been sent before on its connection: {operation}")
    return unknown


def _by_sequence(taken: list[Operation], begin: Place[int], end: Place[int] | None) -> dict[int, Step]:
    steps: dict[int, Step] = {}
    for operation in taken:
        sequence = _place(operation).sequence
        require(sequence >= begin.sequence, f"went back before {begin}: {operation}")
        require(end is None or sequence <= end.sequence, f"was answered and is lost, the walk is at {end}: {operation}")
        if operation.step is not None:
            require(sequence > begin.sequence, f"a step with the sequence of the place before it, {begin}: {operation}")
            require(sequence not in steps, f"two steps with one sequence: {operation}")
            steps[sequence] = operation.step
    return steps


def _check_real_time(taken: list[Operation]) -> None:
    events = [(operation.invoked_s, 0, operation) for operation in taken]
    events += [(operation.answered_s, 1, operation) for operation in taken]
    shown = -1
    for _, is_answer, operation in sorted(events, key=lambda event: event[:2]):
        sequence = _place(operation).sequence
        if is_answer:
            shown = max(shown, sequence)
        else:
            allowed = shown if operation.step is None else shown + 1
            require(sequence >= allowed, f"sequence {shown} had been answered before this was asked: {operation}")


def _check_values(taken: list[Operation]) -> None:
    walker = Walker()
    for operation in sorted(taken, key=lambda operation: _place(operation).state):
        if operation.value is not None:
            is_exact = operation.value == walker.digits(_place(operation).state)
            require(is_exact, f"not the value of its position: {operation}")


def _pins(taken: list[Operation], begin: Place[int], end: Place[int] | None) -> dict[int, int]:
    """Return the positions that are known, by sequence."""
    pins = {begin.sequence: begin.state}
    for place in [*map(_place, taken), *([end] if end else [])]:
        known = pins.setdefault(place.sequence, place.state)
        require(known == place.state, f"two positions after step {place.sequence}: {known} and {place.state}")
    return pins


def _deadlines(taken: list[Operation]) -> list[tuple[int, float]]:
    """Return (sequence, the first answer that knows of it), for each sequence where that changes, rising."""
    deadlines: list[tuple[int, float]] = []
    first_s = inf
    for operation in sorted(taken, key=lambda operation: -_place(operation).sequence):
        if operation.answered_s < first_s:
            first_s = operation.answered_s
            deadlines.append((_place(operation).sequence, first_s))
    return deadlines[::-1]


def _replay(
    steps: dict[int, Step],
    pins: dict[int, int],
    deadlines: list[tuple[int, float]],
    unknown: list[Unknown],
    sequences: range,
) -> None:
    gaps = len(sequences) - len(steps)
    require(gaps <= len(unknown), f"{gaps} steps are in the walk that nobody was told of, {len(unknown)} were unknown")
    not_invoked = sorted(unknown, reverse=True)
    not_passed: list[tuple[int, Step]] = []
    available: Counter[Step] = Counter()
    walks: set[tuple[int, Used]] = {(pins[sequences.start - 1], (0, 0, 0))}
    upcoming = 0
    for sequence in sequences:
        if sequence in steps:
            walks = {(_after(position, steps[sequence]), used) for position, used in walks}
        else:
            while upcoming < len(deadlines) and deadlines[upcoming][0] < sequence:
                upcoming += 1
            deadline_s = deadlines[upcoming][1] if upcoming < len(deadlines) else inf
            while not_invoked and not_invoked[-1][0] <= deadline_s:
                _, beneath, kind = not_invoked.pop()
                heappush(not_passed, (beneath, kind))
            while not_passed and not_passed[0][0] < sequence:
                available[heappop(not_passed)[1]] += 1
            walks = {walk for position, used in walks for walk in _filled(position, used, available)}
        if sequence in pins:
            walks = {walk for walk in walks if walk[0] == pins[sequence]}
        if not walks:
            told = steps.get(sequence)
            what = f"the answer to {chr(told)}" if told else "any step of unknown outcome"
            message = f"no order of the steps leads to sequence {sequence}, position {pins.get(sequence)}, by {what}"
            raise Violation(message)


def _after(position: int, step: Step) -> int:
    return positions(position, bytes([step]))[0]


def _filled(position: int, used: Used, available: Counter[Step]) -> Iterable[tuple[int, Used]]:
    for index, kind in enumerate(_KINDS):
        if used[index] < available[kind]:
            more = list(used)
            more[index] += 1
            yield _after(position, kind), (more[0], more[1], more[2])
