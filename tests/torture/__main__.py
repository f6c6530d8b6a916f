"""`python -m torture`: run a campaign, and print one table."""

import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from random import SystemRandom
from typing import Final

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from support.much import Much
from support.strict import skips_fail
from torture import campaign
from torture.attack import Attack
from torture.campaign import Outcome
from torture.catalogue import ATTACKS


@click.command()
@click.option(
    "--much",
    "word",
    type=click.Choice([each.value for each in Much]),
    default=Much.SHORT.value,
    help="short, as CI runs it; full, all its rounds.",
)
@click.option("--seed", type=int, help="Replays, or resumes, the campaign of this seed; else a new one is drawn.")
@click.option("--only", multiple=True, metavar="WORD", help="Only attacks with this in their name; may be repeated.")
@click.option(
    "--jobs", type=click.IntRange(1), default=campaign.cpus(), help="Rounds at a time.  [default: processors]"
)
@click.option("--keep", type=click.Path(path_type=Path), default=Path(".torture"), help="Records and findings go here.")
def main(*, word: str, seed: int | None, only: tuple[str, ...], jobs: int, keep: Path) -> None:
    """Attack the service.

    Ends with 1 if a promise was broken, a negative control was not noticed, or an attack did less than it must; with
    SKIPS_FAIL=1 in the environment, also if one was skipped.
    """
    console, much = Console(soft_wrap=True), Much(word)
    seed = SystemRandom().randrange(1 << 32) if seed is None else seed
    attacks = [attack for attack in ATTACKS if not only or any(word in attack.name for word in only)]
    commit = _commit()
    (keep / "findings").mkdir(parents=True, exist_ok=True)
    record = keep / f"{commit}-{seed}-{much}.jsonl"
    todo = list(campaign.tasks(attacks, seed, much=much))
    console.print(f"seed {seed}, commit {commit}, {much}: {len(attacks)} attacks, {len(todo)} rounds")
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
    rows = _rows(attacks, outcomes, much=much)
    skipped = sum(row.is_skipped for row in rows)
    table = "\n".join([*_HEAD, *(row.line for row in rows), *([f"\nAttacks skipped: {skipped}."] if skipped else [])])
    command = much.of("make torture-short", "make torture")
    console.print(f"\n{datetime.now(UTC):%Y-%m-%d}, commit {commit}, `{command} SEED={seed}`:\n\n{table}", markup=False)
    console.print(f"\n{_summary(rows, outcomes)}", markup=False)
    for row in rows:
        if row.is_bad or row.is_skipped:  # Again, at the end: of a long log that is what one sees first.
            console.print("\n".join([row.line, *row.findings]), markup=False)
    sys.exit(any(row.is_bad or (row.is_skipped and skips_fail()) for row in rows))


FINDING_CHARACTERS: Final = 400
"""From each end of a finding."""
_HEAD: Final = ["| attack | cycles | violations | negative control | minutes |", "|---|--:|--:|---|--:|"]


@dataclass(frozen=True)
class _Row:
    """What became of one attack."""

    line: str
    """Of the table, in Markdown."""
    is_bad: bool
    is_skipped: bool
    """Whether this machine lacked something, for some rounds at least."""
    findings: list[str]
    """What was wrong in a round or in the control, each as much of it as one reads."""


def _rows(attacks: list[Attack], outcomes: list[Outcome], *, much: Much) -> list[_Row]:
    by_attack: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        by_attack[outcome.attack].append(outcome)
    return [_row(attack, by_attack[attack.name], much=much) for attack in attacks]


def _row(attack: Attack, outcomes: list[Outcome], *, much: Much) -> _Row:
    rounds = [outcome for outcome in outcomes if not outcome.is_control]
    control = next(outcome for outcome in outcomes if outcome.is_control)
    lacking = next((outcome.unsupported for outcome in outcomes if outcome.unsupported), "")
    violations = sum(bool(outcome.violation) for outcome in rounds)
    failed = sum(bool(outcome.error) for outcome in outcomes)
    is_caught = bool(control.violation) and not control.error
    cycles = sum(outcome.cycles for outcome in rounds)
    demanded = much.of(1, max(1, attack.cycles))
    is_lacking = cycles < demanded and not lacking
    cells = [
        attack.name,
        f"{cycles:,}" + (f" of {demanded:,}" if is_lacking else ""),
        str(violations),
        "; ".join(
            [
                *([] if control.unsupported else [f"`{attack.sabotage}` {'caught' if is_caught else 'NOT CAUGHT'}"]),
                *([f"{failed} rounds failed themselves"] if failed else []),
                *([f"skipped: {lacking}"] if lacking else []),
            ]
        ),
        f"{sum(outcome.seconds for outcome in outcomes) / 60:.1f}",
    ]
    is_bad = bool(violations or failed or is_lacking) or not (is_caught or control.unsupported)
    findings = [
        f"{outcome.key}: {_shortened(outcome.error or outcome.violation)}"
        for outcome in outcomes
        if outcome.error or (outcome.violation and not outcome.is_control)
    ]
    return _Row(f"| {' | '.join(cells)} |", is_bad, bool(lacking), findings)


def _shortened(text: str) -> str:
    """Leave out the middle: what was found stands first, and what a traceback ends with last."""
    if len(text) <= 2 * FINDING_CHARACTERS:
        return text
    return f"{text[:FINDING_CHARACTERS]} ... {text[-FINDING_CHARACTERS:]}"


def _summary(rows: list[_Row], outcomes: list[Outcome]) -> str:
    """Return all of it in one line."""
    rounds = [outcome for outcome in outcomes if not outcome.is_control]
    cycles, violations = sum(outcome.cycles for outcome in rounds), sum(bool(outcome.violation) for outcome in rounds)
    good = len(rows) - sum(row.is_bad or row.is_skipped for row in rows)
    return f"{len(rows)} attacks, {cycles:,} cycles, {violations} violations; {good} attacks as they must be."


def _commit() -> str:
    """Return the commit under attack; a change that is not committed shows as `-dirty` and its hash."""
    commit = _git("describe", "--always", "--dirty", "--exclude=*").decode().strip() or "unknown"
    return f"{commit}-{sha256(_git('diff', 'HEAD')).hexdigest()[:7]}" if commit.endswith("-dirty") else commit


def _git(*arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], capture_output=True, check=False).stdout


if __name__ == "__main__":
    main()
