"""What the demonstration counts, on histories made by hand."""

from pexservice.core.judging import Place
from pexservice.trial.operation import Operation
from pexservice.trial.verdict import judge
from pexservice.walk.fibonacci import Walker
from pexservice.walk.steps import NEXT

BEGIN = Place(0, 0)


def answered(sequence: int, at_s: float) -> Operation:
    value = Walker().digits(sequence)
    return Operation(NEXT, at_s, at_s + 0.5, 200, Place(sequence, sequence), value)


def unknown(at_s: float) -> Operation:
    return Operation(NEXT, at_s)


def test_every_answer_is_a_step() -> None:
    """Then nothing is lost, nothing twice, and nothing unexplained."""
    verdict = judge([answered(each, each) for each in (1, 2, 3)], BEGIN, Place(3, 3))
    assert (verdict.answered, verdict.lost, verdict.twice, verdict.violation) == (3, 0, 0, "")
    assert verdict.is_kept


def test_an_answered_step_that_is_not_there_is_lost() -> None:
    """The walk stands below it."""
    verdict = judge([answered(each, each) for each in (1, 2, 3)], BEGIN, Place(2, 2))
    assert (verdict.lost, verdict.is_kept) == (1, False)
    assert "lost" in verdict.violation


def test_a_step_that_another_took_the_place_of_is_lost() -> None:
    """Two answers with one sequence: the first was forgotten by a restart."""
    verdict = judge([answered(1, 1), answered(2, 2), answered(2, 3), answered(3, 4)], BEGIN, Place(3, 3))
    assert (verdict.answered, verdict.lost, verdict.is_kept) == (4, 1, False)


def test_more_steps_than_were_asked_for_were_taken_twice() -> None:
    """As far as those of unknown outcome do not account for them."""
    verdict = judge([answered(1, 1), unknown(2), answered(4, 3)], BEGIN, Place(4, 4))
    assert (verdict.twice, verdict.unknown, verdict.unknown_taken, verdict.is_kept) == (1, 1, 1, False)


def test_unknown_steps_may_be_there_or_not() -> None:
    """Both keep the promise, and are counted."""
    history = [answered(1, 1), unknown(2), unknown(2)]
    verdicts = [judge(history, BEGIN, Place(end, end)) for end in (1, 2, 3)]
    assert [verdict.unknown_taken for verdict in verdicts] == [0, 1, 2]
    assert all(verdict.is_kept and verdict.unknown == 2 for verdict in verdicts)


def test_nothing_answered_proves_nothing() -> None:
    """A service that takes no step keeps every promise, and is no good."""
    assert not judge([Operation(NEXT, 1, 2, 503)], BEGIN, BEGIN).is_kept


def test_a_wrong_value_is_a_broken_promise() -> None:
    """Also where every count is right."""
    wrong = Operation(NEXT, 1, 2, 200, Place(1, 1), "7")
    verdict = judge([wrong], BEGIN, Place(1, 1))
    assert (verdict.lost, verdict.twice, verdict.is_kept) == (0, 0, False)


def test_what_was_turned_away_took_no_step() -> None:
    """It is counted, and needs no place in the walk."""
    verdict = judge([answered(1, 1), Operation(NEXT, 2, 3, 503)], BEGIN, Place(1, 1))
    assert (verdict.turned_away, verdict.is_kept) == (1, True)
