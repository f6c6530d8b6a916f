"""From the figures of many rounds to one with its spread.

A ratio is taken between two measurements of the same round, and only then the median over the rounds.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median
from typing import Self

from benchmarks.figures import Measurement, Results
from benchmarks.placement import TWO_CORES

Figure = Callable[[Measurement], float]


@dataclass(frozen=True, slots=True)
class Spread:
    """The median over the rounds, the least and the largest."""

    middle: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Self | None:
        """Return the spread of some values, None if there are none."""
        found = list(values)
        return cls(median(found), min(found), max(found)) if found else None


def select(results: Results, load: str, peer: str, setup: str = TWO_CORES) -> list[Measurement]:
    """Return the measurements of a load on a peer, one for each round that gave one."""
    return [each for each in results.measurements if (each.setup, each.load, each.peer) == (setup, load, peer)]


def spread(results: Results, load: str, peer: str, figure: Figure, setup: str = TWO_CORES) -> Spread | None:
    """Return a figure of a load on a peer, None if it was not measured."""
    return Spread.of(figure(each) for each in select(results, load, peer, setup))


def ratio(results: Results, figure: Figure, over: tuple[str, str], under: tuple[str, str]) -> Spread | None:
    """Return a figure of one (load, peer) divided by that of another, round by round."""
    divisors = {each.round: figure(each) for each in select(results, *under)}
    return Spread.of(figure(each) / divisors[each.round] for each in select(results, *over) if divisors.get(each.round))


def rate(measurement: Measurement) -> float:
    """Answers per second."""
    return measurement.rate


def cpu_us(measurement: Measurement) -> float:
    """Processor time of the peer per answer."""
    return measurement.cpu_us


def all_cores_us(measurement: Measurement) -> float:
    """Processor time of all cores per answer, without the load generator's."""
    return measurement.all_cores_us


def memory_mib(measurement: Measurement) -> float:
    """Peak memory of the peer."""
    return measurement.accounts.memory_peak_bytes / (1 << 20)


def received_mb_s(measurement: Measurement) -> float:
    """Millions of bytes of answers per second."""
    return measurement.outcome.received_bytes / measurement.outcome.seconds / 1e6
