"""How what the author of a service wrote is tried."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from pexservice.core.mistakes import called, check_described, text_of
from pexservice.errors import WrongApplication, WrongMachine, ending


def _out_of_memory(_: int) -> str:
    raise MemoryError


def test_what_the_computer_lacks_is_no_mistake_of_the_author() -> None:
    """It is told as what it is."""
    with pytest.raises(MemoryError) as raised:
        called(WrongApplication, "its text", _out_of_memory, 0)
    told = ending(raised.value)
    assert told is not None
    assert "no memory is left" in str(told)


def test_a_mistake_is_told_in_one_sentence() -> None:
    """Whatever it is that was raised, or given in place of a text."""
    assert text_of(WrongMachine, "its text", str, 7) == "7"
    with pytest.raises(WrongMachine, match="the machine cannot be served: its text returns 7 of the initial state"):
        text_of(WrongMachine, "its text", int, 7)
    with pytest.raises(WrongApplication, match="its number raises ValueError of the initial state: invalid literal"):
        called(WrongApplication, "its number", int, "x")


@pytest.mark.parametrize(
    ("value", "kind"), [({}, Mapping), ({"a": [1]}, Mapping), ([], Sequence), (({"a": None},), Sequence)]
)
def test_what_can_be_described_is(value: object, kind: type[Any]) -> None:
    """By JSON."""
    check_described("it", value, kind)


@pytest.mark.parametrize(
    ("value", "kind", "told"),
    [
        ([], Mapping, r"it is \[\]: it must be a dictionary"),
        (None, Mapping, "it is None: it must be a dictionary"),
        ({}, Sequence, "it is {}: it must be a list"),
        ("ab", Sequence, "it is 'ab': it must be a list"),
        ({"a": b"b"}, Mapping, "it cannot be written as JSON: .*bytes"),
        ([{1}], Sequence, "it cannot be written as JSON: .*set"),
    ],
)
def test_what_cannot_be_described_is_told_of(value: object, kind: type[Any], told: str) -> None:
    """At the start, and not to who asks for the description."""
    with pytest.raises(WrongApplication, match=told):
        check_described("it", value, kind)
