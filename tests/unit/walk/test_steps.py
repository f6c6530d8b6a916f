"""The algebra of steps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pexservice.walk.steps import IDENTITY, NEXT, PREVIOUS, RESET, Clamp, decode, encode, expand, fold, positions, runs

GROUPS = st.lists(st.sampled_from([NEXT, PREVIOUS, RESET]), max_size=40).map(bytes)
PLACES = st.integers(0, 10**30)
CLAMPS = st.builds(Clamp, st.none() | st.integers(-50, 50), st.integers(0, 50))


@given(CLAMPS, CLAMPS, PLACES)
def test_composing_clamps_composes_functions(first: Clamp, second: Clamp, position: int) -> None:
    """(first then second)(n) = second(first(n))."""
    assert first.then(second)(position) == second(first(position))


@given(CLAMPS, CLAMPS, CLAMPS)
def test_composition_is_associative_and_has_an_identity(a: Clamp, b: Clamp, c: Clamp) -> None:
    """Clamps form a monoid."""
    assert a.then(b).then(c) == a.then(b.then(c))
    assert IDENTITY.then(a)(7) == a.then(IDENTITY)(7) == a(7)


@given(GROUPS, PLACES)
def test_a_folded_group_leads_where_its_steps_lead(steps: bytes, position: int) -> None:
    """One clamp stands for the whole group."""
    *_, end = (position, *positions(position, steps))
    assert fold(runs(steps))(position) == end


def test_steps_do_what_the_contract_says() -> None:
    """Next adds one, previous takes one but stops at 0, reset goes to 0."""
    assert list(positions(1, b"nppprn")) == [2, 1, 0, 0, 0, 1]


@given(GROUPS)
def test_the_notation_round_trips(steps: bytes) -> None:
    """A group is the same after being cut into runs, written, read and expanded."""
    group = runs(steps)
    assert expand(group) == steps
    if steps:
        assert decode(encode(group)) == group


@pytest.mark.parametrize("text", ["", "n", "0n", "01n", "1n1n", "1x", "1n ", "-1n", "1n\n", "\u0661n", "1n2", "1 n"])
def test_only_the_canonical_notation_is_read(text: str) -> None:
    """Whatever `encode` would not have written is refused."""
    with pytest.raises(ValueError, match="not a run-length notation"):
        decode(text)
