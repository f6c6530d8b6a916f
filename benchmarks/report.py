"""`docs/benchmarks.md`, its plots, and the raw results, from what was measured."""

from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks import plots, tables
from benchmarks.effort import FULL, Effort
from benchmarks.figures import Failure, Machine, Measurement, Results
from benchmarks.loads import (
    AB_10,
    AB_64,
    CONNECTIONS,
    CONSTANT,
    LOADS,
    MAIN,
    POSITIONS,
    at_position,
    keep_alive,
)
from benchmarks.peers.catalogue import FASTAPI, FLOOR, FSYNC, INTERVAL, ORIGINAL, TITLES
from benchmarks.placement import ONE_CORE
from benchmarks.plots import Series
from benchmarks.spread import Figure, cpu_us, rate, ratio, received_mb_s, spread
from benchmarks.tables import number
from benchmarks.targets import judge

_METHOD: Final = """\
- **Interleaved.** In each of {rounds} rounds every load runs once on every peer, on a fresh process with fresh data,
  the order of the peers turning: {ab_requests} requests by `ab`, {seconds} s by the others. Figures are medians of the
  rounds, in brackets least and largest; a ratio is taken within a round before the median.
- **Placed.** The server has one core, the load generator another. CPU is the processor time of the peer's processes,
  user and system, per answer with 2xx; Redis counts with FastAPI. The kernel's own threads, which finish the syncs, are
  not in it: "rest of its core" below shows them, together with whatever else the machine did.
- **Comparable.** `/next` walks up and answers grow, while the original's wrap at 2⁶⁴. `ab`, as in the original's
  README, therefore ends at position {ab_requests}, where an answer of pexservice is up to a hundred times as long.
  Under `wrk` one request of a hundred is `/reset`, so that every peer stays low. `/previous` at position 0 gives
  constant answers, as the floor's are, which repeats bytes that pexservice once answered.
- **Checked.** After each load the sequence must have advanced by the answers with 2xx: exactly, under `ab` and the
  fixed rate; by at most the requests under way more, under `wrk`, which leaves those when its time is up.
- **Latency** is that of `ab` and `wrk` as they tell it, with clients that are never idle (`wrk` corrects it for
  coordinated omission); under the fixed rate it counts from when each request was due. A *commit* of pexservice is one
  group of steps, and with `fsync` one sync.
- **The peers.** The floor makes the least system calls that the client allows, parses and stores nothing. The Go
  original is made anew from its README (net/http, gorilla/mux, one mutex, a CSV rewritten each second). FastAPI does
  one INCR over a Unix socket and answers the counter, without computing anything. pexservice computes exact values,
  and with `fsync` answers a step only when it is on disk.
"""
_STARTS: Final = """\
From the birth of the process to the whole first answer to `/next`, Python's own start included. With a history the walk
stands at position 1,000,000 and the newest segment is full, the worst that a start can meet."""


def write(results: Results, out: Path) -> Path:
    """Write the report into the directory `out`, with plots and raw results in a folder beside it; return its path."""
    folder = out / "benchmarks"
    folder.mkdir(parents=True, exist_ok=True)
    results.save(folder / "results.json")
    for name, svg in _plots(results):
        (folder / f"{name}.svg").write_text(svg, "utf-8")
    page = out / "benchmarks.md"
    page.write_text("\n\n".join(part.strip() for part in _parts(results, folder) if part) + "\n", "utf-8")
    return page


def headline(results: Results) -> str:
    """Return the share of the floor in one sentence."""
    share = ratio(results, cpu_us, (CONSTANT, FLOOR), (CONSTANT, FSYNC))
    ours, floor = (spread(results, CONSTANT, peer, cpu_us) for peer in (FSYNC, FLOOR))
    if share is None or ours is None or floor is None:
        return "The share of the floor was not measured in this run."
    return (
        "**With every step on disk before it is answered, pexservice reaches "
        f"{share.middle:.0%} of a bare C epoll loop that stores nothing, by processor time: "
        f"{number(ours.middle)} µs a request against {number(floor.middle)} µs.**"
    )


def _parts(results: Results, folder: Path) -> Iterator[str]:
    yield "# Benchmarks"
    yield headline(results)
    yield _when(results.machine, results.effort)
    yield "## It must show\n\n" + tables.verdicts(judge(results))
    yield _plot(folder, "cpu", "CPU per request of each peer")
    yield "## How it was measured\n\n" + _method(results.effort)
    yield _machine(results)
    yield "## Loads: a core for the server, a core for the load"
    for load in LOADS:
        if load.name not in {at_position(position) for position in POSITIONS}:
            figures = tables.peers(results, load)
            yield f"### {load.title[0].upper()}{load.title[1:]}\n\n{figures}" if figures else ""
    yield "## Where the time goes\n\nPer request. A core's time is all that passes: wall time."
    for load in LOADS:
        if load.name in {AB_10, AB_64, MAIN}:
            figures = tables.peers(results, load, tables.TIME_COLUMNS)
            yield f"{load.title}:\n\n{figures}" if figures else ""
    yield "## Everything on one core\n\nServer and load share it, within 512 MiB: the original's smallest machine."
    for load in LOADS:
        figures = tables.peers(results, load, setup=ONE_CORE)
        yield f"{load.title}:\n\n{figures}" if figures else ""
    yield "## Against connections\n\n" + tables.connections(results)
    yield _plot(folder, "connections-rate", "Requests per second against connections")
    yield _plot(folder, "connections-p99", "p99 latency against connections")
    yield "## Against position\n\n`/next` and `/previous` in turn, 16 connections.\n\n" + tables.positions(results)
    yield _plot(folder, "position", "Requests and megabytes per second against position")
    yield "## From start to the first answer\n\n" + _STARTS
    yield tables.starts(results, by_history=True)
    yield tables.starts(results, by_history=False)
    yield _plot(folder, "starts", "Time to the first answer against history and position")
    yield _soundness(results)


def _when(machine: Machine, effort: Effort) -> str:
    form = "" if effort.name == FULL.name else f", **{effort.name} run: figures are rough**"
    raw = "[results.json](benchmarks/results.json)"
    return f"{machine.date}, commit {machine.commit}{form}. `make bench` makes this page; all it rests on is in {raw}."


def _method(effort: Effort) -> str:
    return _METHOD.format(rounds=effort.rounds, seconds=effort.seconds, ab_requests=f"{effort.ab_requests:,}")


def _machine(results: Results) -> str:
    machine, syncs_us = results.machine, [each.sync_us for each in results.measurements]
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items())
    sync = f"{number(median(syncs_us))} µs" if syncs_us else "not measured"
    return (
        f"Machine: {machine.cpu}, {machine.cores} cores, {machine.memory_bytes / (1 << 30):.0f} GiB, Linux "
        f"{machine.kernel}, {machine.file_system}; a bare append and fdatasync takes {sync} (median). {versions}."
    )


def _soundness(results: Results) -> str:
    """Return what went wrong, and what was left out."""
    unsound = [each for each in results.measurements if not each.is_sound]
    count = len(results.measurements) + len(results.failures)
    lines = [f"{count} loads ran, {len(unsound) + len(results.failures)} of them not as they must."]
    lines += [f"- {_where(each)}: {each.outcome.errors} errors. {each.fault}" for each in unsound]
    lines += [f"- {_where(each)}: {each.what}" for each in results.failures]
    lines += [f"- left out: {each}" for each in results.skipped]
    return "## Errors, checks, omissions\n\n" + lines[0] + "\n\n" + "\n".join(lines[1:])


def _where(done: Measurement | Failure) -> str:
    return f"{TITLES[done.peer]}, {done.setup}, {done.load}, round {done.round}"


def _plot(folder: Path, name: str, text: str) -> str:
    return f"![{text}](benchmarks/{name}.svg)" if (folder / f"{name}.svg").exists() else ""


def _plots(results: Results) -> Iterator[tuple[str, str]]:
    # FastAPI is left out: beside its bar the others could not be told apart.
    peers = [peer for peer in TITLES if peer != FASTAPI]
    costs = [(TITLES[peer], found.middle) for peer in peers if (found := spread(results, MAIN, peer, cpu_us))]
    if costs:
        yield "cpu", plots.bars("CPU per request, /next, 64 connections", costs, "µs")
    for name, label, figure in (
        ("connections-rate", "requests/s", rate),
        ("connections-p99", "p99, µs", lambda each: each.outcome.p99_us or 0.0),
    ):
        series = _against_connections(results, figure)
        if series:
            yield name, plots.lines(f"{label}, /next", "connections", label, series)
    series = _against_position(results)
    if series:
        yield "position", plots.lines("Up and down at a position", "position", "", series)
    series = _starts(results)
    if series:
        yield "starts", plots.lines("Start to first answer", "groups, or position", "ms", series)


def _against_connections(results: Results, figure: Figure) -> list[Series]:
    found = []
    for peer in (FLOOR, ORIGINAL, FASTAPI, FSYNC, INTERVAL):
        spreads = [(count, spread(results, keep_alive(count), peer, figure)) for count in CONNECTIONS]
        points = [(float(count), each.middle) for count, each in spreads if each and each.middle]
        found += [Series(TITLES[peer], points)] if points else []
    return found


def _against_position(results: Results) -> list[Series]:
    found = []
    for name, figure in (("requests/s", rate), ("MB/s of answers", received_mb_s)):
        spreads = [(position, spread(results, at_position(position), FSYNC, figure)) for position in POSITIONS]
        points = [(float(position), each.middle) for position, each in spreads if each]
        found += [Series(name, points)] if points else []
    return found


def _starts(results: Results) -> list[Series]:
    found = []
    for name, by_history in (("against history", True), ("against position", False)):
        curve = tables.start_points(results, by_history=by_history)
        points = [(float(point), median(seconds) * 1e3) for point, seconds in curve if point]
        found += [Series(name, points)] if points else []
    return found
