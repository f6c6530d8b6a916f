"""How much is measured: enough for figures to quote, or enough to see that everything works."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Effort:
    """How long a run takes, and how sure it makes."""

    name: str
    rounds: int
    """How often each load runs on each peer."""
    seconds: int
    """Of each load of `wrk` and `paced`."""
    ab_requests: int
    history_groups: Sequence[int]
    start_positions: Sequence[int]
    starts: int
    """Starts of the service at each point of the curves."""


FULL = Effort(
    name="full",
    rounds=3,
    seconds=2,
    ab_requests=10_000,
    history_groups=(0, 1_000, 10_000, 100_000, 1_000_000, 10_000_000),
    start_positions=(0, 10, 1_000, 100_000, 1_000_000, 10_000_000),
    starts=5,
)
QUICK = Effort(
    name="quick",
    rounds=1,
    seconds=1,
    ab_requests=2_000,
    history_groups=(0, 1_000, 100_000),
    start_positions=(0, 1_000, 1_000_000),
    starts=2,
)
