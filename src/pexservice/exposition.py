"""The counts as Prometheus text, made when somebody asks."""

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from pexservice import __version__
from pexservice.fibonacci import digits_max
from pexservice.metrics import Histogram, Metrics
from pexservice.store import Place


class Exposition(Collector):
    """Shows the counts and the state of one service."""

    def __init__(  # noqa: PLR0913 - one for each part of the service that it shows.
        self,
        metrics: Metrics,
        *,
        place: Callable[[], Place],
        waiting: Callable[[], int],
        connections: Callable[[], int],
        is_ready: Callable[[], bool],
        segment_bytes: Callable[[], int],
        durability: str,
        sync_method: str,
    ) -> None:
        self._metrics = metrics
        self._place = place
        self._gauges: dict[str, tuple[str, Callable[[], float]]] = {
            "pex_steps_waiting": ("Steps submitted and not yet durable.", waiting),
            "pex_connections_open": ("Open connections.", connections),
            "pex_unsent_bytes": ("Bytes of answers that clients have yet to take.", lambda: metrics.unsent_bytes),
            "pex_ready": ("1 if steps are taken, else 0.", is_ready),
            "pex_segment_bytes": ("Size of the segment being written.", segment_bytes),
            "pex_recovery_seconds": ("How long the last recovery took.", lambda: metrics.recovery_seconds),
        }
        self._info = {"version": __version__, "durability": durability, "sync_method": sync_method}
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def text(self) -> str:
        """Return the exposition."""
        return generate_latest(self._registry).decode("ascii")

    def collect(self) -> Iterator[Metric]:
        """As `Collector`."""
        metrics = self._metrics
        place = self._place()
        yield _counter("pex_steps", "Steps committed since the start, by kind.", "step", metrics.steps)
        yield _counter("pex_refused", "Requests turned away with 503, by reason.", "reason", metrics.refused)
        answers = {str(status): count for status, count in enumerate(metrics.answers) if count}
        yield _counter("pex_answers", "Answers, by status.", "status", answers)
        yield _counter(
            "pex_connections_total",
            "Connections, by what became of them at first.",
            "outcome",
            {
                "accepted": metrics.connections_accepted,
                "evicted": metrics.connections_evicted,
                "refused": metrics.connections_refused,
            },
        )
        yield GaugeMetricFamily("pex_position", "Where the walk stands.", place.position)
        yield CounterMetricFamily("pex_sequence", "Steps ever committed.", place.sequence)
        yield GaugeMetricFamily("pex_digits", "Digits of the value, at most one too high.", digits_max(place.position))
        for name, (text, value) in self._gauges.items():
            yield GaugeMetricFamily(name, text, value())
        yield _histogram("pex_commit_seconds", "From cutting a group until it was durable.", metrics.commit_seconds)
        yield _histogram("pex_group_steps", "Steps in a group.", metrics.group_steps)
        info = GaugeMetricFamily("pex_info", "Always 1; what is running.", labels=list(self._info))
        info.add_metric(list(self._info.values()), 1)
        yield info


def _counter(name: str, text: str, label: str, counts: dict[str, int]) -> CounterMetricFamily:
    family = CounterMetricFamily(name, text, labels=[label])
    for value, count in sorted(counts.items()):
        family.add_metric([value], count)
    return family


def _histogram(name: str, text: str, histogram: Histogram) -> HistogramMetricFamily:
    return HistogramMetricFamily(name, text, buckets=histogram.cumulative(), sum_value=histogram.total)
