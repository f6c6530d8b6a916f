"""Numbers that several processes share."""

import json
import os
from mmap import mmap

from pexservice.core.metrics import Metrics
from pexservice.process.counts import Live, Region, SharedNames, total


def _regions(count: int) -> tuple[mmap, list[Region]]:
    memory = mmap(-1, count * Region.size())
    return memory, [Region(memory, index * Region.size()) for index in range(count)]


def test_what_one_counts_another_sees() -> None:
    """In all kinds of counts, and summed over all processes."""
    memory, (one, other) = _regions(2)
    one.metrics.show_from_the_start(["next"], [], [])
    for region, many in ((one, 1), (other, 2)):
        for _ in range(many):
            region.metrics.count_group({"next": 2, "reset": 1}, 3, 0.002)
            region.metrics.answers[200] += 1
            region.metrics.connections["accepted"] += 1
            region.metrics.turned_away["queue-full"] += 1
    seen = [Region(memory, index * Region.size()) for index in range(2)]
    counted = total(seen, 0.5, 17.0)
    assert isinstance(counted, Metrics)
    assert counted.taken == {"next": 6, "reset": 3}
    assert (counted.answers[200], counted.answers[503]) == (3, 0)
    assert counted.connections == {"accepted": 3, "evicted": 0, "turned_away": 0}
    assert counted.turned_away == {"queue-full": 3}
    assert counted.commit_seconds.total == 0.006
    assert counted.commit_seconds.cumulative()[-1] == ("+Inf", 3.0)
    assert counted.group_commands.total == 9
    assert (counted.recovery_seconds, counted.started_s) == (0.5, 17.0)


def test_who_comes_next_goes_on_in_the_same_numbers() -> None:
    """What was counted stays counted, also by names that the one before met first."""
    memory, (region,) = _regions(1)
    region.metrics.declined["sold-out"] += 3
    region.metrics.commit_seconds.observe(0.5)
    after = Region(memory, 0)
    after.metrics.show_from_the_start(["next"], [], [])
    after.metrics.declined["sold-out"] += 1
    after.metrics.commit_seconds.observe(0.5)
    counted = total([region], 0, 0)
    assert counted.declined == {"sold-out": 4}
    assert counted.commit_seconds.total == 1
    assert counted.taken == {"next": 0}


def test_names_beyond_the_table_are_counted_as_others() -> None:
    """Nothing that a machine calls its refusals makes the memory too small."""
    memory, (region,) = _regions(1)
    for number in range(100):
        region.metrics.declined[f"reason-{number}-{'x' * number}"] += 2
    seen = total([Region(memory, 0)], 0, 0).declined
    assert len(seen) == 64
    assert seen["other"] == 2 * (100 - 63)
    assert sum(seen.values()) == 200
    assert all(len(name) <= 56 for name in seen)


def test_a_process_that_was_forked_writes_for_all() -> None:
    """The memory is shared, not copied."""
    _, (region,) = _regions(1)
    pid = os.fork()
    if not pid:
        region.live[Live.CONNECTIONS] = 5
        region.metrics.taken["next"] += 1
        os._exit(0)
    os.waitpid(pid, 0)
    assert region.live[Live.CONNECTIONS] == 5
    assert total([region], 0, 0).taken == {"next": 1}


def test_names_are_a_dictionary() -> None:
    """Whoever reads them needs to know no more."""
    names = SharedNames(memoryview(bytearray(64 * 64)))
    names["a"] += 1
    names |= {"b": 0, "a": 0}
    assert json.dumps(names) == '{"a": 1, "b": 0}'
    assert names["c"] == 0
    assert "c" not in names
