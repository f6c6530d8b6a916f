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
    CONSTANT,
    CURRENT,
    HALF_RATE,
    MAIN,
    MINIMAL_HIGH,
    MINIMAL_LOW,
    at_position,
)
from benchmarks.peers.catalogue import FASTAPI, FLOOR, FSYNC, INTERVAL, ORIGINAL
from benchmarks.spread import Figure, Spread, cpu_us, memory_mib, rate, ratio, received_mb_s, select, spread

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


def _p99_in_syncs(results: Results) -> Spread | None:
    measured = select(results, HALF_RATE, FSYNC)
    return Spread.of(each.outcome.p99_us / each.sync_us for each in measured if each.outcome.p99_us)


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
    _ratio("`/next`, 64 connections: CPU per request against the C floor", _AT_MOST, 1.4, cpu_us, MAIN, FSYNC, FLOOR),
    _ratio("the same on `/previous` at 0: answers of constant size", _AT_MOST, 1.4, cpu_us, CONSTANT, FSYNC, FLOOR),
    _ratio("`/next`, 64 connections: CPU per request against Go", _AT_MOST, 0.6, cpu_us, MAIN, FSYNC, ORIGINAL),
    _ratio("`/next`, 64 connections: requests/s against Go", _AT_LEAST, 1.4, rate, MAIN, FSYNC, ORIGINAL),
    _ratio("`ab -l -c 10`: requests/s against Go", _AT_LEAST, 1.0, rate, AB_10, FSYNC, ORIGINAL),
    _ratio("the same with `--durability interval`", _AT_LEAST, 1.0, rate, AB_10, INTERVAL, ORIGINAL),
    _ratio("`ab -l -c 64`: requests/s against Go", _AT_LEAST, 1.0, rate, AB_64, FSYNC, ORIGINAL),
    _ratio("`ab -l -c 10`: CPU per request against Go", _AT_MOST, 1.0, cpu_us, AB_10, FSYNC, ORIGINAL),
    _ratio("`ab -l -c 64`: CPU per request against Go", _AT_MOST, 1.0, cpu_us, AB_64, FSYNC, ORIGINAL),
    _ratio("`/next`, 64 connections: requests/s against FastAPI", _AT_LEAST, 15, rate, MAIN, FSYNC, FASTAPI),
    _ratio("`/current`: CPU per request against the C floor", _AT_MOST, 1.25, cpu_us, CURRENT, FSYNC, FLOOR),
    Target("p99 at half the peak rate, in median syncs", _AT_MOST, 5, _TIMES, [(HALF_RATE, FSYNC)], _p99_in_syncs),
    Target(
        "`return=minimal`: requests/s at position 1,000,000 against 10",
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
        "start to first answer, slowest point up to position 1,000,000",
        _AT_MOST,
        250,
        " ms",
        [_STARTS],
        _slowest_start_ms,
    ),
    Target(
        "peak memory, 256 connections, position below 1,000",
        _AT_MOST,
        64,
        " MiB",
        [_MEMORY],
        lambda results: spread(results, *_MEMORY, memory_mib),
    ),
)
