"""What workers and their writer say to each other, to bytes and back."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pexservice.core.judging import Place
from pexservice.limits import DEFAULT
from pexservice.stores.shared.message import Kind, Part, Told, hear, pieces, told
from pexservice.walk.machine import WALK
from support.machines import COUNTER


@pytest.mark.parametrize(
    ("machine", "message"),
    [
        (WALK, Told(Kind.OPEN)),
        (WALK, Told(Kind.STOP)),
        (WALK, Told(Kind.TURNED_AWAY, 3, reason=2)),
        (WALK, Told(Kind.TAKEN, 2**64 - 1, Place(2**64 - 1, 2**64 - 1))),
        (COUNTER, Told(Kind.TAKEN, 1, Place(5, (10, 2)))),
    ],
)
def test_what_is_told_is_heard(machine: Any, message: Told[Any]) -> None:
    """Each message, of any machine, comes back as it was."""
    assert hear(machine, told(machine, message)) == message


@given(st.binary(min_size=1, max_size=100), st.integers(14, 40))
def test_a_group_comes_in_pieces_that_are_small_enough(packed: bytes, message_bytes_max: int) -> None:
    """Only the last completes it, and then it is whole."""
    part: Part[Any] = Part()
    messages = list(
        pieces(7, 3, packed, replace(DEFAULT, message_bytes_max=message_bytes_max, shared_state_bytes_max=1))
    )
    assert all(len(message) <= message_bytes_max for message in messages)
    assert [part.add(memoryview(message)) for message in messages] == [False] * (len(messages) - 1) + [True]
    assert (part.number, part.count, part.packed) == (7, 3, packed)
