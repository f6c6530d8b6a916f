"""The counts and the state as Prometheus text, made when somebody asks.

A scrape must work when nothing else does, since that is when it matters, and cost the same however much there is. It
tells what is known: before the journal is read, nothing about it; without a descriptor to spare, not the memory.
`docs/watching.md` explains every name.
"""

import platform
import resource
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from pexservice.core.judging import Place
from pexservice.core.measures import Histogram, Measure
from pexservice.core.metrics import Metrics
from pexservice.core.store import Status
from pexservice.errors import NotApplied
from pexservice.limits import Limits
from pexservice.process.usage import Usage

_STATUSES: Final = frozenset(
    {200, 204, 303, 304, 400, 401, 403, 404, 405, 408, 409, 412, 413, 414, 417, 422, 431, 501, 503, 505}
)
"""Shown from the start: Prometheus cannot tell the increase of a count that appears with its first event."""
_CONNECTIONS: Final = {
    "accepted": "Connections accepted.",
    "evicted": "Idle connections closed to make room for another.",
    "turned_away": "Connections closed at once, since none was idle.",
}


@dataclass(frozen=True, slots=True)
class State:
    """What a service is like at one instant."""

    place: Place[Any] | None
    """None before it is known where the machine stands."""
    machine: Sequence[Measure]
    store: Status | None
    """None before the store is open."""
    unready: NotApplied | None
    """Why no commands are taken, if so."""
    waiting: int
    connections: int
    unsent_bytes: int
    late_s: float
    """As `Clock.late_s`."""
    limits: Limits
    metrics: Metrics
    usage: Usage
    workers: Mapping[int, int] = field(default_factory=dict)
    """Connections of each worker process that there is, by its number; empty if there is but one process."""
    workers_replaced: int = 0
    """How many workers took the place of one that ended."""


class Exposition(Collector):
    """Shows the counts and the state of one service."""

    def __init__(self, version: str, look: Callable[[], State], reasons: Sequence[type[NotApplied]]) -> None:
        """`look` gives the state at the time of a scrape; `reasons` are all that `State.unready` may have."""
        self._version = version
        self._look = look
        self._reasons = reasons
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def text(self) -> str:
        """Return the exposition."""
        return generate_latest(self._registry).decode("ascii")

    def collect(self) -> Iterator[Metric]:
        """As `Collector`."""
        state = self._look()
        yield self._info(state)
        yield from self._commands(state)
        yield from self._clients(state)
        yield from map(_measure, state.store.measures if state.store is not None else ())
        yield from self._process(state)

    def _info(self, state: State) -> Metric:
        labels = {"version": self._version, "python": platform.python_version()}
        if state.store is not None:
            labels |= state.store.labels
        info = GaugeMetricFamily("pex_info", "Always 1; what is running.", labels=list(labels))
        info.add_metric(list(labels.values()), 1)
        return info

    def _commands(self, state: State) -> Iterator[Metric]:
        metrics = state.metrics
        yield from map(_measure, state.machine)
        if state.place is not None:
            yield CounterMetricFamily("pex_sequence", "Commands ever taken.", state.place.sequence)
            text = "How long this start took to find where it stands."
            yield GaugeMetricFamily("pex_recovery_seconds", text, metrics.recovery_seconds)
        yield GaugeMetricFamily("pex_ready", "1 if commands are taken, else 0.", state.unready is None)
        unready = GaugeMetricFamily("pex_unready", "1 if commands are turned away for this reason.", labels=["reason"])
        for each in self._reasons:
            unready.add_metric([each.code], isinstance(state.unready, each))
        yield unready
        yield _counter("pex_steps", "Commands taken since the start, by kind.", "step", metrics.taken)
        text = "Commands that were refused at their turn, by reason."
        yield _counter("pex_steps_declined", text, "reason", metrics.declined)
        replayed = "Commands with a key that had been taken before, and were answered again."
        yield CounterMetricFamily("pex_steps_replayed", replayed, metrics.replayed)
        yield GaugeMetricFamily("pex_steps_waiting", "Commands submitted and not yet durable.", state.waiting)
        yield GaugeMetricFamily(
            "pex_steps_waiting_max", "Beyond it commands are turned away.", state.limits.pending_max
        )
        yield _histogram("pex_group_steps", "Commands in a group.", metrics.group_commands)
        yield _histogram(
            "pex_commit_seconds", "From handing a group to the store until it was durable.", metrics.commit_seconds
        )

    def _clients(self, state: State) -> Iterator[Metric]:
        metrics = state.metrics
        yield _counter("pex_refused", "Requests turned away with 503, by reason.", "reason", metrics.turned_away)
        answers = {str(status): count for status, count in enumerate(metrics.answers) if count or status in _STATUSES}
        yield _counter("pex_answers", "Answers, by status.", "status", answers)
        for name, text in _CONNECTIONS.items():
            yield CounterMetricFamily(f"pex_connections_{name}", text, metrics.connections[name])
        yield GaugeMetricFamily("pex_connections_open", "Open connections.", state.connections)
        if state.workers:
            text = "Open connections of each worker process."
            workers = GaugeMetricFamily("pex_worker_connections", text, labels=["worker"])
            for number, connections in state.workers.items():
                workers.add_metric([str(number)], connections)
            yield workers
            text = "Workers that took the place of one that ended."
            yield CounterMetricFamily("pex_workers_replaced", text, state.workers_replaced)
        yield GaugeMetricFamily("pex_connections_max", "How many may be open.", state.limits.connections_max)
        yield GaugeMetricFamily("pex_watchers", "Clients that are told of each state, by /events.", metrics.watchers)
        unsent = "Bytes of answers that clients have yet to read."
        yield GaugeMetricFamily("pex_unsent_bytes", unsent, state.unsent_bytes)
        yield GaugeMetricFamily(
            "pex_unsent_bytes_max", "Beyond it requests are turned away.", state.limits.unsent_bytes_max
        )

    def _process(self, state: State) -> Iterator[Metric]:
        """Tell of the process, or of all of them, by the names that all exporters use."""
        usage = state.usage
        started_s = state.metrics.started_s
        yield GaugeMetricFamily(
            "process_start_time_seconds", "When the process started, since 1970.", max(0.0, started_s)
        )
        yield CounterMetricFamily("process_cpu_seconds", "Processor time used.", usage.cpu_s)
        if usage.resident_bytes:
            yield GaugeMetricFamily("process_resident_memory_bytes", "Resident memory.", usage.resident_bytes)
        if usage.descriptors:
            yield GaugeMetricFamily("process_open_fds", "Open descriptors.", usage.descriptors)
        descriptors_max, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        yield GaugeMetricFamily("process_max_fds", "How many descriptors may be open.", descriptors_max)
        yield CounterMetricFamily("pex_log_lines_dropped", "Log lines that nobody took.", usage.lines_dropped)
        yield CounterMetricFamily("pex_loop_late_seconds", "By how much the event loop was late, in all.", state.late_s)


def _measure(measure: Measure) -> Metric:
    if isinstance(measure.value, Histogram):
        return _histogram(measure.name, measure.text, measure.value)
    return GaugeMetricFamily(measure.name, measure.text, measure.value)


def _counter(name: str, text: str, label: str, counts: dict[str, int]) -> CounterMetricFamily:
    family = CounterMetricFamily(name, text, labels=[label])
    for value, count in sorted(counts.items()):
        family.add_metric([value], count)
    return family


def _histogram(name: str, text: str, histogram: Histogram) -> HistogramMetricFamily:
    return HistogramMetricFamily(name, text, buckets=histogram.cumulative(), sum_value=histogram.total)
