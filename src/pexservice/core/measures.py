"""What is measured, by machine, store and engine alike, and shown by whoever is asked.

On the hot path a count is a plain integer (52 ns; `prometheus_client.Counter.inc` 338 ns), and most counting is done
once a group. `process/exposition.py` turns these values into Prometheus text when somebody asks.
"""

from bisect import bisect_left
from dataclasses import dataclass
from typing import Final

SECONDS_BOUNDS: Final = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1, 2.5, 5, 10, 30),
)
"""For times at the disk: from a fast one's sync to one that hangs."""
COUNT_BOUNDS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)


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
