"""Columns of characters."""

from pexservice.trial.columns import columns, room, under
from pexservice.trial.screen import Paper


def test_the_largest_is_full_and_the_others_in_proportion() -> None:
    """To an eighth of a cell."""
    assert columns(Paper(30, 10), [8, 4, 1, 0], 1) == ["      8 │█▄▁ "]


def test_only_the_last_are_shown() -> None:
    """So many as there is room for, on paper of any width."""
    paper = Paper(20, 10)
    assert room(paper) == 11
    assert columns(paper, range(100), 2)[1].endswith("│" + "█" * 11)
    assert room(Paper(1, 1)) == 1


def test_without_blocks_there_are_other_characters() -> None:
    """Those that every terminal has."""
    lines = columns(Paper(30, 10, ramp=" .:-=+*%#"), [1, 2], 2)
    assert "".join(lines).isascii()


def test_marks_stand_under_their_columns() -> None:
    """The first under the first."""
    assert under("x").index("x") == columns(Paper(30, 10), [1], 1)[0].index("█")
