"""What the service counts, and what it is like when somebody looks.

The idea: on the hot path a count is a plain integer (52 ns; `prometheus_client.Counter.inc` 338 ns), and most counting
is done once a group. `exposition.py` turns the integers into Prometheus text when somebody asks.
"""

import time
from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass, field

from pexservice.core.store import Place
from pexservice.errors import AnswersUnsent, JournalFull, NotApplied, QueueFull, Recovering
from pexservice.walk.steps import NEXT, PREVIOUS, RESET, STEP_NAMES

_SYNC_BOUNDS_S = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_GROUP_BOUNDS_STEPS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
_REFUSALS = (QueueFull, AnswersUnsent, JournalFull, Recovering)
"""Shown from the start: Prometheus cannot tell the increase of a count that appears with its first event."""


class Histogram:
    """Counts of observations by upper bound, and their sum."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count one observation."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def cumulative(self) -> list[tuple[str, float]]:
        """Return (upper bound, observations up to it), as Prometheus wants them."""
        buckets, seen = [], 0
        for bound, count in zip((*map(str, self.bounds), "+Inf"), self.counts, strict=True):
            seen += count
            buckets.append((bound, float(seen)))
        return buckets


@dataclass(slots=True)
class Metrics:
    """Every count, updated in place by the part of the service that it belongs to."""

    steps: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STEP_NAMES.values(), 0))
    refused: dict[str, int] = field(default_factory=lambda: defaultdict(int, {error.code: 0 for error in _REFUSALS}))
    """Requests turned away with 503, by reason."""
    commit_seconds: Histogram = field(default_factory=lambda: Histogram(_SYNC_BOUNDS_S))
    """From handing a group to the store until the event loop learned that it was committed."""
    flush_seconds: Histogram = field(default_factory=lambda: Histogram(_SYNC_BOUNDS_S))
    """Of each sync for `--durability interval`, whose commits do not wait for one."""
    group_steps: Histogram = field(default_factory=lambda: Histogram(_GROUP_BOUNDS_STEPS))
    answers: list[int] = field(default_factory=lambda: [0] * 600)
    """Answers, by status code."""
    connections_accepted: int = 0
    connections_evicted: int = 0
    connections_turned_away: int = 0
    unsent_bytes: int = 0
    """Bytes of answers that clients have yet to take, over all connections that fell behind."""
    recovery_seconds: float = 0.0
    started_s: float = field(default_factory=time.time)
    """When the process started, to a fraction of a second, since 1970."""

    def count_group(self, steps: bytes, seconds: float) -> None:
        """Count a group that was committed."""
        self.commit_seconds.observe(seconds)
        self.group_steps.observe(len(steps))
        for step in (NEXT, PREVIOUS, RESET):
            self.steps[STEP_NAMES[step]] += steps.count(step)


@dataclass(frozen=True, slots=True)
class State:
    """What a service is like at one instant."""

    place: Place | None
    """None before the journal is read."""
    unready: NotApplied | None
    """Why no steps are taken, if so."""
    steps_waiting: int
    connections: int
    segment_bytes: int
    disk_free_bytes: int | None
    """None if the file system does not say."""
    late_s: float
    """As `Clock.late_s`."""
    sync_method: str
