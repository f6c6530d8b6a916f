"""`make proof`: run the commands that show what README claims, and write down what each said.

What was said of this commit is kept, so that a run which was cut off goes on where it stopped. A later commit that
changes nothing but pages, or how the page of proofs is written, keeps what was said of the one before.
"""

import json
import re
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from release.claims import CLAIMS, COMMANDS

RESULTS: Final = Path("docs/proof.json")
PAGE: Final = Path("docs/proof.md")
_LOGS: Final = Path(".proof")
_ASIDE: Final = (":!docs", ":!*.md", ":!release/proof.py", ":!tests/system/project/test_proof.py")
"""What git is not asked about: pages, and how this one is written. No claim rests on it."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a command said."""

    date: str
    commit: str
    minutes: float
    status: int
    """Its exit status."""
    said: list[str]


@click.command()
@click.option("--only", multiple=True, metavar="WORD", help="Only commands with this in them; may be repeated.")
@click.option("--render", "is_rendered", is_flag=True, help="Run nothing, but write the page anew.")
def main(*, only: tuple[str, ...], is_rendered: bool) -> None:
    """Run what shows the claims of README, and write docs/proof.md. Ends with 1 unless all that was asked for holds."""
    results = load()
    wanted = [] if is_rendered else [each for each in COMMANDS if not only or any(word in each for word in only)]
    if not wanted and not is_rendered:
        raise click.UsageError(f"No command has {' or '.join(map(repr, only))} in it. There are: {', '.join(COMMANDS)}")
    commit = _printed("git", "rev-parse", "--short", "HEAD")
    if wanted and _printed("git", "status", "--porcelain", "--", ".", *_ASIDE):
        sys.exit("Commit first: what is proved must be a commit.")
    for command in wanted:
        if command in results and results[command].status == 0 and _is_same(results[command].commit, commit):
            click.echo(f"{command}: known of {results[command].commit}")
            continue
        click.echo(f"{command}: {COMMANDS[command].takes}")
        results[command] = _run(command, commit)
        _write(results)  # At once: the run may be cut off, and the next command may be a test that compares the two.
        click.echo("  " + "\n  ".join(results[command].said or [f"ended with {results[command].status}"]))
    _write(results)
    failed = [command for command in wanted if results[command].status]
    if failed:
        sys.exit(f"Not shown: {', '.join(failed)}. What they printed is in {_LOGS}.")


def load(checkout: Path = Path()) -> dict[str, Result]:
    """Return what was said last, by command."""
    held = checkout / RESULTS
    if not held.exists():
        return {}
    return {command: Result(**said) for command, said in json.loads(held.read_text("utf-8")).items()}


def _write(results: dict[str, Result]) -> None:
    held = {command: asdict(result) for command, result in results.items()}
    RESULTS.write_text(json.dumps(held, indent=1) + "\n", "utf-8")
    PAGE.write_text(page(results), "utf-8")


def page(results: dict[str, Result]) -> str:
    """Return the page."""
    return _PAGE.format(
        claims="\n".join(f"| {each.text} | [{each.page}]({each.page}) | `{each.command}` |" for each in CLAIMS),
        results="\n".join(_row(command, results.get(command)) for command in COMMANDS),
    )


def _row(command: str, result: Result | None) -> str:
    if result is None:
        return f"| `{command}` | {COMMANDS[command].takes} | not run yet | | |"
    said = "<br>".join(each.replace("|", "\\|") for each in result.said)
    told = said if result.status == 0 else f"**failed ({result.status})** {said}"
    return f"| `{command}` | {result.minutes:.1f} minutes | {told} | {result.commit} | {result.date} |"


def _run(command: str, commit: str) -> Result:
    """Run a command to its end; its output is in `.proof`."""
    _LOGS.mkdir(exist_ok=True)
    log = _LOGS / (re.sub(r"[^a-z0-9]+", "-", command.lower()).strip("-") + ".log")
    began_s = time.monotonic()
    with log.open("wb") as file:
        shell = ["/bin/sh", "-c", command]  # Of the table, so not from outside.
        status = subprocess.run(shell, stdout=file, stderr=subprocess.STDOUT, check=False).returncode  # noqa: S603
    minutes = (time.monotonic() - began_s) / 60
    output = re.sub(r"\x1b\[[0-9;]*m", "", log.read_text("utf-8", "replace"))
    said = [each.group(0).strip() for each in re.finditer(COMMANDS[command].says, output, re.MULTILINE)]
    if not said and not status:
        sys.exit(f"{command} ended with 0, and does not say what `release/claims.py` expects of it: {log}")
    return Result(f"{datetime.now(UTC):%Y-%m-%d}", commit, round(minutes, 1), status, said)


def _is_same(before: str, commit: str) -> bool:
    """Whether two commits differ at the most in pages, and in how the one of proofs is written."""
    asked = ["git", "diff", "--quiet", before, commit, "--", ".", *_ASIDE]
    return subprocess.run(asked, stderr=subprocess.DEVNULL, check=False).returncode == 0  # noqa: S603


def _printed(*arguments: str) -> str:
    return subprocess.run(arguments, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603


_PAGE: Final = """\
# Proof

What [README](../README.md) claims, the command that shows it, and what that said last. Each ends with 0 only if the
claim holds, and each can be run from a fresh clone, on a Debian that can be thrown away where it says *as root* in
`make help`. `make proof` runs them all and writes this page; `PROOF="--only demo"` runs those
with *demo* in them.

| claim | explained in | shown by |
|---|---|---|
{claims}

## What they said

| command | took | said | of commit | on |
|---|--:|---|---|---|
{results}

Attacks and what each counted: [durability.md](durability.md). What is measured, and which targets are missed:
[benchmarks.md](benchmarks.md). What was not tried: processors other than x86-64 (a build for aarch64 needs no more than
a compiler, and was not run), Docker and a real cluster where the tests use podman and validate manifests.
"""


if __name__ == "__main__":
    main()
