"""A campaign: every attack, all its rounds, and its negative control.

The idea: a round is known by attack, index and seed alone, so rounds may run in any order, in any process, today or
tomorrow. What each one came to is appended to a file at once; a campaign that is run again with the same seed does only
what is missing there.
"""

import json
import logging
import os
import shutil
import signal
import subprocess
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from random import Random
from types import FrameType
from typing import Final

import structlog

from torture.attack import Attack, Bench, Unsupported, Violation
from torture.catalogue import ATTACKS

ROUND_S_MAX: Final = 900
"""A round that takes longer hangs."""
CONTROL_ROUNDS_MAX: Final = 5
"""A negative control must be caught within so many rounds."""
WAITING_AT_A_TIME: Final = 10


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
    """How the attack itself failed: it proved nothing."""


def tasks(attacks: Iterable[Attack], seed: int, *, is_short: bool) -> Iterator[tuple[Attack, Task]]:
    """Give all tasks of a campaign, each attack's control first."""
    for attack in attacks:
        rounds = attack.rounds_short if is_short else attack.rounds
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
    if not record.exists():
        return []
    return [Outcome(**json.loads(line)) for line in record.read_text("utf-8").splitlines()]


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
    began_s = time.monotonic()
    cycles, violation, unsupported, failure = 0, "", "", ""
    rounds = [task.index] if task.index is not None else range(CONTROL_ROUNDS_MAX)
    sabotage = attack.sabotage if task.index is None else None
    for index in rounds:
        directory = Path(tempfile.mkdtemp(prefix="torture-"))
        rng = Random(f"{task.seed}/{attack.name}/{index}")
        signal.alarm(ROUND_S_MAX)
        try:
            cycles += attack.run(Bench(rng, index, task.rounds, directory, sabotage))
        except Violation as found:
            violation = str(found)
            break
        except (ConnectionError, TimeoutError) as error:
            violation = f"a client that did nothing wrong was cut off or left waiting: {error!r}"
            break
        except Unsupported as lacking:
            unsupported = str(lacking)
            break
        except Exception:  # noqa: BLE001 - whatever it is, the other rounds are worth having.
            failure = traceback.format_exc()
            break
        finally:
            signal.alarm(0)
            if violation and sabotage is None:
                subprocess.run(["cp", "-a", directory, kept / task.key.replace("/", "-")], check=False)
            shutil.rmtree(directory, ignore_errors=True)
    seconds = round(time.monotonic() - began_s, 1)
    return Outcome(task.key, attack.name, sabotage is not None, cycles, seconds, violation, unsupported, failure)


def _on_alarm(_number: int, _frame: FrameType | None) -> None:
    message = f"hangs: the round did not end within {ROUND_S_MAX} s"
    raise Violation(message)


def cpus() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0))
