"""The service with workers, under `wrk` and `ab`: what a request costs, and how connections are spread."""

import re
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.asking import ask
from benchmarks.peers.running import free_port
from benchmarks.processes import Failed, run, serving

_START_S: Final = 20
_TICKS_S: Final = 1e9
"""Of schedstat: nanoseconds."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one load cost."""

    workers: int
    load: str
    rate: float
    """Requests a second."""
    cpu_us: float
    """Processor time a request, of all processes."""
    writer_us: float
    """That of the writer, which is part of it."""
    most: float
    """What the worker used that used the most, as times what each used on average; 0 without workers."""
    wake_ups: float
    """Of accepting threads, for each connection; 0 without workers."""


@contextmanager
def running(directory: Path, workers: int) -> "Iterator[Run]":
    """Run a service with so many workers until the end of the block."""
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "pexservice",
        "serve",
        "--port",
        str(port),
        "--data-dir",
        str(directory / "data"),
        "--workers",
        str(workers),
    ]
    with serving(command, directory / "log", {}) as process:
        ask(port, "/readyz", patience_s=_START_S)
        yield Run(process.pid, port, workers)


class Run:
    """A service, and loads on it."""

    def __init__(self, pid: int, port: int, workers: int) -> None:
        self._pid = pid
        self._port = port
        self._workers = workers

    def wrk(self, connections: int, seconds: int) -> Cost:
        """Load it with connections that are kept alive."""
        url = f"http://127.0.0.1:{self._port}/previous"
        before = self._look()
        printed = run(["wrk", "-t1", "-c", str(connections), "-d", str(seconds), url], timeout_s=60 + seconds)
        return self._cost(before, f"wrk, {connections} kept alive", printed, r"(\d+) requests in", connections)

    def ab(self, connections: int, requests: int) -> Cost:
        """Load it with a connection for each request."""
        url = f"http://127.0.0.1:{self._port}/previous"
        before = self._look()
        command = ["ab", "-q", "-l", "-c", str(connections), "-n", str(requests), url]
        printed = run(command, timeout_s=120)
        return self._cost(before, f"ab, {connections} at a time", printed, r"Complete requests:\s+(\d+)", requests)

    def spread(self, connections: int) -> list[int]:
        """Return how many of so many connections each worker has, while they are open."""
        held = [socket.create_connection(("127.0.0.1", self._port)) for _ in range(connections)]
        time.sleep(0.2)
        shares = [int(each) for each in re.findall(r"pex_worker_connections\{.*\} (\d+)", self._metrics())]
        for each in held:
            each.close()
        return shares

    def _metrics(self) -> str:
        return ask(self._port, "/metrics").decode("ascii")

    def _cost(self, before: "_Look", load: str, printed: str, pattern: str, connections: int) -> Cost:
        found = re.search(pattern, printed)
        rate = re.search(r"(?:Requests/sec|Requests per second):\s+([\d.]+)", printed)
        if found is None or rate is None:
            raise Failed(f"{load}: {printed[-200:]}")
        requests, after = int(found[1]), self._look()
        cpu_s = {pid: after.cpu_s[pid] - before.cpu_s.get(pid, 0) for pid in after.cpu_s}
        woken = sum(after.woken[pid] - before.woken.get(pid, 0) for pid in after.workers)
        workers_s = [cpu_s[pid] for pid in after.workers]
        return Cost(
            workers=self._workers,
            load=load,
            rate=float(rate[1]),
            cpu_us=sum(cpu_s.values()) / requests * 1e6,
            writer_us=cpu_s[self._pid] / requests * 1e6 if workers_s else 0,
            most=max(workers_s) * len(workers_s) / sum(workers_s) if workers_s else 0,
            wake_ups=woken / connections,
        )

    def _look(self) -> "_Look":
        nursery = _children(self._pid)
        workers = [pid for each in nursery for pid in _children(each)]
        pids = [self._pid, *nursery, *workers]
        return _Look(workers, {pid: _cpu_s(pid) for pid in pids}, {pid: _woken(pid) for pid in pids})


@dataclass(frozen=True, slots=True)
class _Look:
    workers: list[int]
    cpu_s: dict[int, float]
    woken: dict[int, int]
    """How often the threads of a process were woken, but for the first: of a worker, those that accept."""


def _children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()]


def _cpu_s(pid: int) -> float:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text("ascii").split()[0]) for task in tasks) / _TICKS_S


def _woken(pid: int) -> int:
    count = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        if int(task.name) != pid:
            found = re.search(r"^voluntary_ctxt_switches:\s+(\d+)", (task / "status").read_text("ascii"), re.MULTILINE)
            count += int(found[1]) if found else 0
    return count
