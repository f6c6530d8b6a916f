"""Plots as plain SVG, written by hand.

There is no background, and only middle tones that stand out on white and on black alike, so that one file serves
readers in light and in dark whatever decides which they are.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

_INK: Final = "#7d8590"
"""Contrast of 3.7 to white and 5.1 to GitHub's dark."""
_COLOURS: Final = ("#2f81f7", "#d9730d", "#2da44e", "#a371f7", "#db61a2", "#8b8b00")
_WIDTH: Final = 720
_HEIGHT: Final = 360
_LEFT: Final = 60
_RIGHT: Final = 220
"""Room for the names of the lines."""
_TOP: Final = 34
_BOTTOM: Final = 48
_POINT: Final = 3.5
_BAR: Final = 22
_BAR_LABEL: Final = 300


@dataclass(frozen=True, slots=True)
class Series:
    """One line: its name and its points, each (x, y) above 0."""

    name: str
    points: Sequence[tuple[float, float]]


class _Scale:
    """A logarithmic axis of whole decades, or fractions of one if the values need no more, onto pixels."""

    def __init__(self, values: Sequence[float], start: float, end: float) -> None:
        self._low = math.floor(math.log10(min(values)))
        self._high = max(math.ceil(math.log10(max(values))), self._low + 1)
        self._start, self._end = start, end

    def __call__(self, value: float) -> float:
        return self._start + (math.log10(value) - self._low) / (self._high - self._low) * (self._end - self._start)

    def ticks(self) -> list[float]:
        """Return the decades."""
        return [10.0**exponent for exponent in range(self._low, self._high + 1)]


def lines(title: str, x_label: str, y_label: str, series: Sequence[Series]) -> str:
    """Return a plot of lines, both axes logarithmic."""
    points = [point for each in series for point in each.points]
    x = _Scale([point[0] for point in points], _LEFT, _WIDTH - _RIGHT)
    y = _Scale([point[1] for point in points], _HEIGHT - _BOTTOM, _TOP)
    parts = [_text(_LEFT, 18, title, weight="bold")]
    for tick in x.ticks():
        parts += [_line(x(tick), _TOP, x(tick), _HEIGHT - _BOTTOM)]
        parts += [_text(x(tick), _HEIGHT - _BOTTOM + 16, _short(tick), anchor="middle")]
    for tick in y.ticks():
        parts += [_line(_LEFT, y(tick), _WIDTH - _RIGHT, y(tick))]
        parts += [_text(_LEFT - 6, y(tick) + 4, _short(tick), anchor="end")]
    parts.append(_text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 10, x_label, anchor="middle"))
    parts.append(_text(_WIDTH - _RIGHT + 12, _TOP + 4, y_label))
    for index, each in enumerate(series):
        colour = _COLOURS[index % len(_COLOURS)]
        path = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in each.points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x(a):.1f}" cy="{y(b):.1f}" r="{_POINT}" fill="{colour}"/>' for a, b in each.points]
        legend = _TOP + 28 + 20 * index
        parts.append(f'<circle cx="{_WIDTH - _RIGHT + 16}" cy="{legend - 4}" r="{_POINT}" fill="{colour}"/>')
        parts.append(_text(_WIDTH - _RIGHT + 26, legend, each.name))
    return _document(_HEIGHT, parts)


def bars(title: str, values: Sequence[tuple[str, float]], unit: str) -> str:
    """Return a plot of horizontal bars from 0."""
    largest = max(value for _, value in values)
    parts = [_text(0, 18, title, weight="bold")]
    for index, (name, value) in enumerate(values):
        top = _TOP + index * (_BAR + 8)
        width = value / largest * (_WIDTH - _BAR_LABEL - 110)
        colour = _COLOURS[0] if name.startswith("pexservice") else _INK
        parts.append(_text(_BAR_LABEL - 8, top + 15, name, anchor="end"))
        parts.append(f'<rect x="{_BAR_LABEL}" y="{top}" width="{width:.1f}" height="{_BAR}" fill="{colour}"/>')
        parts.append(_text(_BAR_LABEL + width + 8, top + 15, f"{value:.3g} {unit}"))
    return _document(_TOP + len(values) * (_BAR + 8) + 4, parts)


def _document(height: float, parts: Sequence[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}"'
    return "\n".join([f'{head} font-family="sans-serif" font-size="12" fill="{_INK}">', *parts, "</svg>", ""])


def _text(x: float, y: float, text: str, *, anchor: str = "start", weight: str = "normal") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}">{escape(text)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    place = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line {place} stroke="{_INK}" stroke-opacity="0.3"/>'


def _short(value: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"
