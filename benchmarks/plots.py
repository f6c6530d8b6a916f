"""The plots of the benchmarks: lines on logarithmic axes, and bars."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pexservice.trial.svg import COLOURS, INK, WIDTH, document, line, text

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
    x = _Scale([point[0] for point in points], _LEFT, WIDTH - _RIGHT)
    y = _Scale([point[1] for point in points], _HEIGHT - _BOTTOM, _TOP)
    parts = [text(_LEFT, 18, title, weight="bold")]
    for tick in x.ticks():
        parts += [line(x(tick), _TOP, x(tick), _HEIGHT - _BOTTOM)]
        parts += [text(x(tick), _HEIGHT - _BOTTOM + 16, _short(tick), anchor="middle")]
    for tick in y.ticks():
        parts += [line(_LEFT, y(tick), WIDTH - _RIGHT, y(tick))]
        parts += [text(_LEFT - 6, y(tick) + 4, _short(tick), anchor="end")]
    parts.append(text((_LEFT + WIDTH - _RIGHT) / 2, _HEIGHT - 10, x_label, anchor="middle"))
    parts.append(text(WIDTH - _RIGHT + 12, _TOP + 4, y_label))
    for index, each in enumerate(series):
        colour = COLOURS[index % len(COLOURS)]
        path = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in each.points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x(a):.1f}" cy="{y(b):.1f}" r="{_POINT}" fill="{colour}"/>' for a, b in each.points]
        legend = _TOP + 28 + 20 * index
        parts.append(f'<circle cx="{WIDTH - _RIGHT + 16}" cy="{legend - 4}" r="{_POINT}" fill="{colour}"/>')
        parts.append(text(WIDTH - _RIGHT + 26, legend, each.name))
    return document(_HEIGHT, parts)


def bars(title: str, values: Sequence[tuple[str, float]], unit: str) -> str:
    """Return a plot of horizontal bars from 0."""
    largest = max(value for _, value in values)
    parts = [text(0, 18, title, weight="bold")]
    for index, (name, value) in enumerate(values):
        top = _TOP + index * (_BAR + 8)
        width = value / largest * (WIDTH - _BAR_LABEL - 110)
        colour = COLOURS[0] if name.startswith("pexservice") else INK
        parts.append(text(_BAR_LABEL - 8, top + 15, name, anchor="end"))
        parts.append(f'<rect x="{_BAR_LABEL}" y="{top}" width="{width:.1f}" height="{_BAR}" fill="{colour}"/>')
        parts.append(text(_BAR_LABEL + width + 8, top + 15, f"{value:.3g} {unit}"))
    return document(_TOP + len(values) * (_BAR + 8) + 4, parts)


def _short(value: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"
