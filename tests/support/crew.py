"""The processes of a service with workers, found from outside."""

import os
import re
import signal
from pathlib import Path

from support.process import Service, wait_until


def children(pid: int) -> list[int]:
    """Return the processes that a process has started."""
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def nursery(service: Service) -> int:
    """Return the process that workers are forked from."""
    (pid,) = children(service.pid)
    return pid


def workers(service: Service) -> list[int]:
    """Return the worker processes, those left out that have ended and are yet to be replaced."""
    return [pid for pid in children(nursery(service)) if is_there(pid)]


def is_there(pid: int) -> bool:
    """Tell whether a process is there and has not ended."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in {"Z", "X"}


def suspend(pid: int) -> None:
    """Return when all of a process stands still: until then, it may take one more connection along."""
    os.kill(pid, signal.SIGSTOP)
    wait_until(
        lambda: all(
            each.read_text("ascii", "replace").rpartition(")")[2].split()[0] == "T"
            for each in Path(f"/proc/{pid}/task").glob("*/stat")
        )
    )


def await_end(*pids: int) -> None:
    """Return once none of the processes is there."""
    wait_until(lambda: not any(map(is_there, pids)))


def metrics(service: Service) -> dict[str, float]:
    """Return the samples of /metrics by name and labels."""
    with service.connect() as client:
        text = client.ask("GET", "/metrics").body.decode("ascii")
    return {name: float(value) for name, value in re.findall(r"^([a-z_]+(?:\{[^}]*\})?) (\S+)$", text, re.MULTILINE)}


def shares(service: Service) -> list[int]:
    """Return how many connections each worker has."""
    return [int(value) for name, value in metrics(service).items() if name.startswith("pex_worker_connections")]
