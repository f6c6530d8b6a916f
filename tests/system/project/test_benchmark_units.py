"""Figures as people say them."""

import pytest

from benchmarks.units import as_many, duration, number, short, short_duration


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.03594, "0.0359"),
        (1, "1.00"),
        (9.996, "10.0"),
        (99.96, "100"),
        (250.4, "250"),
        (71_668.2, "71,668"),
    ],
)
def test_a_figure_has_three_digits_that_count(value: float, text: str) -> None:
    """Or all of a large one."""
    assert number(value) == text


@pytest.mark.parametrize(
    ("us", "text"),
    [
        (0, "0"),
        (0.25, "0.250 µs"),
        (250, "250 µs"),
        (999.7, "1.00 ms"),
        (1_234, "1.23 ms"),
        (57_272, "57.3 ms"),
        (1e6, "1.00 s"),
    ],
)
def test_a_duration_has_the_unit_that_one_would_say(us: float, text: str) -> None:
    """Never a thousand of one."""
    assert duration(us) == text


@pytest.mark.parametrize(
    ("ratio", "text"),
    [(1.01, "as many"), (0.98, "0.98 times as many"), (1.1, "1.1 times as many"), (19.4, "19 times as many")],
)
def test_a_ratio_is_said_in_words(ratio: float, text: str) -> None:
    """Nobody is once as fast as somebody."""
    assert as_many(ratio) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (1_000, "1,000"), (1_000_000, "1M"), (10_000_000, "10M"), (0.5, "0.5")]
)
def test_a_tick_has_no_digit_that_says_nothing(value: float, text: str) -> None:
    """It is round."""
    assert short(value) == text


@pytest.mark.parametrize(("us", "text"), [(0, "0"), (50, "50 µs"), (1_000, "1 ms"), (250_000, "250 ms"), (1e6, "1 s")])
def test_a_tick_of_a_duration_has_the_unit_that_one_would_say(us: float, text: str) -> None:
    """Never 1M µs."""
    assert short_duration(us) == text
