"""Histograms, as Prometheus wants them."""

from hypothesis import given
from hypothesis import strategies as st

from pexservice.core.measures import Histogram


@given(st.lists(st.integers(-3, 12)))
def test_a_bucket_counts_what_is_not_above_its_bound(values: list[int]) -> None:
    """Each holds all observations up to its bound, that included, and the last holds all."""
    histogram = Histogram((1, 4, 9))
    for value in values:
        histogram.observe(value)
    expected = [(bound, float(sum(value <= int(bound) for value in values))) for bound in ("1", "4", "9")]
    assert histogram.cumulative() == [*expected, ("+Inf", float(len(values)))]
    assert histogram.total == sum(values)
