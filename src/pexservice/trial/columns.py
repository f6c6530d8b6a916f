"""A plot of columns, drawn with characters."""

from collections.abc import Sequence
from typing import Final

from pexservice.trial.screen import Paper

_LABEL: Final = 9
"""Characters before the columns: a number with its separators, and the axis."""


def columns(paper: Paper, values: Sequence[float], height: int, *, colour: str = "36") -> list[str]:
    """Return so many lines, with a column for each of the last values that there is room for, from 0 to the largest."""
    shown = list(values)[-room(paper) :]
    largest = max([*shown, 1.0])
    steps = len(paper.ramp) - 1
    axis = "|" if paper.ramp[-1] == "#" else "│"
    lines = []
    for row in range(height - 1, -1, -1):
        label = f"{largest:,.0f}" if row == height - 1 else "0" if row == 0 else ""
        cells = [round(value / largest * height * steps) - row * steps for value in shown]
        drawn = "".join(paper.ramp[min(max(cell, 0), steps)] for cell in cells)
        lines.append(f"{label:>{_LABEL - 2}} {axis}{paper.paint(drawn, colour)}")
    return lines


def room(paper: Paper) -> int:
    """Return how many columns there is room for."""
    return max(paper.width - _LABEL, 1)


def under(marks: str) -> str:
    """Return a line of marks under the columns, a character each."""
    return " " * _LABEL + marks
