"""Plots as plain SVG, written by hand.

There is no background, and only middle tones that stand out on white and on black alike, so that one file serves
readers in light and in dark whatever decides which they are.
"""

import math
from collections.abc import Sequence
from html import escape
from typing import Final

from pexservice.trial.figures import Outcome, rates

INK: Final = "#757d87"
"""Contrast of 4.2 to white and 4.5 to GitHub's dark."""
PRODUCT: Final = "#2f81f7"
WIDTH: Final = 760
_LEFT: Final = 60
_RIGHT: Final = 20
_PANEL: Final = 160
_TOP: Final = 34
_GAP: Final = 70
_SPANS: Final = 60


def load(outcome: Outcome, samples: Sequence[tuple[float, int]], title: str) -> str:
    """Return two plots: steps a second over time, and the time within which each share of requests was answered."""
    parts = [text(0, 16, title, weight="bold")]
    values = rates(samples, _SPANS) or [0.0]
    seconds = samples[-1][0] - samples[0][0] if samples else 0.0
    points = [((index + 0.5) / len(values), value) for index, value in enumerate(values)]
    marks = [(share, f"{seconds * share:.2g} s") for share in (0.0, 0.25, 0.5, 0.75, 1.0)]
    parts += _panel(_TOP + 20, "steps a second", points, marks)
    served = [(_nines(percentage), served_ms) for percentage, served_ms in outcome.served_ms]
    if served:
        marks = [(_nines(each), f"{each:g}%") for each in (50, 90, 99, 99.9) if each <= 99 or served[-1][0] < 1]  # noqa: PLR2004
        marks.append((1.0, "100%"))
        parts += _panel(_TOP + 20 + _PANEL + _GAP, "answered within, ms", served, marks)
    return document(_TOP + 20 + (_PANEL + _GAP) * (2 if served else 1), parts)


def document(height: float, parts: Sequence[str]) -> str:
    """Return a whole file."""
    size = f'viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}" height="{height:.0f}"'
    font = 'font-family="system-ui, sans-serif"'
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" {size} {font} fill="{INK}">', *parts, "</svg>", ""])


def text(x: float, y: float, words: str, *, anchor: str = "start", weight: str = "normal", size: int = 13) -> str:  # noqa: PLR0913 - as SVG has it.
    """Return words."""
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {place} font-weight="{weight}" font-size="{size}">{escape(words)}</text>'


def line(x1: float, y1: float, x2: float, y2: float) -> str:
    """Return a line of a grid."""
    place = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line {place} stroke="{INK}" stroke-opacity="0.3"/>'


def _panel(
    top: float, name: str, points: Sequence[tuple[float, float]], marks: Sequence[tuple[float, str]]
) -> list[str]:
    """Return a plot of points whose x is a share of the width, from 0 to a round number above the largest."""
    most = _round_up(max(value for _, value in points))
    bottom, width = top + _PANEL, WIDTH - _LEFT - _RIGHT
    parts = [text(_LEFT, top - 8, name)]
    for share in (0.0, 0.5, 1.0):
        y = bottom - share * _PANEL
        parts += [line(_LEFT, y, WIDTH - _RIGHT, y), text(_LEFT - 6, y + 4, _short(most * share), anchor="end")]
    for share, words in marks:
        x = _LEFT + share * width
        parts += [line(x, top, x, bottom), text(x, bottom + 16, words, anchor="middle")]
    path = " ".join(f"{_LEFT + share * width:.1f},{bottom - value / most * _PANEL:.1f}" for share, value in points)
    first, last = (_LEFT + points[index][0] * width for index in (0, -1))
    parts.append(
        f'<polygon points="{first:.1f},{bottom} {path} {last:.1f},{bottom}" fill="{PRODUCT}" fill-opacity="0.2"/>'
    )
    parts.append(f'<polyline points="{path}" fill="none" stroke="{PRODUCT}" stroke-width="2"/>')
    return parts


def _nines(percentage: float) -> float:
    """Return where a percentage is, of a width in which each further nine takes as much as the one before."""
    return min(-math.log10(max(1 - percentage / 100, 1e-3)) / 3, 1.0)


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:g}"  # noqa: PLR2004 - of two digits, none is a fraction.


def _round_up(value: float) -> float:
    """Return the next of 1, 2, 5, 10, 20, 50 and so on."""
    if value <= 0:
        return 1.0
    decade = 10.0 ** math.floor(math.log10(value))
    return next(each * decade for each in (1, 2, 5, 10) if each * decade >= value * 0.9999)
