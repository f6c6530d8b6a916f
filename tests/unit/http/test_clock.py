"""The time as of the last sweep."""

import time
from dataclasses import replace
from email.utils import formatdate, parsedate_to_datetime

import pytest
from hypothesis import given
from hypothesis.strategies import integers

from pexservice.http.clock import Clock, http_date
from pexservice.limits import DEFAULT


def test_time_in_which_nothing_ran_is_nobody_s_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep that comes late counts for so much at most, and what it was late is added up."""
    monotonic_s = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: monotonic_s)
    clock = Clock(replace(DEFAULT, sweep_period_s=1.0, tick_s_max=2.0))
    for passed_s, now_s, late_s in [(1.0, 1.0, 0.0), (0.5, 1.5, 0.0), (1.5, 3.0, 0.5), (3600.0, 5.0, 3599.5)]:
        monotonic_s += passed_s
        clock.tick()
        assert (clock.now_s, clock.late_s) == (now_s, late_s)


def test_the_date_is_that_of_answers() -> None:
    """As RFC 9110, 5.6.7 wants it: in GMT."""
    date = Clock().date
    assert date.endswith(" GMT")
    assert abs(parsedate_to_datetime(date).timestamp() - time.time()) < 3600


@given(integers(0, 253_402_300_799))
def test_a_date_is_written_as_http_wants_it(since_epoch_s: int) -> None:
    """Any second until the year 9999, as another writer of such dates has it."""
    assert http_date(since_epoch_s) == formatdate(since_epoch_s, usegmt=True)
