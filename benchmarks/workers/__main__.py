"""`python -m benchmarks.workers`: the figures of docs/workers.md, as tables, and its plot.

Two cores do not show what four give. So the parts are measured, each for itself: what the writer orders when it has a
core of its own, and what a request costs a worker. What many cores give is computed from these, and said to be.
"""

import json
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import click

from benchmarks.peers.catalogue import ORIGINAL
from benchmarks.peers.making import compile_c
from benchmarks.plots import LOOKS, PLAIN, Look, Panel, Series, lines
from benchmarks.processes import run
from benchmarks.workers.service import Cost, running

_BUILD: Final = Path(".bench/build")
_PLOT: Final = Path("docs/workers/cores.svg")
_STEPS: Final = 64
"""In a group of a simulated worker."""
_SERVICES: Final = (1, 2, 4)
_CONNECTIONS: Final = (64, 256, 1024)
_CORES: Final = (4, 8, 16, 32)
_TIMES: Final = "\N{MULTIPLICATION SIGN}"
_GO_A_CORE: Final = 62_500.0
"""Requests a second of the original made anew, on one core: docs/benchmarks.md."""


@click.command()
@click.option("--quick", "is_quick", is_flag=True, help="A short round of each.")
def main(*, is_quick: bool) -> None:
    """Measure a service of several processes, on two cores or more."""
    seconds, rounds = (1, 1) if is_quick else (3, 3)
    _BUILD.mkdir(parents=True, exist_ok=True)
    compile_c(Path(__file__).parent / "steps.c", _BUILD)
    data = Path(".bench/data")
    data.mkdir(exist_ok=True)
    writer = _measure_writer(data, seconds)
    costs = _measure_service(data, seconds, rounds)
    if not is_quick:
        _PLOT.parent.mkdir(exist_ok=True)
        _PLOT.write_text(_plot(writer, costs), "utf-8")


def _measure_writer(data: Path, seconds: int) -> list[dict[str, Any]]:
    found = []
    click.echo("| workers | a group | steps/s ordered | of the writer's core | p50 ms | p99 ms |")
    click.echo("|--:|---|--:|--:|--:|--:|")
    core = max(os.sched_getaffinity(0))
    for down, kind in ((0, "alike"), (8, "one in 8 down")):
        for workers in (2, 4, 8, 16, 32):
            with tempfile.TemporaryDirectory(dir=data) as directory:
                program = [str(_BUILD / "steps"), str(workers), str(_STEPS), str(seconds), str(down)]
                module = [sys.executable, "-m", "benchmarks.workers.writer", directory, *program, str(core)]
                one = json.loads(run(module, timeout_s=60 + seconds))
            rate, busy = one["steps"] / one["seconds"], one["cpu_s"] / one["seconds"]
            found.append({"workers": workers, "down": down, "rate": rate, "busy": busy})
            size = f"{_STEPS} steps, {kind}"
            times = f"{one['p50_us'] / 1000:.2f} | {one['p99_us'] / 1000:.2f}"
            click.echo(f"| {workers} | {size} | {rate:,.0f} | {busy:.0%} | {times} |")
    return found


def _measure_service(data: Path, seconds: int, rounds: int) -> list[Cost]:
    costs: list[Cost] = []
    shares: dict[str, list[int]] = {}
    for _ in range(rounds):
        for workers in _SERVICES:
            with tempfile.TemporaryDirectory(dir=data) as directory, running(Path(directory), workers) as service:
                costs += [service.wrk(connections, seconds) for connections in _CONNECTIONS]
                costs += [service.ab(connections, 3_000 * seconds) for connections in (10, 64)]
                for connections in _CONNECTIONS[:2] if workers > 1 else ():
                    shares[f"{connections} connections over {workers} workers"] = service.spread(connections)
    click.echo("\n" + "\n".join(f"{what}: {each}" for what, each in shares.items()))
    click.echo("\n| load | workers | requests/s | CPU a request, us | the writer's | the busiest worker | wake-ups |")
    click.echo("|---|--:|--:|--:|--:|--:|--:|")
    medians = []
    for load in dict.fromkeys(cost.load for cost in costs):
        for workers in _SERVICES:
            of = [cost for cost in costs if (cost.load, cost.workers) == (load, workers)]
            names = ("rate", "cpu_us", "writer_us", "most", "wake_ups")
            one = Cost(workers, load, *(statistics.median(getattr(cost, name) for cost in of) for name in names))
            medians.append(one)
            several = f"{one.writer_us:.1f} | {one.most:.2f} | {one.wake_ups:.2f}" if workers > 1 else "| |"
            click.echo(f"| {load} | {workers} | {one.rate:,.0f} | {one.cpu_us:.1f} | {several} |")
    click.echo("\n" + "\n".join(_beside_one_process(costs)))
    return medians


def _beside_one_process(costs: list[Cost]) -> list[str]:
    """Return the table of docs/workers.md: times beside that of one process are medians of pairs, a round each."""
    lines = [
        "| | one process | " + " | ".join(f"{workers} workers" for workers in _SERVICES[1:]) + " |",
        "|---|" + "--:|" * len(_SERVICES),
    ]
    for load in dict.fromkeys(cost.load for cost in costs):
        rounds = {
            workers: [each for each in costs if (each.load, each.workers) == (load, workers)] for workers in _SERVICES
        }
        cells = [f"{statistics.median(each.cpu_us for each in rounds[1]):.1f} µs"]
        for workers in _SERVICES[1:]:
            whole, writer = (
                statistics.median(getattr(each, name) for each in rounds[workers]) for name in ("cpu_us", "writer_us")
            )
            pairs = zip(rounds[workers], rounds[1], strict=True)
            times = statistics.median(several.cpu_us / one.cpu_us for several, one in pairs)
            cells.append(f"{whole:.1f} µs, of it the writer {writer:.1f}: {times:.2f} {_TIMES}")
        lines.append(f"| {load} | {' | '.join(cells)} |")
    return lines


def _plot(writer: list[dict[str, Any]], costs: list[Cost]) -> str:
    """Plot what was measured, and what follows from it for more cores, the load being elsewhere."""
    kept = {cost.workers: cost for cost in costs if cost.load.startswith("wrk, 1024")}
    worker_us = kept[2].cpu_us - kept[2].writer_us
    ceiling = max(each["rate"] / max(each["busy"], 0.01) for each in writer if not each["down"])
    several = [(float(cores), min((cores - 1) / worker_us * 1e6, ceiling)) for cores in _CORES]
    single = Look(PLAIN.colour, is_faint=True)
    return lines(
        [
            Panel(
                "Requests/s, kept alive: one core measured, more computed",
                "cores of the service",
                [
                    Series("workers (computed)", PLAIN, several),
                    Series("one process (measured)", single, [(cores, 1e6 / kept[1].cpu_us) for cores in (1, *_CORES)]),
                    Series("Go original (computed)", LOOKS[ORIGINAL], [(n, _GO_A_CORE * n) for n in (1, *_CORES)]),
                ],
            )
        ]
    )


if __name__ == "__main__":
    main()
