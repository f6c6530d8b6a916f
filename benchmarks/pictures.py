"""The pictures of the report, each from what was measured; one without figures is left out."""

from collections.abc import Iterator
from statistics import median
from typing import Final

from benchmarks import tables
from benchmarks.figures import Results
from benchmarks.loads import CONNECTIONS, CURVES, MAIN, POSITIONS, at_position, keep_alive
from benchmarks.peers.catalogue import FLOOR, FSYNC, INSTEAD, INTERVAL, NGINX, ORIGINAL, TITLES
from benchmarks.plots import LOOKS, PLAIN, Bar, Panel, Series, bars, lines
from benchmarks.spread import Figure, cpu_us, rate, received_mb_s, spread
from benchmarks.units import duration, short_duration

FIRST: Final = (FSYNC, INTERVAL, ORIGINAL, *INSTEAD)
"""Whom the first picture and the first table have."""
_FEWER: Final = 0.5
"""Below this share one says how many times fewer."""
_START_MS: Final = 250.0
"""The target that is drawn (targets.py)."""


def all_of(results: Results) -> Iterator[tuple[str, str]]:
    """Give the name and the SVG of each picture."""
    rates = [(peer, found.middle) for peer in FIRST if (found := spread(results, MAIN, peer, rate))]
    if rates:
        ours = dict(rates).get(FSYNC)
        values = [Bar(peer, value, f"{value:,.0f}{_share(peer, value, ours)}") for peer, value in rates]
        title = "Steps a second on one core, 64 clients"
        yield "first", bars(title, values, faint="a power cut takes answered steps")
    everyone = [peer for peer in (*FIRST, FLOOR, NGINX) if peer in {FSYNC, INTERVAL, ORIGINAL, FLOOR, NGINX}]
    costs = [(peer, found.middle) for peer in everyone if (found := spread(results, MAIN, peer, cpu_us))]
    if costs:
        yield "cpu", bars("Processor time for each answer, 64 clients", [Bar(p, v, duration(v)) for p, v in costs])
    panels = [
        Panel("Steps a second", "clients, kept alive", _against_connections(results, rate)),
        Panel(
            "99 of 100 answers came within",
            "clients, kept alive",
            _against_connections(results, lambda each: each.outcome.p99_us or 0.0),
            show=short_duration,
        ),
    ]
    yield from _drawn("connections", panels)
    panels = [
        Panel("Steps a second", "position", _against_position(results, rate)),
        Panel("MB of answers a second", "position", _against_position(results, received_mb_s)),
    ]
    yield from _drawn("position", panels)
    panels = [
        Panel(title, label, _starts(results, by_history=by_history), _milliseconds, _START_MS)
        for title, label, by_history in (
            ("Start to first answer, against history", "groups in the history", True),
            ("Start to first answer, against position", "position", False),
        )
    ]
    yield from _drawn("starts", panels)


def _share(peer: str, value: float, ours: float | None) -> str:
    if peer in {FSYNC, INTERVAL} or ours is None:
        return ""
    share = value / ours
    return f", {1 / share:.0f} times fewer" if share < _FEWER else f", {share:.0%} of pexservice"


def _drawn(name: str, panels: list[Panel]) -> Iterator[tuple[str, str]]:
    with_points = [panel for panel in panels if panel.series]
    if with_points:
        yield name, lines(with_points)


def _milliseconds(value: float) -> str:
    return short_duration(value * 1e3)


def _against_connections(results: Results, figure: Figure) -> list[Series]:
    found = []
    for peer in CURVES:
        spreads = [(count, spread(results, keep_alive(count), peer, figure)) for count in CONNECTIONS]
        points = [(float(count), each.middle) for count, each in spreads if each and each.middle]
        found += [Series(TITLES[peer], LOOKS[peer], points)] if points else []
    return found


def _against_position(results: Results, figure: Figure) -> list[Series]:
    spreads = [(position, spread(results, at_position(position), FSYNC, figure)) for position in POSITIONS]
    points = [(float(position), each.middle) for position, each in spreads if each]
    return [Series(TITLES[FSYNC], PLAIN, points)] if points else []


def _starts(results: Results, *, by_history: bool) -> list[Series]:
    curve = tables.start_points(results, by_history=by_history)
    points = [(float(point), median(seconds) * 1e3) for point, seconds in curve]
    return [Series(TITLES[FSYNC], PLAIN, points)] if points else []
