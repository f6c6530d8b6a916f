"""Exact Fibonacci numbers, against plain integers."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pexservice.walk.fibonacci import Pair, Walker, digits_max, fibonacci_modulo

TABLE = [0, 1]
while len(TABLE) < 4000:
    TABLE.append(TABLE[-1] + TABLE[-2])

POSITIONS = st.integers(0, len(TABLE) - 2)


@given(POSITIONS)
def test_a_pair_is_two_neighbours(position: int) -> None:
    """Fast doubling gives F(n) and F(n+1)."""
    assert Pair.at(position) == Pair(position, Decimal(TABLE[position]), Decimal(TABLE[position + 1]))


@given(POSITIONS)
def test_moves_are_inverse_and_agree_with_doubling(position: int) -> None:
    """One place up is the pair there, and one down again the pair before."""
    pair = Pair.at(position)
    assert pair.next() == Pair.at(position + 1)
    assert pair.next().previous() == pair


@given(st.lists(POSITIONS, max_size=8))
def test_a_walker_gives_the_digits_in_any_order(order: list[int]) -> None:
    """Single moves and jumps alike lead to the digits of F(n)."""
    walker = Walker()
    assert [walker.digits(position) for position in order] == [str(TABLE[position]) for position in order]


@pytest.mark.parametrize(
    ("beside", "position", "moves"),
    [(1000, 1000, 0), (1001, 1000, 1), (998, 1000, 2), (2500, 1000, None), (0, 1000, None), (1000, 3, 3), (200, 3, 3)],
    ids=["there", "above it", "below it", "too far", "no nearer", "farther than the own pair", "farther, but near"],
)
def test_a_walker_takes_what_another_has(
    monkeypatch: pytest.MonkeyPatch, beside: int, position: int, moves: int | None
) -> None:
    """It adopts the pair of the one beside it where that is nearer, leaves that as it is, and goes on by itself.

    Where neither is near, it jumps.
    """
    other = Walker()
    other.digits(beside)
    walker, made = Walker(beside=other), []

    def note(name: str) -> None:
        method = getattr(Pair, name)

        def noted(*arguments: Any) -> Any:
            made.append(name)
            return method(*arguments)

        monkeypatch.setattr(Pair, name, noted)

    for name in ("next", "previous", "at"):
        note(name)
    assert walker.digits(position) == str(TABLE[position])
    assert made == ["at"] if moves is None else len(made) == moves and "at" not in made
    assert walker.digits(position + 1) == str(TABLE[position + 1])
    assert (other.pair.position, other.digits(beside)) == (beside, str(TABLE[beside]))


@given(st.lists(st.tuples(st.booleans(), POSITIONS), max_size=12))
def test_walkers_beside_each_other_agree(order: list[tuple[bool, int]]) -> None:
    """Whichever is asked, and wherever both stand, the digits are those of F(n)."""
    first = Walker()
    walkers = {True: first, False: Walker(beside=first)}
    for which, position in order:
        assert walkers[which].digits(position) == str(TABLE[position])


@pytest.mark.parametrize("position", [100_000, 1_000_003])
def test_large_values_are_exact(position: int) -> None:
    """Every digit counts: the value agrees with modular arithmetic modulo primes."""
    value = Pair.at(position).value
    for prime in (2**61 - 1, 10**9 + 7):
        remainder = 0
        for start in range(0, len(text := str(value)), 15):
            piece = text[start : start + 15]
            remainder = (remainder * 10 ** len(piece) + int(piece)) % prime
        assert remainder == fibonacci_modulo(position, prime)


@given(POSITIONS, st.integers(1, 2**64))
def test_the_remainder_needs_no_value(position: int, modulus: int) -> None:
    """Modular doubling gives F(n) mod m."""
    assert fibonacci_modulo(position, modulus) == TABLE[position] % modulus


def test_the_bound_on_digits_holds() -> None:
    """It is never too low, and at most one too high."""
    for position, value in enumerate(TABLE):
        assert 0 <= digits_max(position) - len(str(value)) <= 1
    assert 0 <= digits_max(1_000_000) - 208_988 <= 1
