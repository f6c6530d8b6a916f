"""Figures as people say them: three digits that count, 250 µs, 1.2 ms, 1 s, 71,000."""

from math import floor, log10
from typing import Final

_UNITS: Final = ((1e6, "s"), (1e3, "ms"), (1.0, "µs"))
_MILLION: Final = 1e6


def number(value: float) -> str:
    """Return a figure with three digits that count, and no more."""
    if value == 0:
        return "0"
    rounded = float(f"{value:.3g}")
    return f"{value:,.{max(0, 2 - floor(log10(abs(rounded))))}f}"


def duration(us: float) -> str:
    """Return microseconds in the unit that one would use."""
    if us == 0:
        return "0"
    size, unit = next((each for each in _UNITS if float(f"{us:.3g}") >= each[0]), _UNITS[-1])
    return f"{number(us / size)} {unit}"


def as_many(ratio: float) -> str:
    """Return a ratio with two digits, in words."""
    told = f"{ratio:.2g}"
    return "as many" if told == "1" else f"{told} times as many"


def short(value: float) -> str:
    """Return a round figure for the tick of an axis, without digits that say nothing."""
    return f"{value / _MILLION:g}M" if value >= _MILLION else f"{value:,g}"


def short_duration(us: float) -> str:
    """Return round microseconds for the tick of an axis."""
    if us == 0:
        return "0"
    size, unit = next((each for each in _UNITS if us >= each[0]), _UNITS[-1])
    return f"{us / size:g} {unit}"
