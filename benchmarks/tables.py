"""The tables of the report, in Markdown. Every figure is a median of rounds; with a bracket, also least and largest."""

from collections.abc import Callable, Sequence
from statistics import median
from typing import Final

from benchmarks.figures import Measurement, Outcome, Results
from benchmarks.loads import CONNECTIONS, CURVES, MAIN, POSITIONS, Load, at_position, keep_alive
from benchmarks.peers.catalogue import ABOUT, FSYNC, TITLES
from benchmarks.placement import TWO_CORES
from benchmarks.spread import Spread, cpu_us, memory_mib, rate, received_mb_s, select, spread
from benchmarks.targets import Verdict
from benchmarks.units import duration, number

Column = tuple[str, Callable[[list[Measurement]], str]]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table whose first column is text and whose others are figures."""
    if not rows:
        return "Not measured in this run."
    lines = [f"| {' | '.join(head)} |", f"|---{'|--:' * (len(head) - 1)}|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def bracketed(measured: Spread | None, unit: str = "") -> str:
    """Return a median with the least and the largest."""
    if measured is None:
        return "-"
    middle = number(measured.middle) + unit
    if measured.low == measured.high:
        return middle
    return f"{middle} ({number(measured.low)} to {number(measured.high)})"


def verdicts(rows: Sequence[Verdict]) -> str:
    """Return what the service must show, and what it did."""
    body = []
    for each in rows:
        target = each.target
        bound = f"{target.relation} {target.bound:g}{target.unit}"
        word = f"**{each.word}**" if each.word.startswith("fail") else each.word
        body.append([target.what, bound, bracketed(each.measured, target.unit), word])
    return table(["", "target", "measured", ""], body)


def _median(figure: Callable[[Measurement], float]) -> Callable[[list[Measurement]], str]:
    return lambda measured: number(median(map(figure, measured)))


def _median_time(figure: Callable[[Measurement], float]) -> Callable[[list[Measurement]], str]:
    return lambda measured: duration(median(map(figure, measured)))


def _spread(figure: Callable[[Measurement], float]) -> Callable[[list[Measurement]], str]:
    return lambda measured: bracketed(Spread.of(map(figure, measured)))


def _per_answer_us(seconds: Callable[[Measurement], float]) -> Callable[[list[Measurement]], str]:
    return _median(lambda each: seconds(each) / each.outcome.answers * 1e6)


def _latency(figure: Callable[[Outcome], float | None]) -> Callable[[list[Measurement]], str]:
    """Return how to show a latency that a load generator may not tell."""

    def compute(measured: list[Measurement]) -> str:
        values = [value for each in measured if (value := figure(each.outcome)) is not None]
        return duration(median(values)) if values else "-"

    return compute


_P50: Final = _latency(lambda outcome: outcome.p50_us)
_P99: Final = _latency(lambda outcome: outcome.p99_us)
_P999: Final = _latency(lambda outcome: outcome.p999_us)


def _steps_per_commit(measured: list[Measurement]) -> str:
    values = [each.commits.steps / each.commits.groups for each in measured if each.commits and each.commits.groups]
    return number(median(values)) if values else "-"


def _commit_us(measured: list[Measurement]) -> str:
    values = [
        each.commits.seconds / each.commits.groups * 1e6 for each in measured if each.commits and each.commits.groups
    ]
    return duration(median(values)) if values else "-"


def _position(measured: list[Measurement]) -> str:
    values = [each.position for each in measured if each.position is not None]
    return f"{median(values):,.0f}" if values else "-"


def _wall_us(measurement: Measurement) -> float:
    return measurement.outcome.seconds / measurement.outcome.answers * 1e6


COLUMNS: Final[tuple[Column, ...]] = (
    ("requests/s", _spread(rate)),
    ("CPU µs", _spread(cpu_us)),
    ("user µs", _per_answer_us(lambda each: each.accounts.user_s)),
    ("system µs", _per_answer_us(lambda each: each.accounts.system_s)),
    ("p50", _P50),
    ("p99", _P99),
    ("p99.9", _P999),
    ("steps in a commit", _steps_per_commit),
    ("peak MiB", _median(memory_mib)),
    ("position", _position),
    ("errors", lambda measured: str(sum(each.outcome.errors for each in measured))),
)

FIRST_COLUMNS: Final[tuple[Column, ...]] = (
    ("a power cut takes", lambda measured: ABOUT[measured[0].peer].promise),
    ("steps a second", _spread(rate)),
    ("half the answers within", _P50),
    ("99 of 100 within", _P99),
    ("processor time for each", _median_time(cpu_us)),
    ("peak memory", lambda measured: f"{number(median(map(memory_mib, measured)))} MiB"),
)

TIME_COLUMNS: Final[tuple[Column, ...]] = (
    ("wall µs", _median(_wall_us)),
    ("CPU of the peer µs", _median(cpu_us)),
    ("rest of its core µs", _median(lambda each: max(0.0, each.core_us - each.cpu_us))),
    ("its core idle µs", _median(lambda each: max(0.0, _wall_us(each) - each.core_us))),
    ("load's core busy", lambda measured: f"{median(map(_load_share, measured)):.0%}"),
    ("steps in a commit", _steps_per_commit),
    ("a commit", _commit_us),
)


def _load_share(measurement: Measurement) -> float:
    return min(1.0, measurement.accounts.load_core_s / measurement.accounts.wall_s)


def first(results: Results, peers: Sequence[str]) -> str:
    """Return what one core gives, a row for each of these peers; empty if there are none."""
    return _peers(results, MAIN, peers, FIRST_COLUMNS, TWO_CORES)


def peers(results: Results, load: Load, columns: Sequence[Column] = COLUMNS, setup: str = TWO_CORES) -> str:
    """Return the figures of one load, a row for each peer; empty if there are none."""
    return _peers(results, load.name, tuple(TITLES), columns, setup)


def _peers(results: Results, load: str, peers: Sequence[str], columns: Sequence[Column], setup: str) -> str:
    rows = []
    for peer in peers:
        measured = select(results, load, peer, setup)
        if measured:
            rows.append([TITLES[peer], *(compute(measured) for _, compute in columns)])
    return table(["", *(name for name, _ in columns)], rows) if rows else ""


def connections(results: Results) -> str:
    """Return requests/s and latency against connections, a row for each peer."""
    rows = []
    for peer in CURVES:
        row = [TITLES[peer]]
        for count in CONNECTIONS:
            measured = select(results, keep_alive(count), peer)
            row.append(_throughput_and_latency(measured) if measured else "-")
        rows.append(row)
    return table(["requests/s, p50 / p99", *(f"{count}" for count in CONNECTIONS)], rows)


def _throughput_and_latency(measured: list[Measurement]) -> str:
    return f"{number(median(map(rate, measured)))}, {_P50(measured)} / {_P99(measured)}"


def positions(results: Results) -> str:
    """Return the curve against position."""
    rows = []
    for position in POSITIONS:
        measured = select(results, at_position(position), FSYNC)
        if measured:
            rate_spread = spread(results, at_position(position), FSYNC, rate)
            bytes_spread = spread(results, at_position(position), FSYNC, received_mb_s)
            rest = (_steps_per_commit(measured), _median(memory_mib)(measured))
            rows.append([f"{position:,}", bracketed(rate_spread), bracketed(bytes_spread), *rest])
    return table(["position", "requests/s", "MB/s of answers", "steps in a commit", "peak MiB"], rows)


def starts(results: Results, *, by_history: bool) -> str:
    """Return the times to the first answer, against history or against position."""
    rows = []
    for point, seconds in start_points(results, by_history=by_history):
        rows.append([f"{point:,}", bracketed(Spread.of(each * 1e3 for each in seconds))])
    return table(["groups in the history" if by_history else "position", "ms"], rows)


def start_points(results: Results, *, by_history: bool) -> list[tuple[int, list[float]]]:
    """Return the points of one curve of starts, with the seconds of each start."""
    found: dict[int, list[float]] = {}
    for each in results.starts:
        if each.is_with_history == by_history:
            found.setdefault(each.groups if by_history else each.position, []).append(each.seconds)
    return sorted(found.items())
