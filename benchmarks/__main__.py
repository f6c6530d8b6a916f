"""`python -m benchmarks`: measure, and write the report."""

import shutil
import sys
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.markdown import Markdown
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from benchmarks import machine, report, starts, tables
from benchmarks.effort import FULL, QUICK, Effort
from benchmarks.figures import Failure, Measurement, Results
from benchmarks.loads import LOADS, Load
from benchmarks.peers.catalogue import FSYNC
from benchmarks.peers.making import available, compile_c
from benchmarks.placement import placements
from benchmarks.processes import Failed
from benchmarks.rounds import Rounds, tasks
from benchmarks.targets import judge

_WORK: Final = Path(".bench")
"""Programs that were built, and the data of the services: on the disk of the checkout, which is the one under test."""


@click.command()
@click.option("--quick", "is_quick", is_flag=True, help="Two minutes: one short round of the loads that matter most.")
@click.option("--only", multiple=True, metavar="WORD", help="Only loads with this in their name, or `starts`.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Where the report goes.  [default: docs, or .bench with --quick or --only]",
)
@click.option(
    "--render",
    type=click.Path(path_type=Path, exists=True),
    help="Measure nothing, but write the report of a results.json anew.",
)
def main(*, is_quick: bool, only: tuple[str, ...], out: Path | None, render: Path | None) -> None:
    """Measure pexservice beside its peers on this machine. Ends with 1 if a load did not run as it must."""
    console = Console(soft_wrap=True)
    effort = QUICK if is_quick else FULL
    results = Results.load(render) if render else _measure(console, effort, only)
    is_whole = not is_quick and not only
    page = report.write(results, out or (Path("docs") if is_whole else _WORK))
    verdicts = judge(results)
    console.print(Markdown(f"{report.headline(results)}\n\n{tables.verdicts(verdicts)}"))
    console.print(f"{sum(each.word == 'pass' for each in verdicts)} of {len(verdicts)} targets are met.")
    console.print(f"{page} has the rest.")
    sys.exit(bool(results.failures) or any(not each.is_sound for each in results.measurements))


def _measure(console: Console, effort: Effort, only: tuple[str, ...]) -> Results:
    build, data = (_WORK / "build").resolve(), (_WORK / "data").resolve()
    build.mkdir(parents=True, exist_ok=True)
    data.mkdir(exist_ok=True)
    skipped: list[str] = []
    rounds = Rounds(effort, build, data)
    results = Results(machine.describe(data), effort, skipped, rounds.measurements, rounds.failures)
    progress = Progress(
        TextColumn("{task.description:58}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        refresh_per_second=2,
    )
    with placements(skipped) as places, progress:
        peers = available(build, data, places[0], skipped)
        todo = list(tasks(places, _loads(build, only, skipped), peers, effort))
        bar = progress.add_task("rounds", total=len(todo))
        for task in todo:
            progress.update(
                bar, description=f"round {task.round}, {task.placement.name}: {task.load.name}, {task.peer.name}"
            )
            progress.console.print(_line(rounds.carry_out(task)), markup=False, highlight=False)
            progress.advance(bar)
        if not only or any(word in starts.NAME for word in only):
            bar = progress.add_task(starts.NAME, total=starts.count(effort))
            try:
                for start in starts.measure(effort, places[0], data):
                    results.starts.append(start)
                    progress.advance(bar)
            except (Failed, OSError) as error:
                results.failures.append(Failure(places[0].name, starts.NAME, FSYNC, 0, str(error)))
    for each in skipped:
        console.print(f"left out: {each}", markup=False)
    return results


def _loads(build: Path, only: tuple[str, ...], skipped: list[str]) -> list[Load]:
    """Return the loads that are wanted and possible, and add to `skipped` which are not possible."""
    named = [load for load in LOADS if not only or any(word in load.name for word in only)]
    needed = {load.half_rate_of for load in named}
    wanted = [load for load in LOADS if load in named or load.name in needed]
    missing = {load.tool.program for load in wanted if shutil.which(load.tool.program) is None}
    skipped += [f"the loads that need {program}: it is not installed" for program in sorted(missing)]
    if "gcc" not in missing:
        compile_c(Path(__file__).parent / "loads" / "paced.c", build)
    possible = [load for load in wanted if load.tool.program not in missing]
    names = {load.name for load in possible}
    return [load for load in possible if not load.half_rate_of or load.half_rate_of in names]


def _line(done: Measurement | Failure) -> str:
    where = f"{done.setup}, {done.load}, {done.peer}, round {done.round}: "
    if isinstance(done, Failure):
        return where + f"FAILED: {done.what}"
    wrong = "" if done.is_sound else f"  {done.outcome.errors} ERRORS {done.fault}"
    return where + f"{done.rate:,.0f}/s, {done.cpu_us:.1f} us CPU" + wrong


if __name__ == "__main__":
    main()
