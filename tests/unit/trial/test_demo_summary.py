"""What a demonstration says in its end."""

from dataclasses import replace

import pytest

from pexservice.trial.demo import summary
from pexservice.trial.screen import Paper
from pexservice.trial.verdict import Verdict

PAPER = Paper(80, 24)
KEPT = Verdict(answered=100, lost=0, twice=0, unknown=0, unknown_taken=0, turned_away=0, violation="")


@pytest.mark.parametrize("broken", [{"twice": 3}, {"lost": 1}, {"violation": "two steps at one sequence"}])
def test_that_each_step_was_taken_once_is_said_only_if_it_was(broken: dict[str, int | str]) -> None:
    """Whatever else was found."""
    once = "Cut off, and sent again with the same key: 7 requests, each step taken once."
    assert once in summary(KEPT, 0, 0.0, 7, PAPER)
    found = summary(replace(KEPT, **broken), 0, 0.0, 7, PAPER)  # type: ignore[arg-type]
    assert "Cut off, and sent again with the same key: 7 requests." in found
    assert once not in found
