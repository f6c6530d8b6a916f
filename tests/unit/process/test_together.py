"""What processes share out among each other."""

from dataclasses import replace

import pytest

from pexservice.config import Settings
from pexservice.core.judging import Place
from pexservice.core.store import Status
from pexservice.limits import DEFAULT
from pexservice.process.counts import Live
from pexservice.process.together import Heartbeat, SharedBudget, SharedOccupancy, Silence, Together
from pexservice.walk.machine import WALK


def _together(workers: int = 3) -> Together[int, int]:
    return Together(WALK, Settings(workers=workers))  # type: ignore[arg-type]  # Steps are integers.


def test_what_others_took_of_a_budget_is_missing_here() -> None:
    """As of the last look."""
    together = _together()
    one, other = (SharedBudget(100, region, together.workers) for region in together.workers[:2])
    one.take(70)
    assert other.has_room_for(100)
    other.look()
    assert (other.has_room_for(30), other.has_room_for(31)) == (True, False)
    one.take(-70)
    other.look()
    assert other.has_room_for(100)


@pytest.mark.parametrize(
    ("connections", "pauses"),
    [
        ([0, 0, 0], [False, False, False]),
        ([3, 0, 0], [False, False, False]),
        ([4, 0, 0], [True, False, False]),
        ([23, 16, 17], [False, False, False]),
        ([24, 16, 17], [True, False, False]),
        ([91, 91, 70], [True, True, False]),
    ],
)
def test_who_has_many_connections_lets_others_accept_first(connections: list[int], pauses: list[bool]) -> None:
    """More than a quarter above the fewest, and three: for a moment, since the others may be busy."""
    together = _together()
    occupancies = [SharedOccupancy(region, together.workers, DEFAULT) for region in together.workers]
    for number, (occupancy, count) in enumerate(zip(occupancies, connections, strict=True)):
        together.workers[number].live[Live.PID] = 1
        occupancy.count(count)
    assert [occupancy.pause_s() for occupancy in occupancies] == [
        DEFAULT.crowded_pause_s * is_above for is_above in pauses
    ]
    assert occupancies[0].connections() == sum(connections)


def test_a_worker_that_is_not_there_has_the_fewest_of_none() -> None:
    """Its place is empty, and nobody waits for it to take its share."""
    together = _together(2)
    region = together.workers[0]
    region.live[Live.PID] = 1
    occupancy = SharedOccupancy(region, together.workers, DEFAULT)
    occupancy.count(50)
    assert occupancy.pause_s() == 0


def test_a_worker_that_nobody_knows_yet_lets_nobody_go_first() -> None:
    """It may have a connection before the writer has noted that it is there."""
    together = _together(2)
    occupancy = SharedOccupancy(together.workers[0], together.workers, DEFAULT)
    occupancy.count(50)
    assert occupancy.pause_s() == 0


def test_a_pulse_goes_on_where_the_one_before_stopped() -> None:
    """What a process used stays used when another takes its place."""
    region = _together().workers[0]
    Heartbeat(region).beat(1.5)
    before = list(region.live)
    Heartbeat(region).beat(0.5)
    assert region.live[Live.BEATS] == 2
    assert region.live[Live.LATE_US] == 2_000_000
    assert region.live[Live.CPU_US] >= 2 * before[Live.CPU_US] > 0
    assert region.live[Live.RESIDENT_BYTES] > 2**20


def test_a_state_is_of_all_processes() -> None:
    """Before the store is open, nothing is told of it."""
    together = _together()
    board = together.board([])
    state = together.state(board, None)
    assert (state.place, state.store, state.workers) == (None, None, {})
    board.show_place(Place(7, 3))
    board.show_unready(None)
    board.show_status(Status({"durability": "fsync"}, []))
    for number, region in enumerate(together.workers):
        region.live[Live.PID] = 1 if number else 0
        region.live[Live.CONNECTIONS] = 10 * number
    together.take(1).metrics.answers[200] += 1
    together.writer.metrics.answers[200] += 1
    Heartbeat(together.take(1)).beat(0.5)
    Heartbeat(together.writer).beat(1.5)
    state = together.state(board, None)
    assert state.place == Place(7, 3)
    assert state.store == Status({"durability": "fsync"}, [])
    assert state.workers == {1: 10, 2: 20}
    assert state.connections == 30
    assert state.late_s == pytest.approx(1.5 + 0.5 / 3), "the writer, and the mean of the workers"
    assert together.serving() == 2
    assert state.metrics.answers[200] == 2
    assert [each.name for each in state.machine] == ["pex_position", "pex_digits"]


def test_limits_of_workers_are_those_of_the_service() -> None:
    """What is shown is what the operator set."""
    limits = replace(DEFAULT, connections_max=17)
    together = Together(WALK, Settings(workers=2, limits=limits))
    assert together.state(together.board([]), None).limits is limits


def test_silence_is_counted_in_looks() -> None:
    """Of a process that shows no heartbeat; one is enough to end it."""
    together = _together()
    heartbeat, silence = Heartbeat(together.writer), Silence(together.writer.live)
    heartbeat.beat(0.0)
    assert [silence.look() for _ in range(5)] == [0, 1, 2, 3, 4]
    assert silence.missed == 4
    heartbeat.beat(0.0)
    assert silence.look() == 0
