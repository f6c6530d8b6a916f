"""A campaign: every attack, all its rounds, and its negative control.

A round is known by attack, index and seed alone, so rounds may run in any order, in any process, today or tomorrow.
What each one came to is appended to a file at once; a campaign that is run again with the same seed does only what is
missing there.
"""

import json
import logging
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from random import Random
from types import FrameType
from typing import Final

import structlog

from support.much import Much
from torture.attack import Attack, Bench, Unsupported, Violation
from torture.catalogue import ATTACKS

ROUND_S_MAX: Final = 900
"""A round that takes longer hangs."""
CONTROL_ROUNDS_MAX: Final = 5
"""A negative control must be caught within so many rounds."""
WAITING_AT_A_TIME: Final = 10
TRACEBACK: Final = "Traceback (most recent call last)"
"""In a log: something was raised that nobody expected."""


@dataclass(frozen=True)
class Task:
    """One round, or with an index of None, the negative control."""

    attack: str
    index: int | None
    rounds: int
    """Of the attack, in a full campaign."""
    seed: int

    @property
    def key(self) -> str:
        """What it is called in the record."""
        return f"{self.attack}/{'control' if self.index is None else self.index}"


@dataclass(frozen=True)
class Outcome:
    """What a task came to."""

    key: str
    attack: str
    is_control: bool
    cycles: int = 0
    seconds: float = 0.0
    violation: str = ""
    """Empty where no promise was broken. A control must have one."""
    unsupported: str = ""
    """What this machine lacks."""
    error: str = ""
    """How the attack itself failed, or that a control was noticed by something else: it proved nothing."""


def tasks(attacks: Iterable[Attack], seed: int, *, much: Much) -> Iterator[tuple[Attack, Task]]:
    """Give all tasks of a campaign, each attack's control first."""
    for attack in attacks:
        rounds = much.of(attack.rounds_short, attack.rounds)
        for index in [None, *range(rounds)]:
            yield attack, Task(attack.name, index, attack.rounds, seed)


def run(
    todo: list[tuple[Attack, Task]], record: Path, kept: Path, *, jobs: int, on_outcome: Callable[[Outcome], None]
) -> list[Outcome]:
    """Run the tasks that `record` has no outcome of yet; return all outcomes. Findings keep their files in `kept`."""
    done = {outcome.key: outcome for outcome in _read(record)}
    wanted = {task.key for _, task in todo}
    left = [(attack, task) for attack, task in todo if task.key not in done]
    with record.open("a", encoding="utf-8") as file:
        for pace, workers in (("busy", jobs), ("waiting", WAITING_AT_A_TIME), ("alone", 1)):
            for outcome in _run_all([task for attack, task in left if attack.pace == pace], kept, workers):
                file.write(json.dumps(asdict(outcome)) + "\n")
                file.flush()
                done[outcome.key] = outcome
                on_outcome(outcome)
    return [outcome for key, outcome in done.items() if key in wanted]


def _read(record: Path) -> list[Outcome]:
    """Return what is recorded. A last line that was torn by a kill is cut off, so that its task is done again."""
    if not record.exists():
        return []
    data = record.read_bytes()
    end = data.rfind(b"\n") + 1
    os.truncate(record, end)
    return [Outcome(**json.loads(line)) for line in data[:end].splitlines()]


def _run_all(left: list[Task], kept: Path, workers: int) -> Iterator[Outcome]:
    with ExitStack() as stack:
        pool = ProcessPoolExecutor(workers, get_context("spawn"), _be_quiet)
        stack.callback(pool.shutdown, cancel_futures=True)
        running: set[Future[Outcome]] = {pool.submit(run_task, task, kept) for task in left}
        while running:
            finished, running = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                yield future.result()


def _be_quiet() -> None:
    """Keep what the product logs, when it is called in this process, off the table."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def run_task(task: Task, kept: Path) -> Outcome:
    """Do one task in a directory of its own."""
    attack = next(each for each in ATTACKS if each.name == task.attack)
    signal.signal(signal.SIGALRM, _on_alarm)
    is_control = task.index is None
    outcome = Outcome(task.key, attack.name, is_control)
    began_s = time.monotonic()
    for index in range(CONTROL_ROUNDS_MAX) if task.index is None else [task.index]:
        directory = Path(tempfile.mkdtemp(prefix="torture-"))
        rng = Random(f"{task.seed}/{attack.name}/{index}")
        bench = Bench(rng, index, task.rounds, directory, attack.sabotage if is_control else None)
        found = _round(attack, bench)
        outcome = replace(found, key=task.key, is_control=is_control, cycles=outcome.cycles + found.cycles)
        if outcome.violation and not is_control:
            subprocess.run(["cp", "-a", directory, kept / task.key.replace("/", "-")], check=False)
        shutil.rmtree(directory, ignore_errors=True)
        if outcome.violation or outcome.unsupported or outcome.error:
            break
    if is_control and outcome.violation and not re.search(attack.noticed, outcome.violation):
        outcome = replace(outcome, error=f"not what it is there to notice, /{attack.noticed}/: {outcome.violation}")
    return replace(outcome, seconds=round(time.monotonic() - began_s, 1))


def _round(attack: Attack, bench: Bench) -> Outcome:
    """Do one round, or one of a control, and say what it came to."""
    outcome = Outcome("", attack.name, is_control=False)
    signal.alarm(ROUND_S_MAX)
    try:
        outcome = replace(outcome, cycles=attack.run(bench))
    except Violation as found:
        outcome = replace(outcome, violation=str(found))
    except (ConnectionError, TimeoutError) as error:
        cut_off = f"a client that did nothing wrong was cut off or left waiting: {error!r}"
        outcome = replace(outcome, violation=cut_off)
    except Unsupported as lacking:
        outcome = replace(outcome, unsupported=str(lacking))
    except Exception:  # noqa: BLE001 - whatever it is, the other rounds are worth having.
        outcome = replace(outcome, error=traceback.format_exc())
    finally:
        signal.alarm(0)
    crashed = next((service.log for service in bench.services if TRACEBACK in service.log), "")
    if crashed and bench.sabotage is not None:  # It fell over what was done to it: so would any attack have noticed.
        return replace(outcome, error=f"the service crashed: {crashed}")
    return replace(outcome, violation=outcome.violation or (crashed and f"the service crashed: {crashed}"))


def _on_alarm(_number: int, _frame: FrameType | None) -> None:
    message = f"hangs: the round did not end within {ROUND_S_MAX} s"
    raise Violation(message)


def cpus() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0))
