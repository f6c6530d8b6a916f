"""What the service counts."""

from pexservice.core.metrics import Metrics
from pexservice.errors import Draining, QueueFull


def test_counts_that_may_come_are_there_from_the_start() -> None:
    """Prometheus cannot tell the increase of one that appears with its first event."""
    metrics = Metrics()
    metrics.show_from_the_start(["up", "down"], ["sold-out"], [QueueFull, Draining])
    assert metrics.taken == {"up": 0, "down": 0}
    assert metrics.declined == {"sold-out": 0}
    assert metrics.turned_away == {"queue-full": 0, "draining": 0}


def test_a_group_counts_once_and_its_commands_by_kind() -> None:
    """Its size is of all its commands, also those that were refused."""
    metrics = Metrics()
    metrics.show_from_the_start(["up", "down"], (), ())
    metrics.count_group({"up": 2, "down": 0}, 3, 0.25)
    metrics.count_group({"up": 1, "down": 4}, 5, 0.5)
    assert metrics.taken == {"up": 3, "down": 4}
    assert (metrics.group_commands.total, sum(metrics.group_commands.counts)) == (8, 2)
    assert (metrics.commit_seconds.total, sum(metrics.commit_seconds.counts)) == (0.75, 2)
