"""`python -m benchmarks.on_a_server`: what a step costs with replicas on PostgreSQL, as the table of docs/replicas.md.

One server without a standby, 1 to 3 replicas, and load by `ab`, all on this machine: so rates say how the parts share
it, and processor time a step says what each part takes. Beside them, on the same server, what one would write instead:
a step by one UPDATE ... RETURNING in a process of FastAPI.
"""

import argparse
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from pexservice.walk.machine import WALK
from support.postgres import Server, server
from support.process import free_port, serving

_TICK_S: Final = 1 / os.sysconf("SC_CLK_TCK")
_CONNECTIONS: Final = (64, 256)
_ROUNDS: Final = 3
_REQUESTS: Final = 30_000
_PEER: Final = """
from contextlib import asynccontextmanager
import asyncpg
from fastapi import FastAPI
@asynccontextmanager
async def life(app):
    async with asyncpg.create_pool({url!r}) as pool:
        app.state.pool = pool
        yield
app = FastAPI(lifespan=life)
@app.post("/previous")
async def step():
    statement = "UPDATE walk SET position = greatest(position - 1, 0) RETURNING position"
    return await app.state.pool.fetchval(statement)
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a load came to."""

    rate: float
    """Steps a second."""
    group: float
    """Steps a group."""
    service_us: float
    """Processor time a step, in the processes that serve,"""
    server_us: float
    """and in those of PostgreSQL."""


def main() -> None:
    """Measure, in rounds, and print a table of medians."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true", help="One round.")
    rounds = 1 if arguments.parse_args().quick else _ROUNDS
    costs: dict[tuple[int, str], list[Cost]] = {}
    with server() as database:
        for connections in _CONNECTIONS * rounds:
            for replicas in (1, 2, 3):
                what = f"{replicas} replica{'s' if replicas > 1 else ''}"
                with _replicas(database, replicas) as (ports, pids, name):
                    cost = _measure(database, ports, pids, connections, _REQUESTS)
                    groups = int(database.ask("SELECT max(number) FROM pexservice.history", name))
                costs.setdefault((connections, what), []).append(cost(replicas * (_REQUESTS // replicas) / groups))
            with _fastapi(database) as (port, pid):
                cost = _measure(database, [port], [pid], connections, _REQUESTS // 10)
            costs.setdefault((connections, "FastAPI, one `UPDATE … RETURNING` a step"), []).append(cost(1.0))
    print("| connections | | steps/s | steps a group | processor time a step, service | server |")  # noqa: T201
    print("|--:|---|--:|--:|--:|--:|")  # noqa: T201
    for connections, what in sorted(costs, key=lambda each: each[0]):
        of = costs[connections, what]
        rate, group, service_us, server_us = (
            median(getattr(each, name) for each in of) for name in ("rate", "group", "service_us", "server_us")
        )
        row = f"{connections} | {what} | {rate:,.0f} | {group:.0f} | {service_us:.0f} µs | {server_us:.0f} µs"
        print(f"| {row} |")  # noqa: T201


@contextmanager
def _replicas(database: Server, count: int) -> Iterator[tuple[list[int], list[int], str]]:
    url = database.database(WALK)
    with ExitStack() as stack:
        services = [stack.enter_context(serving(None, "--store", url)) for _ in range(count)]
        yield [each.port for each in services], [each.pid for each in services], url.rpartition("/")[2]


@contextmanager
def _fastapi(database: Server) -> Iterator[tuple[int, int]]:
    database.ask("CREATE TABLE IF NOT EXISTS walk AS SELECT 0 AS position")
    port, source = free_port(), database.top / "peer.py"
    source.write_text(_PEER.format(url=f"{database.url}/postgres"), "ascii")
    options = ["--port", str(port), "--log-level", "error", "--no-access-log"]
    peer = [sys.executable, "-m", "uvicorn", "peer:app", *options]
    process = subprocess.Popen(peer, cwd=database.top)  # noqa: S603
    try:
        time.sleep(3)
        yield port, process.pid
    finally:
        process.kill()
        process.wait()


def _measure(
    database: Server, ports: Sequence[int], pids: Sequence[int], connections: int, requests: int
) -> Callable[[float], Cost]:
    """Return what a load cost, once it is said how many steps a group had."""
    each = requests // len(ports)
    before = (sum(map(_cpu_s, pids)), _server_cpu_s(database), time.monotonic())
    load = ["ab", "-q", "-k", "-l", "-c", str(connections // len(ports)), "-n", str(each), "-m", "POST"]
    loads = [
        subprocess.Popen(  # noqa: S603
            [*load, f"http://127.0.0.1:{port}/previous"], stdout=subprocess.PIPE, text=True
        )
        for port in ports
    ]
    reports = [load.communicate(timeout=300)[0] for load in loads]
    after = (sum(map(_cpu_s, pids)), _server_cpu_s(database), time.monotonic())
    assert all(re.search(r"Failed requests: +0\n", report) for report in reports), reports
    assert not any("Non-2xx" in report for report in reports), reports
    own, its, took_s = (a - b for a, b in zip(after, before, strict=True))
    steps = each * len(ports)
    return lambda group: Cost(steps / took_s, group, own / steps * 1e6, its / steps * 1e6)


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) * _TICK_S


def _server_cpu_s(database: Server) -> float:
    """Return the processor time of the server's processes, those included that have ended."""
    pid = int((database.data / "postmaster.pid").read_text("ascii").split()[0])
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(") ")[2].split()
    return sum(int(field) for field in fields[11:15]) * _TICK_S + sum(_cpu_s(int(child)) for child in children)


if __name__ == "__main__":
    main()
