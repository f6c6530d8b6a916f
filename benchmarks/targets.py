"""What the service must show, row by row, and whether it did.

A row is a figure and a bound. It passes only if the median is within the bound and every measurement behind it was
sound: no error, and the sequence advanced by the answers.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from benchmarks import starts
from benchmarks.figures import Results
from benchmarks.loads import (
    AB_10,
    AB_64,
    BUSY,
    FEW,
    HALF_RATE,
    MAIN,
    MINIMAL_HIGH,
    MINIMAL_LOW,
    SINGLE,
    at_position,
)
from benchmarks.peers.catalogue import BEFORE, DURABLE_GO, FSYNC, INTERVAL, ORIGINAL, REDIS
from benchmarks.spread import Figure, Spread, all_cores_us, memory_mib, rate, ratio, received_mb_s, select, spread

_FAR: Final = 1_000_000
_AT_MOST: Final = "≤"
_AT_LEAST: Final = "≥"
_TIMES: Final = "\u00d7"

Sources = list[tuple[str, str]]
"""The (load, peer) pairs that a figure rests on."""


@dataclass(frozen=True, slots=True)
class Target:
    """One row: what, how much at most or at least, and how to compute it."""

    what: str
    relation: str
    bound: float
    unit: str
    sources: Sources
    compute: Callable[[Results], Spread | None]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a target."""

    target: Target
    measured: Spread | None
    is_sound: bool

    @property
    def word(self) -> str:
        """`pass`, `fail`, or why neither."""
        if self.measured is None:
            return "not measured"
        bound = self.target.bound
        is_met = self.measured.middle <= bound if self.target.relation == _AT_MOST else self.measured.middle >= bound
        if not self.is_sound:
            return "fail: errors"
        return "pass" if is_met else "fail"


def judge(results: Results) -> list[Verdict]:
    """Return all rows."""
    return [Verdict(target, target.compute(results), _is_sound(results, target.sources)) for target in TARGETS]


def _is_sound(results: Results, sources: Sources) -> bool:
    failed = {(each.load, each.peer) for each in results.failures}
    return all(pair not in failed and all(each.is_sound for each in select(results, *pair)) for pair in sources)


def _ratio(  # noqa: PLR0913, PLR0917 - a row of the table has as many columns.
    what: str, relation: str, bound: float, figure: Figure, load: str, peer: str, against: str
) -> Target:
    over, under = (load, peer), (load, against)
    return Target(what, relation, bound, _TIMES, [over, under], lambda results: ratio(results, figure, over, under))


def _p50_in_writes(results: Results) -> Spread | None:
    measured = select(results, SINGLE, FSYNC)
    return Spread.of(each.outcome.p50_us / each.device.p50_us for each in measured if each.outcome.p50_us)


def _p99_in_writes(results: Results) -> Spread | None:
    measured = select(results, HALF_RATE, FSYNC)
    return Spread.of(each.outcome.p99_us / each.device.p99_us for each in measured if each.outcome.p99_us)


def _slowest_start_ms(results: Results) -> Spread | None:
    """Return the point of the curves with the largest median."""
    points = {(each.groups, each.position) for each in results.starts if each.position <= _FAR}
    spreads = (
        Spread.of(each.seconds * 1e3 for each in results.starts if (each.groups, each.position) == point)
        for point in points
    )
    return max((each for each in spreads if each), key=lambda each: each.middle, default=None)


_LOW: Final = (MINIMAL_LOW, FSYNC)
_HIGH: Final = (MINIMAL_HIGH, FSYNC)
_DIGITS: Final = (at_position(_FAR), FSYNC)
_MEMORY: Final = (BUSY, FSYNC)
_STARTS: Final = (starts.NAME, FSYNC)

TARGETS: Final = (
    _ratio("64 clients kept alive: requests/s against the Go original", _AT_LEAST, 1.25, rate, MAIN, FSYNC, ORIGINAL),
    _ratio("256 clients kept alive: the same", _AT_LEAST, 1.4, rate, BUSY, FSYNC, ORIGINAL),
    _ratio("10 clients kept alive: the same", _AT_LEAST, 0.55, rate, FEW, FSYNC, ORIGINAL),
    _ratio("10 clients kept alive: against pexservice before the ring", _AT_LEAST, 2, rate, FEW, FSYNC, BEFORE),
    _ratio("`ab -l -c 10`: against the Go original", _AT_LEAST, 0.75, rate, AB_10, FSYNC, ORIGINAL),
    _ratio("`ab -l -c 10`: against `--durability interval`", _AT_LEAST, 0.95, rate, AB_10, FSYNC, INTERVAL),
    _ratio("`ab -l -c 64`: against the Go original", _AT_LEAST, 1.0, rate, AB_64, FSYNC, ORIGINAL),
    _ratio("64 clients kept alive: against Go with fsync in each step", _AT_LEAST, 8, rate, MAIN, FSYNC, DURABLE_GO),
    _ratio("64 clients kept alive: against FastAPI + Redis", _AT_LEAST, 18, rate, MAIN, FSYNC, REDIS),
    _ratio(
        "64 clients kept alive: processor time of all cores per step, against pexservice before the ring",
        _AT_MOST,
        0.85,
        all_cores_us,
        MAIN,
        FSYNC,
        BEFORE,
    ),
    Target(
        "1 client: p50 against the device's own write and flush",
        _AT_MOST,
        2,
        _TIMES,
        [(SINGLE, FSYNC)],
        _p50_in_writes,
    ),
    Target(
        "half the peak rate: p99 against the p99 of the device's own write and flush",
        _AT_MOST,
        5,
        _TIMES,
        [(HALF_RATE, FSYNC)],
        _p99_in_writes,
    ),
    Target(
        "`Prefer: return=minimal`: requests/s at position 1,000,000 against 10",
        _AT_LEAST,
        0.9,
        _TIMES,
        [_HIGH, _LOW],
        lambda results: ratio(results, rate, _HIGH, _LOW),
    ),
    Target(
        "answers at position 1,000,000",
        _AT_LEAST,
        350,
        " MB/s",
        [_DIGITS],
        lambda results: spread(results, *_DIGITS, received_mb_s),
    ),
    Target(
        "start to first answer, the slowest up to position 1,000,000, any history",
        _AT_MOST,
        250,
        " ms",
        [_STARTS],
        _slowest_start_ms,
    ),
    Target(
        "256 clients kept alive: peak memory",
        _AT_MOST,
        64,
        " MiB",
        [_MEMORY],
        lambda results: spread(results, *_MEMORY, memory_mib),
    ),
)
