"""What the service counts: plain integers, each updated by the part of the service that it belongs to."""

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from pexservice.core.measures import COUNT_BOUNDS, SECONDS_BOUNDS, Histogram
from pexservice.errors import NotApplied

STATUSES_MAX: Final = 600
"""Status codes are below it."""

CONNECTIONS: Final = ("accepted", "evicted", "turned_away")
"""Of connections: those accepted; of these, idle ones closed to make room, and those closed at once without room."""


@dataclass(slots=True)
class Metrics:
    """Every count of one service."""

    taken: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """Commands that were taken, by kind."""
    declined: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """Commands that the machine or the core refused, by the code of the refusal."""
    replayed: int = 0
    """Commands with a key that had been taken before, and were answered again."""
    turned_away: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """Requests turned away with 503, by reason."""
    commit_seconds: Histogram = field(default_factory=lambda: Histogram(SECONDS_BOUNDS))
    """From handing a group to the store until the event loop learned that it was durable."""
    group_commands: Histogram = field(default_factory=lambda: Histogram(COUNT_BOUNDS))
    answers: list[int] = field(default_factory=lambda: [0] * STATUSES_MAX)
    """Answers, by status code."""
    connections: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CONNECTIONS, 0))
    """Connections by what became of them, as in `CONNECTIONS`."""
    watchers: int = 0
    """How many are told of each state, just now."""
    recovery_seconds: float = 0.0
    started_s: float = field(default_factory=time.time)
    """When the process started, to a fraction of a second, since 1970."""

    def show_from_the_start(
        self, kinds: Iterable[str], refusals: Iterable[str], reasons: Iterable[type[NotApplied]]
    ) -> None:
        """Begin these counts at 0: Prometheus cannot tell the increase of one that appears with its first event."""
        self.taken |= dict.fromkeys(kinds, 0)
        self.declined |= dict.fromkeys(refusals, 0)
        self.turned_away |= {error.code: 0 for error in reasons}
        self.connections |= dict.fromkeys(CONNECTIONS, 0)

    def count_group(self, tally: Mapping[str, int], size: int, seconds: float) -> None:
        """Count a group that became durable."""
        self.commit_seconds.observe(seconds)
        self.group_commands.observe(size)
        for kind, count in tally.items():
            self.taken[kind] += count
