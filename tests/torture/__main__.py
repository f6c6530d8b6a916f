"""`python -m torture`: run a campaign, and print one table."""

import subprocess
import sys
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from random import SystemRandom

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from torture import campaign
from torture.attack import Attack
from torture.campaign import Outcome
from torture.catalogue import ATTACKS


@click.command()
@click.option("--short", "is_short", is_flag=True, help="The short form, as CI runs it.")
@click.option("--seed", type=int, help="Replays, or resumes, the campaign of this seed; else a new one is drawn.")
@click.option("--only", multiple=True, metavar="WORD", help="Only attacks with this in their name; may be repeated.")
@click.option(
    "--jobs", type=click.IntRange(1), default=campaign.cpus(), help="Rounds at a time.  [default: processors]"
)
@click.option("--keep", type=click.Path(path_type=Path), default=Path(".torture"), help="Records and findings go here.")
def main(*, is_short: bool, seed: int | None, only: tuple[str, ...], jobs: int, keep: Path) -> None:
    """Attack the service. Ends with 1 if a promise was broken, or a negative control was not noticed."""
    console = Console(soft_wrap=True)
    seed = SystemRandom().randrange(1 << 32) if seed is None else seed
    attacks = [attack for attack in ATTACKS if not only or any(word in attack.name for word in only)]
    commit = _commit()
    form = "short" if is_short else "full"
    (keep / "findings").mkdir(parents=True, exist_ok=True)
    record = keep / f"{commit}-{seed}-{form}.jsonl"
    todo = list(campaign.tasks(attacks, seed, is_short=is_short))
    console.print(f"seed {seed}, commit {commit}, {form} form: {len(attacks)} attacks, {len(todo)} rounds")
    with Progress(
        TextColumn("{task.description:34}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console
    ) as progress:
        bars = {attack.name: progress.add_task(attack.name, total=0) for attack in attacks}
        for attack, _ in todo:
            progress.update(bars[attack.name], total=(progress.tasks[bars[attack.name]].total or 0) + 1)

        def on_outcome(outcome: Outcome) -> None:
            progress.advance(bars[outcome.attack])
            if outcome.violation and not outcome.is_control:
                progress.console.print(f"VIOLATION in {outcome.key}: {outcome.violation}", markup=False)
            if outcome.error:
                progress.console.print(f"{outcome.key} failed itself:\n{outcome.error}", markup=False)

        try:
            outcomes = campaign.run(todo, record, keep / "findings", jobs=jobs, on_outcome=on_outcome)
        except KeyboardInterrupt:
            console.print(f"interrupted; go on with --seed {seed}")
            sys.exit(130)
    table, is_clean = _table(attacks, outcomes)
    command = "make torture-short" if is_short else "make torture"
    console.print(f"\n{datetime.now(UTC):%Y-%m-%d}, commit {commit}, `{command} SEED={seed}`:\n\n{table}", markup=False)
    sys.exit(0 if is_clean else 1)


def _table(attacks: list[Attack], outcomes: list[Outcome]) -> tuple[str, bool]:
    """Return the table in Markdown, and whether all is as it must be."""
    by_attack: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        by_attack[outcome.attack].append(outcome)
    lines = ["| attack | cycles | violations | negative control | minutes |", "|---|--:|--:|---|--:|"]
    is_clean = True
    for attack in attacks:
        rounds = [outcome for outcome in by_attack[attack.name] if not outcome.is_control]
        control = next(outcome for outcome in by_attack[attack.name] if outcome.is_control)
        lacking = next((outcome.unsupported for outcome in [*rounds, control] if outcome.unsupported), "")
        violations = sum(bool(outcome.violation) for outcome in rounds)
        failed = sum(bool(outcome.error) for outcome in [*rounds, control])
        caught = f"`{attack.sabotage}` " + ("caught" if control.violation else "NOT CAUGHT")
        caught += f"; {failed} rounds failed themselves" if failed else ""
        minutes = sum(outcome.seconds for outcome in [*rounds, control]) / 60
        if lacking:
            lines.append(f"| {attack.name} | - | - | skipped: {lacking} | - |")
            continue
        cycles = sum(outcome.cycles for outcome in rounds)
        lines.append(f"| {attack.name} | {cycles:,} | {violations} | {caught} | {minutes:.1f} |")
        is_clean &= not violations and not failed and bool(control.violation)
    return "\n".join(lines), is_clean


def _commit() -> str:
    """Return the commit under attack; a change that is not committed shows as `-dirty`."""
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--exclude=*"], capture_output=True, text=True, check=False
    )
    return described.stdout.strip() or "unknown"


if __name__ == "__main__":
    main()
