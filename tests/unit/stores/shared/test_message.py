"""What workers and their writer say to each other, to bytes and back."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pexservice.core.judging import CONDITION_FAILED, KEY_REUSED, Place
from pexservice.core.keys import Tag, Terms, digests
from pexservice.limits import DEFAULT
from pexservice.stores.shared.message import Hearing, Kind, Part, Told, group, taken, told
from pexservice.walk.machine import WALK
from support.machines import COUNTER

SMALL = replace(DEFAULT, message_bytes_max=40, shared_state_bytes_max=1)
_keys = st.none() | st.binary(min_size=1, max_size=255).map(lambda key: digests([key], b"secret")[0])
_tags = st.frozensets(st.builds(Tag, st.integers(0, 2**64), st.text("0123456789abcdef._", max_size=9)), max_size=3)
_terms = st.builds(Terms, _keys, st.none() | _tags, _tags)


def _heard(machine: Any, messages: Iterable[bytes]) -> list[Told[Any] | None]:
    hearing = Hearing[Any](machine)
    return [hearing.hear(message) for message in messages]


@pytest.mark.parametrize("limits", [DEFAULT, SMALL])
@pytest.mark.parametrize(
    ("machine", "message"),
    [
        (WALK, Told(Kind.OPEN, secret=bytes(range(32)))),
        (WALK, Told(Kind.STOP)),
        (WALK, Told(Kind.TURNED_AWAY, 3, reason=2)),
        (WALK, Told(Kind.TAKEN, 2**64 - 1, Place(2**64 - 1, 2**64 - 1))),
        (COUNTER, Told(Kind.TAKEN, 1, Place(5, (10, 2)))),
        (COUNTER, Told(Kind.TAKEN, 1, Place(5, (10, 2)), {3: Place(2, (1, 2))}, {0: KEY_REUSED, 7: CONDITION_FAILED})),
    ],
)
def test_what_is_told_is_heard(machine: Any, message: Told[Any], limits: Any) -> None:
    """Each message, of any machine, comes back as it was, once the last piece of it is there."""
    messages = list(told(machine, message, limits))
    assert all(len(each) <= limits.message_bytes_max for each in messages)
    assert _heard(machine, messages * 2) == [*[None] * (len(messages) - 1), message] * 2


@pytest.mark.parametrize("state", [(10, 2), (-(10**9), 10**9), (-(10**99), 10**99)])
def test_a_group_that_was_taken_whole_is_told_alike(state: tuple[int, int]) -> None:
    """However long the state is that it begins with: it may be one in the middle of a group, which is not published."""
    written = list(taken(3, 5, COUNTER.encode_state(state), SMALL))
    assert written == list(told(COUNTER, Told(Kind.TAKEN, 3, Place(5, state)), SMALL))
    assert all(len(each) <= SMALL.message_bytes_max for each in written)


@given(st.binary(max_size=100), st.dictionaries(st.integers(0, 9), _terms, max_size=4), st.integers(18, 60))
def test_a_group_comes_in_pieces_that_are_small_enough(
    packed: bytes, terms: dict[int, Terms], message_bytes_max: int
) -> None:
    """Only the last completes it, and then it is whole, with its terms."""
    part = Part()
    limits = replace(SMALL, message_bytes_max=message_bytes_max)
    messages = list(group(7, 3, packed, terms, limits))
    assert all(len(message) <= message_bytes_max for message in messages)
    assert [part.add(memoryview(message)) for message in messages] == [False] * (len(messages) - 1) + [True]
    assert (part.number, part.count, part.packed) == (7, 3, packed)
    assert part.terms == terms
