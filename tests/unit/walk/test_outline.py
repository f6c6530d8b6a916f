"""The ends of a Fibonacci number, without what is between."""

from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pexservice.walk import outline
from pexservice.walk.fibonacci import Pair
from pexservice.walk.outline import SHOWN_WHOLE, Outline


def check(position: int) -> None:
    """Compare an outline with the number."""
    digits, head, tail = Outline.of(position)
    whole = str(Pair.at(position).value)
    assert digits == len(whole)
    if tail:
        assert digits > SHOWN_WHOLE
        assert (head, tail) == (whole[:100], whole[-100:])
    else:
        assert head == whole


@pytest.mark.parametrize("position", [0, 1, 2, 93, *range(4780, 4792), 10**6])
def test_it_agrees_with_the_number(position: int) -> None:
    """Around the bound, too, from which on only the ends are shown."""
    check(position)


@given(st.integers(0, 200_000))
def test_it_agrees_with_any_number(position: int) -> None:
    """Whole, or both ends and how many digits there are."""
    check(position)


def test_it_takes_no_time_at_any_position() -> None:
    """Not even where nobody could write the number down; its digits are then n log10(phi), about."""
    assert Outline.of(2**63).digits == 1927570757129919482


def test_what_rounding_might_have_changed_is_computed_in_full() -> None:
    """Should the digits beyond those shown not tell that."""
    with patch.object(outline, "_first", return_value=None):
        check(5000)
