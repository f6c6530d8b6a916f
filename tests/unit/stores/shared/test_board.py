"""What a writer shows to its workers."""

from dataclasses import replace
from mmap import mmap
from typing import Any

import pytest

from pexservice.core.judging import Place
from pexservice.core.measures import Histogram, Measure
from pexservice.core.store import Status
from pexservice.errors import Recovering, Scarce
from pexservice.limits import DEFAULT
from pexservice.stores.shared.board import Board
from pexservice.walk.machine import WALK
from support.machines import COUNTER
from support.memory_store import Full


def _boards(machine: Any = WALK) -> tuple[Board[Any, Any], Board[Any, Any]]:
    memory = mmap(-1, Board.size(DEFAULT))
    writers, workers = (Board[Any, Any](machine, memory, DEFAULT, [Full]) for _ in range(2))
    return writers, workers


def test_a_new_board_says_that_the_service_recovers() -> None:
    """Nothing was shown, so no group is taken, and nothing is known of the store."""
    _, board = _boards()
    assert isinstance(board.unready, Recovering)
    assert board.status == Status({}, [])


def test_a_board_shows_whether_groups_are_taken() -> None:
    """And if not, why; a reason has a number by which it can be told of."""
    writers, workers = _boards()
    writers.show_unready(None)
    assert workers.unready is None
    writers.show_unready(Full())
    assert isinstance(workers.unready, Full)
    assert isinstance(workers.reason(writers.number_of(Full())), Full)


@pytest.mark.parametrize(("machine", "state"), [(WALK, 2**64 - 1), (COUNTER, (10, 2))])
def test_a_board_shows_where_a_machine_stands(machine: Any, state: Any) -> None:
    """As the same object until there is another, so that who keeps what it made of it can tell."""
    writers, workers = _boards(machine)
    writers.show_place(Place(7, state))
    place = workers.place
    assert place == Place(7, state)
    assert workers.place is place
    writers.show_place(Place(8, machine.initial))
    assert workers.place == Place(8, machine.initial)


def test_a_state_that_is_too_long_to_share_is_an_error() -> None:
    """It says what to do."""
    limits = replace(DEFAULT, shared_state_bytes_max=10)
    board = Board(WALK, mmap(-1, Board.size(limits)), limits, [])
    with pytest.raises(Scarce, match="--workers 1"):
        board.show_place(Place(1, 10**9))


def test_a_board_shows_how_the_store_is() -> None:
    """Labels, numbers and histograms."""
    writers, workers = _boards()
    histogram = Histogram((0.5, 1))
    histogram.observe(0.7)
    writers.show_status(
        Status({"durability": "fsync"}, [Measure("pex_a", "A.", 1.5), Measure("pex_b", "B.", histogram)])
    )
    status = workers.status
    assert status.labels == {"durability": "fsync"}
    assert status.measures[0] == Measure("pex_a", "A.", 1.5)
    shown = status.measures[1].value
    assert isinstance(shown, Histogram)
    assert shown.cumulative() == histogram.cumulative()
    assert shown.total == histogram.total
