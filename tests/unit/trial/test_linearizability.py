"""The judge is judged: it accepts what can be explained, and nothing else."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations, pairwise, permutations
from math import inf
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pexservice.core.judging import Place
from pexservice.trial.linearizability import check
from pexservice.trial.operation import Operation
from pexservice.walk.fibonacci import Pair
from pexservice.walk.steps import NEXT, PREVIOUS, RESET, Step, positions
from torture.attack import Violation

BEGIN = Place(40, 3)


def after(place: Place[int], operation: Operation) -> Place[int]:
    if operation.step is None:
        return place
    return Place(place.sequence + 1, positions(place.state, bytes([operation.step]))[0])


def simulated(rng: Random, count: int, *, overlap_s: float = 5.0) -> tuple[list[Operation], Place[int]]:
    """Return a history that a right service could have made, one operation a second, and the place it leads to."""
    history, place = [], BEGIN
    connections: list[int | None] = [None, None, 0, 1]
    for second in range(count):
        operation = Operation(rng.choice([NEXT, NEXT, PREVIOUS, RESET, None]), second - rng.uniform(0, overlap_s))
        operation.connection = rng.choice(connections)
        fate = rng.random()
        if fate >= 0.8 and operation.connection is not None:  # It was not answered, so it is the last.
            connections.remove(operation.connection)
        if fate >= 0.9:  # Nor was it done.
            history.append(operation)
            continue
        place = after(place, operation)
        if fate < 0.8:
            operation.answered_s = second + rng.uniform(0, overlap_s)
            operation.status, operation.place = 200, place
            operation.value = str(Pair.at(place.state).value)
        history.append(operation)
    shuffled: dict[int | None, float] = {0: rng.random(), 1: rng.random()}
    history.sort(key=lambda operation: shuffled.get(operation.connection, rng.random()))
    return history, place


def verdict(history: list[Operation], begin: Place[int], end: Place[int] | None) -> bool:
    try:
        check(history, begin, end)
    except Violation:
        return False
    return True


@given(st.randoms(use_true_random=False), st.integers(0, 60))
def test_a_right_history_is_accepted(rng: Random, count: int) -> None:
    """Whatever a right service does, answered or not, is linearizable."""
    history, end = simulated(rng, count)
    check(history, BEGIN, end)
    if not any(operation.is_unknown for operation in history):
        check(history, BEGIN)


PLACES = st.builds(Place, st.integers(0, 3), st.integers(0, 2))
TIMES = st.integers(0, 6)


@st.composite
def small_histories(draw: st.DrawFn) -> list[Operation]:
    history = []
    for _ in range(draw(st.integers(0, 4))):
        invoked_s = draw(TIMES)
        operation = Operation(draw(st.sampled_from([NEXT, PREVIOUS, RESET, None])), invoked_s)
        operation.connection = draw(st.sampled_from([None, 0, 1]))
        if draw(st.booleans()):
            operation.answered_s = invoked_s + draw(st.integers(1, 4))
            operation.status, operation.place = 204, draw(PLACES)
        history.append(operation)
    # Those of one connection are listed as they were sent, which is what the judge relies on.
    return sorted(history, key=lambda operation: operation.invoked_s)


def at(order: Sequence[Operation], operation: Operation) -> int:
    return next(index for index, each in enumerate(order) if each is operation)


def has(order: Sequence[Operation], operation: Operation) -> bool:
    return any(each is operation for each in order)


def can_be_explained(history: list[Operation], begin: Place[int], end: Place[int]) -> bool:
    """Search all orders of the answered operations with any of the unknown ones: slow, and plainly right."""
    unknown = [operation for operation in history if operation.is_unknown]
    answered = [operation for operation in history if not operation.is_unknown]
    sent = [
        (one, other)
        for one, other in combinations(history, 2)
        if one.connection is not None and one.connection == other.connection
    ]
    if any(one.is_unknown and not other.is_unknown for one, other in sent):
        return False
    for count in range(len(unknown) + 1):
        for done in combinations(unknown, count):
            for order in permutations([*answered, *done]):
                in_time = all(
                    not later.answered_s < earlier.invoked_s
                    for index, earlier in enumerate(order)
                    for later in order[index + 1 :]
                )
                as_sent = all(
                    at(order, one) < at(order, other) for one, other in sent if not one.is_unknown and has(order, other)
                )
                places = [begin]
                for operation in order:
                    places.append(after(places[-1], operation))
                told = all(operation.place in {None, place} for operation, place in zip(order, places[1:], strict=True))
                if in_time and as_sent and told and places[-1] == end:
                    return True
    return False


@settings(max_examples=1500)
@given(small_histories(), PLACES)
def test_the_verdict_is_that_of_a_search_of_all_orders(history: list[Operation], end: Place[int]) -> None:
    """On small histories, most of them wrong, the verdict is the one that an exhaustive search comes to."""
    assert verdict(history, Place(0, 1), end) == can_be_explained(history, Place(0, 1), end)


def lose_a_step(history: list[Operation], rng: Random) -> None:
    """A step that was answered is not in the walk: all later ones come one sequence too early."""
    lost = rng.choice([operation for operation in history if operation.step is not None][:-1])
    assert lost.place is not None
    for operation in history:
        if operation.place is not None and operation.place.sequence > lost.place.sequence:
            operation.place = operation.place._replace(sequence=operation.place.sequence - 1)


def read_stale(history: list[Operation], rng: Random) -> None:
    """A read shows the place before a step that had been answered."""
    before, after_it = rng.choice([(a, b) for a, b in pairwise(history) if b.step is not None and a.place])
    history.append(
        replace(before, step=None, invoked_s=after_it.answered_s + 0.1, answered_s=after_it.answered_s + 0.2)
    )


def answer_twice(history: list[Operation], rng: Random) -> None:
    """Two steps are told the same place."""
    steps = [operation for operation in history if operation.step is not None]
    one, other = rng.choice(list(pairwise(steps)))
    other.place, other.value = one.place, one.value


def swap_two(history: list[Operation], rng: Random) -> None:
    """Two steps, one after the other in time, are told each other's place."""
    one, other = rng.choice(list(pairwise([operation for operation in history if operation.step is not None])))
    one.place, other.place, one.value, other.value = other.place, one.place, other.value, one.value


def falsify_a_value(history: list[Operation], rng: Random) -> None:
    """A value is that of another position."""
    operation = rng.choice([operation for operation in history if operation.place])
    assert operation.place is not None
    operation.value = str(Pair.at(operation.place.state).value + 1)


def forget_a_step(history: list[Operation], rng: Random) -> None:
    """A step is in the walk that nobody asked for."""
    history.remove(rng.choice([operation for operation in history if operation.step is not None]))


def refuse_and_take(history: list[Operation], rng: Random) -> None:
    """A step was answered as not applied and is in the walk all the same."""
    operation = rng.choice([operation for operation in history if operation.step is not None])
    operation.place, operation.value, operation.status = None, None, 503


def answer_strangely(history: list[Operation], rng: Random) -> None:
    """An answer is neither a success nor a refusal that is safe to repeat."""
    operation = rng.choice(history)
    operation.place, operation.value, operation.status = None, None, 500


def drop_a_value(history: list[Operation], rng: Random) -> None:
    """An answer that should hold a value is empty."""
    rng.choice(history).value = None


def pipelined(history: list[Operation], rng: Random, *steps: Step | None) -> list[Operation]:
    """Pick operations that follow one another, and make them such as were sent in one go, and answered so."""
    starts = [at for at in range(len(history)) if [each.step for each in history[at : at + len(steps)]] == list(steps)]
    start = rng.choice(starts)
    picked = history[start : start + len(steps)]
    for operation in picked:
        operation.connection = 7
        operation.invoked_s, operation.answered_s = picked[0].invoked_s, picked[-1].answered_s
    assert verdict(history, BEGIN, None)
    return picked


def swap_in_a_pipeline(history: list[Operation], rng: Random) -> None:
    """Two steps sent in one go are told each other's place."""
    one, other = pipelined(history, rng, NEXT, NEXT)
    one.place, other.place, one.value, other.value = other.place, one.place, other.value, one.value


def swap_step_and_read(history: list[Operation], rng: Random) -> None:
    """A read that was sent behind a step, in one go, does not see it."""
    step, read = pipelined(history, rng, NEXT, None)
    assert step.place is not None
    read.place = Place(step.place.sequence - 1, step.place.state - 1)
    read.value = str(Pair.at(read.place.state).value)


def pass_over_in_a_pipeline(history: list[Operation], rng: Random) -> None:
    """Of two steps sent in one go, the second is answered and the first is not."""
    one, _ = pipelined(history, rng, NEXT, NEXT)
    one.place, one.value, one.status, one.answered_s = None, None, 0, inf


MUTATIONS = [
    drop_a_value,
    swap_in_a_pipeline,
    swap_step_and_read,
    pass_over_in_a_pipeline,
    lose_a_step,
    read_stale,
    answer_twice,
    swap_two,
    falsify_a_value,
    forget_a_step,
    refuse_and_take,
    answer_strangely,
]


@pytest.mark.parametrize("mutate", MUTATIONS)
@pytest.mark.parametrize("seed", range(20))
def test_every_mutant_is_caught(mutate: Callable[[list[Operation], Random], None], seed: int) -> None:
    """One wrong answer in a history that was right, without a fault to excuse it, is found."""
    rng = Random(seed)
    history: list[Operation] = []
    place = BEGIN
    for second in range(100):
        operation = Operation(rng.choice([NEXT, NEXT, PREVIOUS, RESET, None]), second, second + 0.9, 200)
        place = operation.place = after(place, operation)
        operation.value = str(Pair.at(place.state).value)
        history.append(operation)
    check(history, BEGIN, place)
    mutate(history, rng)
    assert not verdict(history, BEGIN, place)


TOLD = Operation(NEXT, 0, 1, 204, Place(42, 5))


def test_an_unknown_step_fills_only_a_gap_that_it_can_have_filled() -> None:
    """A step invoked after an answer that knows of the gap is no excuse for it."""
    early, late = Operation(NEXT, 0.5, inf), Operation(NEXT, 1.5, inf)
    assert verdict([TOLD, early], BEGIN, Place(42, 5))
    assert not verdict([TOLD, late], BEGIN, Place(42, 5))
    assert not verdict([TOLD, replace(early, step=RESET)], BEGIN, Place(42, 5))


def test_an_unknown_step_fills_no_gap_below_what_was_answered_before_it_on_its_connection() -> None:
    """What is sent behind a step on one connection is not done before it."""
    told = replace(TOLD, connection=7)
    behind, elsewhere = Operation(NEXT, 0.5, connection=7), Operation(NEXT, 0.5, connection=8)
    assert verdict([told, elsewhere], BEGIN, Place(42, 5))
    assert not verdict([told, behind], BEGIN, Place(42, 5))
    assert verdict([told, elsewhere, behind], BEGIN, Place(43, 6))


def test_what_was_refused_may_be_passed_over() -> None:
    """A step that is answered as not applied leaves those sent behind it to be done."""
    refused = Operation(NEXT, 0, 1, 503, connection=7)
    assert verdict([refused, Operation(NEXT, 0, 1, 204, Place(41, 4), connection=7)], BEGIN, Place(41, 4))
