"""SIGKILL at every system call of start, commit, rotation and stop.

A process can only leave traces by system calls, so the instants before each of them are all the instants that matter. A
first run under strace counts the calls of a short life, of all its threads; then that life is lived again once for each
call, and ended on entering it. Left out are those before the data directory is opened, which are the interpreter's own,
and those that nobody sees but the process itself.
"""

import re
import shutil
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Final

from pexservice.core.judging import Place
from pexservice.trial.linearizability import check
from pexservice.trial.operation import PATHS, Operation, new_connection
from pexservice.walk.steps import NEXT, PREVIOUS, RESET, Step
from support.client import message
from support.process import Service
from torture import tracer
from torture.attack import Attack, Bench, Unsupported, require
from torture.load import place_of, record

_CALL = re.compile(r"^\d+ +\[ *(\d+)\] ([a-z0-9_]+)\(", re.ASCII)
_UNSEEN: Final = "%memory,%signal,%pure,futex,restart_syscall,rseq,set_robust_list"
_BURSTS: Final[list[list[Step | None]]] = [
    [NEXT],
    [NEXT],
    [NEXT, NEXT, NEXT, NEXT],
    [None, PREVIOUS],
    [RESET],
    [NEXT],
    [NEXT],
    [NEXT],
    [PREVIOUS],
    [NEXT],
]
"""What the life consists of. With small segments the journal rotates in its middle."""

Call = tuple[str, int, int]
"""The name of a system call, its number, and the how-manieth of them it is."""


def run(bench: Bench) -> int:
    """End one life for each call of this round's share of them, and return how many were ended."""
    if not shutil.which("strace"):
        raise Unsupported("strace")
    calls = _calls(bench)
    share = calls[bench.index :: bench.rounds]
    return sum(_kill_at(bench, call) for call in share)


def _calls(bench: Bench) -> list[Call]:
    """Live the life undisturbed and return its calls, from the opening of the data directory to the end."""
    trace = bench.directory / "trace"
    data_dir = bench.directory / "counted"
    history: list[Operation] = []
    wrapper = ["strace", "-D", "-f", "-n", "-o", str(trace), "-e", f"trace=!{_UNSEEN}"]
    with bench.serving(data_dir, wrapper=wrapper, small_segments=True) as service:
        _live(service, history)
        status = service.wait()
    unknown = [operation for operation in history if operation.is_unknown]
    require(not unknown, f"nothing was wrong, and these were not answered: {unknown}")
    require(status == 0 or bench.sabotage is not None, f"ended with {status} when nothing was wrong: {service.log}")
    seen: Counter[str] = Counter()
    calls: list[Call] = []
    is_ours = False
    for line in trace.read_text("utf-8", "replace").splitlines():
        if matched := _CALL.match(line):
            number, name = matched.groups()
            seen[name] += 1
            is_ours |= name != "execve" and str(data_dir) in line
            if is_ours:
                calls.append((name, int(number), seen[name]))
    assert len(calls) > 100, "the trace does not show the life of the service"
    return sorted(calls)


def _kill_at(bench: Bench, call: Call) -> bool:
    """Return whether the life was ended: no two are alike, and one may have fewer such calls."""
    name, number, count = call
    data_dir = Path(bench.directory / f"{name}-{count}")
    history: list[Operation] = []
    with bench.serving(data_dir, wrapper=tracer.wrapper(number, count), small_segments=True) as service:
        if service.where:
            _live(service, history)
        status = service.wait()
        require(status in {0, -signal.SIGKILL}, f"killed at {call}, ended with {status}: {service.log}")
    with bench.serving(data_dir) as service:
        require(bool(service.where), f"killed at {call}, does not start again: {service.log}")
        check(history, Place(0, 0), place_of(service))
    shutil.rmtree(data_dir)
    return status == -signal.SIGKILL


def _live(service: Service, history: list[Operation]) -> None:
    """Ask for a few steps, one answer after the other, and stop; at any time the service may be gone."""
    try:
        with service.connect() as client:
            number = new_connection()
            for burst in _BURSTS:
                operations = [Operation(step, time.monotonic(), connection=number) for step in burst]
                history += operations
                client.send(b"".join(message("GET", PATHS[step]) for step in burst))
                for operation in operations:
                    record(operation, client.read())
            service.send_signal(signal.SIGTERM)
    except (ConnectionError, ProcessLookupError):
        return


ATTACK: Final = Attack(
    "SIGKILL at every system call",
    run,
    rounds=40,
    rounds_short=1,
    sabotage="late-write",
    noticed="^was .* is lost|from where ring.csv does not go on|keys up to sequence .* the history ends at",
)
