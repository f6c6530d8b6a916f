"""The plots of the benchmarks: bars, and lines side by side.

Whoever is drawn has one colour, in all of them: LOOKS.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.peers.catalogue import (
    ABOUT,
    BBOLT,
    BEFORE,
    DURABLE_GO,
    FLOOR,
    FSYNC,
    INTERVAL,
    NGINX,
    ORIGINAL,
    POSTGRESQL,
    REDIS,
    SQLITE,
)
from benchmarks.units import short
from pexservice.trial.svg import INK, PRODUCT, WIDTH, document, line, text

_TITLE: Final = 22
"""The height of a line of text above what it is about."""
_BAR: Final = 22
_GAP: Final = 8
_NAMES: Final = 200
"""Room for the names of bars."""
_VALUES: Final = 170
"""Room for what is written behind them."""
_PLOT: Final = 260
"""The height of the area in which lines are drawn."""
_LEFT: Final = 64
"""Room for the ticks of the vertical axis."""
_BETWEEN: Final = 24
_BELOW: Final = 46
_POINT: Final = 3.5
_LEGEND: Final = 3
"""Names in one row of it."""
_TICKS: Final = 12
"""What the height of a plot has room for."""
_LOG_FROM: Final = 10.0
"""From this ratio between largest and smallest on, a logarithmic axis tells more."""


@dataclass(frozen=True, slots=True)
class Look:
    """How something is drawn."""

    colour: str
    is_faint: bool = False
    """Hollow as a bar, dashed as a line: what can lose answered steps, and what is no longer."""


LOOKS: Final = {
    FSYNC: Look(PRODUCT),
    INTERVAL: Look(PRODUCT, is_faint=True),
    BEFORE: Look(PRODUCT, is_faint=True),
    ORIGINAL: Look("#d9730d", is_faint=True),
    DURABLE_GO: Look("#d9730d"),
    BBOLT: Look("#d9730d"),
    REDIS: Look("#2da44e"),
    POSTGRESQL: Look("#2da44e"),
    SQLITE: Look("#2da44e"),
    FLOOR: Look(INK, is_faint=True),
    NGINX: Look(INK, is_faint=True),
}
"""Blue is pexservice, orange Go, green FastAPI, grey what keeps nothing."""
PLAIN: Final = LOOKS[FSYNC]


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: whose, how long, and what is written behind it."""

    peer: str
    value: float
    text: str


@dataclass(frozen=True, slots=True)
class Series:
    """One line: its name and look, and its points, each (x, y)."""

    name: str
    look: Look
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Panel:
    """Some lines over the same points of the horizontal axis, which are drawn at equal distances."""

    title: str
    x_label: str
    series: Sequence[Series]
    show: Callable[[float], str] = short
    """How the ticks of the vertical axis are written."""
    bound: float | None = None
    """Where a target is drawn."""


def bars(title: str, values: Sequence[Bar], *, faint: str = "") -> str:
    """Return a plot of horizontal bars from 0; `faint` says what hollow ones are."""
    longest = max(each.value for each in values)
    parts = [text(0, 16, title, weight="bold")]
    for index, each in enumerate(values):
        top = _TITLE + 6 + index * (_BAR + _GAP)
        width = max(1.5, each.value / longest * (WIDTH - _NAMES - _VALUES))
        weight = "bold" if ABOUT[each.peer].is_product else "normal"
        title_ = ABOUT[each.peer].title.replace("`", "")
        parts.append(text(_NAMES - 10, top + 15, title_, anchor="end", weight=weight))
        parts.append(_rectangle(_NAMES, top, width, _BAR, LOOKS[each.peer]))
        parts.append(text(_NAMES + width + 8, top + 15, each.text, weight=weight))
    bottom = _TITLE + 6 + len(values) * (_BAR + _GAP)
    if faint:
        parts.append(_rectangle(_NAMES, bottom + 6, 12, 12, Look(INK)))
        parts.append(text(_NAMES + 18, bottom + 16, "on disk before it is answered"))
        parts.append(_rectangle(_NAMES + 210, bottom + 6, 12, 12, Look(INK, is_faint=True)))
        parts.append(text(_NAMES + 228, bottom + 16, faint))
        bottom += 26
    return document(bottom, parts)


def lines(panels: Sequence[Panel]) -> str:
    """Return plots side by side, with one legend below if lines have to be told apart."""
    width = (WIDTH - _BETWEEN * (len(panels) - 1)) / len(panels)
    parts = []
    for index, panel in enumerate(panels):
        parts += _panel(panel, index * (width + _BETWEEN), width)
    bottom = float(_TITLE + 8 + _PLOT + _BELOW)
    names = {each.name: each.look for panel in panels for each in panel.series}
    if len(names) > 1:
        for index, (name, look) in enumerate(names.items()):
            left = _LEFT + index % _LEGEND * (WIDTH - _LEFT) / _LEGEND
            height = bottom + 8 + index // _LEGEND * 18
            parts.append(_path([(left, height), (left + 22, height)], look))
            parts.append(text(left + 28, height + 4, name.replace("`", ""), size=12))
        bottom += 18 * math.ceil(len(names) / _LEGEND) + 4
    return document(bottom, parts)


def _panel(panel: Panel, left: float, width: float) -> list[str]:
    xs = sorted({x for each in panel.series for x, _ in each.points})
    ys = [y for each in panel.series for _, y in each.points] + ([panel.bound] if panel.bound else [])
    bottom = _TITLE + 8 + _PLOT
    start, end = left + _LEFT, left + width - 12
    ticks, share = axis(ys)

    def across(x: float) -> float:
        return start + (end - start) * ((xs.index(x) + 0.5) / len(xs))

    def up(y: float) -> float:
        return bottom - _PLOT * share(y)

    parts = [text(left, 16, panel.title, weight="bold")]
    for tick in ticks:
        parts.append(line(start, up(tick), end, up(tick)))
        parts.append(text(start - 6, up(tick) + 4, panel.show(tick), anchor="end", size=11))
    parts += [text(across(x), bottom + 16, short(x), anchor="middle", size=11) for x in xs]
    parts.append(text((start + end) / 2, bottom + 34, panel.x_label, anchor="middle", size=11))
    if panel.bound:
        parts.append(_path([(start, up(panel.bound)), (end, up(panel.bound))], Look(INK, is_faint=True)))
        parts.append(text(end, up(panel.bound) - 5, "target", anchor="end", size=11))
    for each in panel.series:
        places = [(across(x), up(y)) for x, y in each.points]
        parts.append(_path(places, each.look))
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{_POINT}" fill="{each.look.colour}"/>' for x, y in places]
    return parts


def axis(values: Sequence[float]) -> tuple[list[float], Callable[[float], float]]:
    """Return the ticks of an axis that fits the values, and from a value to its share of the axis.

    From 0 if the values are alike; logarithmic if they are not, from the round figure below the smallest.
    """
    low, high = min(values), max(values)
    if low > 0 and high / low >= _LOG_FROM:
        first, last = _round(low, math.floor), _round(high, math.ceil)
        ticks = _decades(first, last)
        return ticks, lambda value: math.log(value / first) / math.log(last / first)
    step = _step(high)
    count = math.ceil(high / step)
    return [step * each for each in range(count + 1)], lambda value: value / (step * count)


_MULTIPLES: Final = (1, 2, 5, 10)


def _round(value: float, way: Callable[[float], int]) -> float:
    """Return the next of 1, 2, 5, 10, 20 ... in one way."""
    decade = 10.0 ** math.floor(math.log10(value))
    if way is math.floor:
        return max(each * decade for each in _MULTIPLES if each * decade <= value * (1 + 1e-9))
    return min(each * decade for each in _MULTIPLES if each * decade >= value * (1 - 1e-9))


def _decades(first: float, last: float) -> list[float]:
    """Return the round figures from one to another, both included: 1, 2, 5, or only 1 if those are too many."""
    exponents = range(math.floor(math.log10(first)), math.ceil(math.log10(last)) + 1)
    fine = [each * 10.0**exponent for exponent in exponents for each in (1, 2, 5)]
    fine = [each for each in fine if first <= each <= last]
    if len(fine) <= _TICKS:
        return fine
    return [10.0**exponent for exponent in exponents if first <= 10.0**exponent <= last]


def _step(high: float) -> float:
    """Return a distance between ticks that gives about five of them."""
    return _round(high / 5, math.ceil)


def _rectangle(x: float, y: float, width: float, height: float, look: Look) -> str:
    fill = f'fill="{look.colour}" fill-opacity="{0.15 if look.is_faint else 1}"'
    place = f'x="{x + 0.75:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
    return f'<rect {place} {fill} stroke="{look.colour}" stroke-width="1.5"/>'


def _path(points: Sequence[tuple[float, float]], look: Look) -> str:
    places = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dashes = ' stroke-dasharray="5 4"' if look.is_faint else ""
    return f'<polyline points="{places}" fill="none" stroke="{look.colour}" stroke-width="2"{dashes}/>'
