"""What becomes of a group, from where it begins."""

import pytest

from pexservice.core.judging import Place, judge
from pexservice.walk.machine import WALK
from pexservice.walk.steps import NEXT
from support.machines import COUNTER, FULL


def test_what_is_refused_takes_no_number_and_is_not_kept() -> None:
    """The group ends behind the commands that were taken; each of all has a state and, if refused, the reason."""
    start = Place(7, (8, 3))
    judged = judge(COUNTER, start, [1, 5, 1, 1])
    assert (judged.start, judged.end) == (start, Place(9, (10, 5)))
    assert (list(judged.states), dict(judged.refusals)) == ([(9, 4), (9, 4), (10, 5), (10, 5)], {1: FULL, 3: FULL})
    assert list(judged.taken) == [1, 1]


def test_a_group_that_is_refused_whole_ends_where_it_began() -> None:
    """Nothing of it is kept."""
    judged = judge(COUNTER, Place(2, (10, 2)), [1, 2])
    assert (judged.end, list(judged.taken)) == (judged.start, [])


def test_an_empty_group_is_a_defect() -> None:
    """Nobody cuts one."""
    with pytest.raises(AssertionError, match="each command has an outcome"):
        judge(WALK, Place(0, 0), [])
    assert judge(WALK, Place(0, 0), [NEXT]).end == Place(1, 1)
