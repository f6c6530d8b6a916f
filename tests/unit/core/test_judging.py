"""What becomes of a group, from where it begins."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pexservice.core.judging import CONDITION_FAILED, KEY_REUSED, OWN_REFUSALS, Judgement, Place, follow, judge
from pexservice.core.keys import AllTerms, Looked, Seen, Tag, Terms
from pexservice.core.machine import Refusal
from pexservice.walk.machine import WALK
from pexservice.walk.steps import NEXT
from support.machines import COUNTER, FULL


def test_what_is_refused_takes_no_number_and_is_not_kept() -> None:
    """The group ends behind the commands that were taken; each of all has a state and, if refused, the reason."""
    start = Place(7, (8, 3))
    judged = judge(COUNTER, start, [1, 5, 1, 1])
    assert (judged.start, judged.end) == (start, Place(9, (10, 5)))
    assert (list(judged.states), dict(judged.refusals)) == ([(9, 4), (9, 4), (10, 5), (10, 5)], {1: FULL, 3: FULL})
    assert list(judged.taken) == [1, 1]


def test_a_group_that_is_refused_whole_ends_where_it_began() -> None:
    """Nothing of it is kept."""
    judged = judge(COUNTER, Place(2, (10, 2)), [1, 2])
    assert (judged.end, list(judged.taken)) == (judged.start, [])


def test_an_empty_group_is_a_defect() -> None:
    """Nobody cuts one."""
    with pytest.raises(AssertionError, match="each command has an outcome"):
        judge(WALK, Place(0, 0), [])
    assert judge(WALK, Place(0, 0), [NEXT]).end == Place(1, 1)


def like(judgement: Judgement[Any, Any]) -> Judgement[Any, Any]:
    """Return the same with lists for sequences of any kind."""
    return judgement._replace(states=list(judgement.states), taken=list(judgement.taken), keys=dict(judgement.keys))


def one_by_one(
    start: Place[tuple[int, int]], commands: list[int], terms: AllTerms, known: dict[bytes, Seen]
) -> Judgement[Any, Any]:
    """Judge as the rules say it, command by command, and quick at nothing."""
    place, states, taken = start, [], []
    refusals: dict[int, Refusal] = {}
    replays: dict[int, Place[Any]] = {}
    keys: dict[bytes, Seen] = {}
    for index, command in enumerate(commands):
        own = terms.get(index, Terms())
        seen = None if own.key is None else (known | keys).get(own.key)
        outcome = COUNTER.step(place.state, command)
        if seen is not None and seen.command == str(command):
            replays[index] = Place(seen.sequence, COUNTER.decode_state(seen.state))
        elif seen is not None:
            refusals[index] = KEY_REUSED
        elif not own.hold(Tag(place.sequence, COUNTER.tag(place.state))):
            refusals[index] = CONDITION_FAILED
        elif isinstance(outcome, Refusal):
            refusals[index] = outcome
        else:
            place = Place(place.sequence + 1, outcome)
            taken.append(command)
            if own.key is not None:
                keys[own.key] = Seen(9, place.sequence, str(command), COUNTER.encode_state(outcome))
        states.append(place.state)
    return Judgement(start, place, states, refusals, taken, replays, {key: each.packed() for key, each in keys.items()})


_TAGS = st.frozensets(
    st.builds(Tag, st.integers(3, 8), st.builds("{}.{}".format, st.integers(5, 10), st.integers(2, 6))), max_size=8
)
_TERMS = st.builds(Terms, st.none() | st.sampled_from([b"a", b"b", b"c", b"z"]), st.none() | _TAGS, _TAGS)
_START = Place(3, (8, 2))
_KNOWN = Looked({b"z": Seen(5, 2, "1", "8,2")})


@given(st.lists(st.tuples(st.sampled_from([1, 2, -1]), st.none() | _TERMS), min_size=1, max_size=12))
def test_each_command_is_judged_at_its_turn(elements: list[tuple[int, Terms | None]]) -> None:
    """Whatever is cut into runs comes to what it would command by command; elsewhere `follow` comes to the same."""
    commands = [command for command, _ in elements]
    terms = {index: own for index, (_, own) in enumerate(elements) if own is not None}
    judged = judge(COUNTER, _START, commands, terms, _KNOWN, time_s=9)
    assert like(judged) == one_by_one(_START, commands, terms, _KNOWN)
    own = {index: refusal for index, refusal in judged.refusals.items() if refusal.code in OWN_REFUSALS}
    followed = follow(COUNTER, _START, commands, judged.replays, own)
    assert like(followed) == like(judged)._replace(keys={})


def test_a_key_in_a_group_twice_is_taken_once() -> None:
    """The second is told what the first came to, and goes again if the first was refused."""
    twice = {0: Terms(b"k"), 1: Terms(b"k")}
    judged = judge(COUNTER, Place(0, (0, 0)), [4, 4], twice)
    assert (judged.end, judged.replays) == (Place(1, (4, 1)), {1: Place(1, (4, 1))})
    judged = judge(COUNTER, Place(0, (9, 0)), [4, 1], twice)
    assert (judged.refusals, judged.replays, list(judged.taken)) == ({0: FULL}, {}, [1])
    assert judged.keys == {b"k": Seen(0, 1, "1", "10,1").packed()}


def test_a_key_goes_before_a_condition() -> None:
    """Who asks again asks in the state that was left behind: what was taken is told, not refused."""
    terms = Terms(b"k", frozenset({Tag(0, "0.0")}))
    first = judge(COUNTER, Place(0, (0, 0)), [4], {0: terms})
    known = Looked({key: Seen.of(packed) for key, packed in first.keys.items()})
    again = judge(COUNTER, first.end, [4], {0: terms}, known)
    assert (again.replays, again.end) == ({0: first.end}, first.end)
    other = judge(COUNTER, first.end, [5], {0: terms}, known)
    assert other.refusals == {0: KEY_REUSED}


def test_plain_commands_between_are_applied_as_runs() -> None:
    """The machine gets them whole: a group with a key is cut only where the state matters."""
    asked: list[int] = []

    class Counted(type(COUNTER)):  # type: ignore[misc]
        def apply(self, state: Any, commands: Any) -> Any:
            asked.append(len(commands))
            return super().apply(state, commands)

    judge(Counted(), Place(0, (0, 0)), [0] * 100, {5: Terms(b"k"), 70: Terms(b"l")})
    judge(Counted(), Place(0, (0, 0)), [0] * 100, {50: Terms(none_match=frozenset({Tag(9, "")}))})
    assert asked == [100, 50, 50]


def test_what_is_handed_over_and_comes_back_are_plain_data() -> None:
    """It can be sent to another process."""
    known = Looked({b"k": Seen(1, 2, "1", "3,2")})
    judged = judge(COUNTER, _START, [1, 1], {0: Terms(b"k"), 1: Terms(match=frozenset())}, known)
    place = judged.replays[0]
    sent = json.loads(json.dumps([0, place.sequence, COUNTER.encode_state(place.state), 1, judged.refusals[1].code]))
    assert sent == [0, 2, "3,2", 1, "condition-failed"]
    replays = {sent[0]: Place(sent[1], COUNTER.read_state(sent[2]))}
    assert like(follow(COUNTER, _START, [1, 1], replays, {sent[3]: OWN_REFUSALS[sent[4]]})) == like(judged)
