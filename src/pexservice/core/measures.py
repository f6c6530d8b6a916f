"""What is measured, by machine, store and engine alike, and shown by whoever is asked.

On the hot path a count is a plain integer (52 ns; `prometheus_client.Counter.inc` 338 ns), and most counting is done
once a group. `process/exposition.py` turns these values into Prometheus text when somebody asks.
"""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

SECONDS_BOUNDS: Final = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1, 2.5, 5, 10, 30),
)
"""For times at the disk: from a fast one's sync to one that hangs."""
COUNT_BOUNDS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)

_NAMES: Final = """
answers commit_seconds connections_accepted connections_evicted connections_max connections_open
connections_turned_away disk_free_bytes flush_seconds group_steps history_rows_waiting info keys keys_max
log_lines_dropped loop_late_seconds ready recovery_seconds refused ring_lines ring_lines_used segment_bytes
segment_bytes_max sequence steps steps_declined steps_replayed steps_waiting steps_waiting_max
store_away_seconds store_groups store_repeats store_standbys unready unsent_bytes unsent_bytes_max watchers
worker_connections workers_replaced
"""
OF_THE_FRAME: Final = frozenset(f"pex_{name}" for name in _NAMES.split())
"""Metrics that every service has, or has with one store or another, without the suffix of a counter."""
_SUFFIXES: Final = ("", "_total", "_created", "_bucket", "_count", "_sum")
"""What a metric may add to its name in the lines that show it."""


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


@dataclass(frozen=True, slots=True)
class Measure:
    """A number that may go up and down, or a histogram, with its name and one sentence.

    The name is `pex_`, then small letters and underscores; of a machine's, `status` shows what follows `pex_`.
    """

    name: str
    text: str
    value: float | Histogram

    @property
    def is_shown(self) -> bool:
        """Whether a scrape can show it: the sentence and the value are what they must be."""
        text: object = self.text
        is_sentence = isinstance(text, str) and text.isascii() and text.isprintable()
        return is_sentence and isinstance(self.value, (int, float, Histogram))


def clash(measures: Iterable[Measure]) -> tuple[str, str] | None:
    """Return the name of a machine's measure and the metric whose lines would have the same names, if there is one."""
    taken = {f"{name}{suffix}": name for name in OF_THE_FRAME for suffix in _SUFFIXES}
    for measure in measures:
        suffixes = _SUFFIXES if isinstance(measure.value, Histogram) else ("",)
        for line in [f"{measure.name}{suffix}" for suffix in suffixes]:
            if line in taken:
                return measure.name, taken[line]
            taken[line] = measure.name
    return None
