"""Pictures over one another, and lines."""

import io

import pytest

from pexservice.trial.screen import Paper, Screen


def test_a_picture_is_drawn_over_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """Up by as many lines as that had, each line ended and the rest cleared."""
    monkeypatch.setenv("COLUMNS", "41")
    stream = io.StringIO()
    screen = Screen(stream, is_live=True)
    screen.draw(lambda _: ["one", "two"], now=True)
    screen.draw(lambda _: ["x" * 50], now=True)
    first, second = stream.getvalue().split("\x1b[2A\r")
    assert first == "one\x1b[K\ntwo\x1b[K\n\x1b[J"
    assert second == "x" * 40 + "\x1b[K\n\x1b[J"


def test_a_young_picture_is_not_drawn_over() -> None:
    """A terminal, too, takes time."""
    stream = io.StringIO()
    screen = Screen(stream, is_live=True)
    screen.draw(lambda _: ["one"])
    screen.draw(lambda _: ["two"])
    assert "two" not in stream.getvalue()


def test_what_is_said_stays() -> None:
    """The next picture begins below it; a long line becomes several."""
    stream = io.StringIO()
    screen = Screen(stream, is_live=True)
    screen.draw(lambda _: ["one"], now=True)
    screen.say("word " * 40)
    screen.draw(lambda _: ["two"], now=True)
    assert "A\r" not in stream.getvalue()
    assert max(map(len, stream.getvalue().split("\n"))) < 100


def test_a_coloured_line_is_as_long_as_it_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """So a line that fits stays one."""
    monkeypatch.setenv("COLUMNS", "41")
    stream = io.StringIO()
    Screen(stream, is_live=True).say("\x1b[36m" + "word " * 7 + "\x1b[0m")
    assert stream.getvalue().count("\n") == 1


def test_without_a_terminal_there_are_lines_and_no_pictures() -> None:
    """And each line is whole."""
    stream = io.StringIO()
    screen = Screen(stream, is_live=False)
    screen.draw(lambda _: ["one"], now=True)
    screen.tell("two " * 50)
    assert stream.getvalue() == "two " * 49 + "two\n"


def test_colours_take_no_room() -> None:
    """A line is cut to what is seen of it, and its colour ends."""
    paper = Paper(4, 10, is_coloured=True)
    assert paper.cut(paper.paint("abcdef", "31") + "gh") == "\x1b[31mabcd\x1b[0m"
    assert Paper(4, 10).paint("ab", "31") == "ab"


def test_colours_are_not_for_everyone(monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_COLOR that is not empty, and an output that is none of a terminal."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert Screen(io.StringIO(), is_live=True).paper.is_coloured
    assert not Screen(io.StringIO(), is_live=False).paper.is_coloured
    monkeypatch.setenv("NO_COLOR", "1")
    assert not Screen(io.StringIO(), is_live=True).paper.is_coloured
