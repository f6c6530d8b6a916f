"""What a load came to, in numbers, words and columns."""

import pytest

from pexservice.trial.figures import Account, Outcome, percentiles_ms, rate_plot, rates, table
from pexservice.trial.screen import Paper

PAPER = Paper(80, 24)


def outcome(answers: int = 100, unknown: int = 0, refused: int = 0) -> Outcome:
    return Outcome("a load", 10, answers, refused, unknown, 2.0, 4096, [(50, 1.0), (100, 4.0)])


@pytest.mark.parametrize(
    ("end", "unknown", "is_kept", "words"),
    [
        (105, 0, True, "by 100: exactly the answers."),
        (107, 3, True, "the answers, and 2 of at most 3 unanswered."),
        (103, 0, False, "by 98: 2 fewer than were answered. Steps were lost."),
        (108, 2, False, "by 103: 3 more than were answered."),
    ],
)
def test_the_count_must_agree(end: int, unknown: int, is_kept: bool, words: str) -> None:  # noqa: FBT001
    """Each answer is a step, and each step an answer or one that was not answered."""
    account = Account(5, end, outcome(unknown=unknown), is_disturbed=False)
    assert account.is_kept == is_kept
    assert account.sentences()[0].endswith(words)


@pytest.mark.parametrize(("refused", "unknown", "words"), [(100, 0, "need a token"), (0, 10, "Nothing was answered.")])
def test_a_load_without_a_step_shows_nothing(refused: int, unknown: int, words: str) -> None:
    """That the sequence went on by none is no success, but a load that did not reach the walk."""
    account = Account(5, 5, outcome(0, unknown, refused), is_disturbed=False)
    assert not account.is_kept
    assert words in account.sentences()[0]


def test_steps_of_which_no_answer_came_are_no_others() -> None:
    """Every request was taken, and every connection lost: nothing was measured, and nobody else is to blame."""
    account = Account(5, 8, outcome(0, 10), is_disturbed=False)
    assert not account.is_kept
    assert account.sentences()[0].endswith("the answers, and 3 of at most 10 unanswered.")


def test_another_client_is_told_of() -> None:
    """If the sequence moved without a load, that is why it went too far."""
    assert "moved while there was no load" in Account(0, 200, outcome(), is_disturbed=True).sentences()[1]
    assert "taken twice" in Account(0, 200, outcome(), is_disturbed=False).sentences()[1]


def test_percentiles_are_those_of_the_answers() -> None:
    """The time within which so many of a hundred were answered; of none, there is none."""
    assert percentiles_ms([]) == []
    times = dict(percentiles_ms([each / 1000 for each in range(100, 0, -1)]))
    assert [times[50], times[99], times[100]] == pytest.approx([50, 99, 100])
    assert dict(percentiles_ms([0.5]))[50] == 500


def test_the_table_has_the_rows_that_people_know() -> None:
    """With the rate and the time per request that follow from the rest."""
    lines = table(outcome(), "http://127.0.0.1:8081/next", PAPER)
    assert "Requests per second:    50.00 [#/sec] (mean)" in lines
    assert "Time per request:       200.000 [ms] (mean)" in lines
    assert lines[-1] == " 100%        4.000   " + "█" * 50


def test_nothing_answered_is_no_division() -> None:
    """A load that came to nothing has a table, too."""
    nothing = Outcome("a load", 10, 0, 0, 10, 0.0, 0, [])
    assert "Requests per second:    0.00 [#/sec] (mean)" in table(nothing, "there", PAPER)


def test_rates_add_up_to_the_steps() -> None:
    """However the samples lie in time, the spans together hold every step."""
    samples = [(0.0, 10), (0.1, 20), (0.7, 20), (1.0, 110)]
    for count in (1, 2, 3, 7):
        assert sum(rates(samples, count)) / count == pytest.approx(100)
    assert rates([(0.0, 1)], 5) == rates([], 5) == rates([(1.0, 1), (1.0, 2)], 5) == []


def test_the_plot_is_as_wide_as_the_samples() -> None:
    """A column each, and the largest rate beside them."""
    lines = rate_plot([(0.0, 0), (1.0, 10), (2.0, 30)], PAPER)
    assert lines[1].endswith(" █")
    assert "20" in lines[1]
    assert lines[-1] == "      0 │██"
