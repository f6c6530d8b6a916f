"""Each row of the targets is the figure that it names, and passes only if all behind it is sound."""

from typing import Final

import pytest

from benchmarks import starts
from benchmarks.figures import Failure, Results, Start
from benchmarks.loads import AB_10, AB_64, BUSY, FEW, HALF_RATE, LOADS, MAIN, SINGLE
from benchmarks.peers.catalogue import BEFORE, DURABLE_GO, FSYNC, INTERVAL, ORIGINAL, REDIS
from benchmarks.placement import TWO_CORES
from benchmarks.targets import TARGETS, Verdict, judge
from support.benchmark_results import measurement, results

RATIOS: Final = [
    ("64 clients kept alive: requests/s against the Go original", MAIN, ORIGINAL),
    ("256 clients kept alive: the same", BUSY, ORIGINAL),
    ("10 clients kept alive: the same", FEW, ORIGINAL),
    ("10 clients kept alive: against pexservice before", FEW, BEFORE),
    ("`ab -l -c 10`: against the Go", AB_10, ORIGINAL),
    ("`ab -l -c 10`: against `--durability interval`", AB_10, INTERVAL),
    ("`ab -l -c 64`", AB_64, ORIGINAL),
    ("64 clients kept alive: against Go with fsync", MAIN, DURABLE_GO),
    ("64 clients kept alive: against FastAPI", MAIN, REDIS),
]


def verdict(measured: Results, what: str) -> Verdict:
    (found,) = [each for each in judge(measured) if each.target.what.startswith(what)]
    return found


@pytest.mark.parametrize(("what", "load", "against"), RATIOS)
def test_a_ratio_of_rates_is_of_one_round(what: str, load: str, against: str) -> None:
    """It is taken within each round, and of the rounds the median counts."""
    rounds = [(3_000, 1_000), (9_000, 1_000), (8_000, 2_000)]
    measured = results(
        *(measurement(load, FSYNC, answers=ours, number=number) for number, (ours, _) in enumerate(rounds)),
        *(measurement(load, against, answers=theirs, number=number) for number, (_, theirs) in enumerate(rounds)),
    )
    found = verdict(measured, what).measured
    assert found is not None
    assert (found.middle, found.low, found.high) == (4.0, 3.0, 9.0)


def test_the_time_of_all_cores_leaves_the_load_out() -> None:
    """It is what any core did but for the generator, per answer."""
    measured = results(
        measurement(MAIN, FSYNC, answers=2_000, cores_s=1.3, load_s=0.5),
        measurement(MAIN, BEFORE, answers=1_000, cores_s=1.1, load_s=0.3),
    )
    found = verdict(measured, "64 clients kept alive: processor time")
    assert found.measured is not None
    assert found.measured.middle == pytest.approx(0.5)
    assert found.word == "pass"


@pytest.mark.parametrize(("what", "load", "expected"), [("1 client", SINGLE, 1.5), ("half the peak", HALF_RATE, 3.0)])
def test_latencies_are_compared_with_the_device(what: str, load: str, expected: float) -> None:
    """The median with its median, the 99th percentile with its 99th."""
    found = verdict(results(measurement(load, FSYNC)), what)
    assert found.measured is not None
    assert found.measured.middle == pytest.approx(expected)
    assert found.word == "pass"


def test_the_slowest_point_of_the_starts_counts() -> None:
    """By its median, and none beyond the position that the target has."""
    measured = results(
        starts=[Start(is_with_history=True, groups=1_000, position=1_000_000, seconds=each) for each in (0.1, 0.2, 0.9)]
        + [Start(is_with_history=False, groups=0, position=0, seconds=each) for each in (0.1, 0.15, 2.0)]
        + [Start(is_with_history=False, groups=0, position=10_000_000, seconds=9.0)]
    )
    found = verdict(measured, "start to first answer")
    assert found.measured is not None
    assert found.measured.middle == pytest.approx(200)


def test_memory_is_in_mib() -> None:
    """At most 64."""
    assert verdict(results(measurement(BUSY, FSYNC)), "256 clients kept alive: peak memory").word == "pass"
    found = verdict(results(measurement(BUSY, FSYNC, memory_bytes=65 << 20)), "256 clients kept alive: peak memory")
    assert found.word == "fail"


def test_what_was_not_measured_is_neither_passed_nor_failed() -> None:
    """It says so."""
    assert {each.word for each in judge(results())} == {"not measured"}


@pytest.mark.parametrize("wrong", [{"errors": 1}, {"fault": "7 answers, but the sequence advanced by 6"}])
def test_a_target_is_failed_by_errors(wrong: dict[str, int | str]) -> None:
    """However good the figure is, and whoever had them, in whatever round."""
    measured = results(
        measurement(MAIN, FSYNC, answers=9_000),
        measurement(MAIN, DURABLE_GO, answers=1_000),
        measurement(MAIN, DURABLE_GO, answers=1_000, number=1, **wrong),  # type: ignore[arg-type]
    )
    assert verdict(measured, "64 clients kept alive: against Go with fsync").word == "fail: errors"


def test_a_target_is_failed_by_a_load_that_gave_nothing() -> None:
    """The median of the other rounds does not hide it."""
    measured = results(measurement(HALF_RATE, FSYNC))
    measured.failures.append(Failure(TWO_CORES, HALF_RATE, FSYNC, 1, "it ended"))
    assert verdict(measured, "half the peak").word == "fail: errors"


def test_each_target_rests_on_loads_that_its_peers_get() -> None:
    """Else it would never be measured; a quick run measures each."""
    getting = {(load.name, peer) for load in LOADS for peer in load.peers if load.is_quick} | {(starts.NAME, FSYNC)}
    assert {pair for target in TARGETS for pair in target.sources} <= getting
