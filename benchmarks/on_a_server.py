"""What a step costs with replicas on PostgreSQL: `PYTHONPATH=tests python -m benchmarks.on_a_server`, as root.

One server without a standby, 1 to 3 replicas, and load by `ab`, all on this machine: so rates say how the parts share
it, and processor time a step says what each part takes. With `--peer PYTHON`, one that has fastapi, uvicorn and
asyncpg, also a step by one UPDATE ... RETURNING in a process of FastAPI, on the same server.
"""

import argparse
import os
import re
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from pexservice.walk.machine import WALK
from support.postgres import Server, server
from support.process import free_port, serving

_TICK_S: Final = 1 / os.sysconf("SC_CLK_TCK")
_CONNECTIONS: Final = 64
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


def main() -> None:
    """Measure, and print a line for each."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--peer", help="an interpreter that has fastapi, uvicorn and asyncpg")
    peer = arguments.parse_args().peer
    with server() as database:
        for replicas in (1, 2, 3, 1):
            with _replicas(database, replicas) as (ports, pids, name):
                _measure(f"{replicas} replicas", database, ports, pids, _REQUESTS)
                groups = int(database.ask("SELECT max(number) FROM pexservice.history", name))
                print(f"  {replicas * (_REQUESTS // replicas) / groups:.1f} steps a group")  # noqa: T201
        if peer:
            with _fastapi(database, peer) as (port, pid):
                _measure("FastAPI", database, [port], [pid], _REQUESTS // 10)


@contextmanager
def _replicas(database: Server, count: int) -> Iterator[tuple[list[int], list[int], str]]:
    url = database.database(WALK)
    with ExitStack() as stack:
        services = [stack.enter_context(serving(None, "--store", url)) for _ in range(count)]
        yield [each.port for each in services], [each.pid for each in services], url.rpartition("/")[2]


@contextmanager
def _fastapi(database: Server, python: str) -> Iterator[tuple[int, int]]:
    database.ask("CREATE TABLE walk AS SELECT 0 AS position")
    port, source = free_port(), database.top / "peer.py"
    source.write_text(_PEER.format(url=f"{database.url}/postgres"), "ascii")
    options = ["--port", str(port), "--log-level", "error", "--no-access-log"]
    process = subprocess.Popen([python, "-m", "uvicorn", "peer:app", *options], cwd=database.top)  # noqa: S603
    try:
        time.sleep(3)
        yield port, process.pid
    finally:
        process.kill()
        process.wait()


def _measure(what: str, database: Server, ports: Sequence[int], pids: Sequence[int], requests: int) -> None:
    each = requests // len(ports)
    before = (sum(map(_cpu_s, pids)), _server_cpu_s(database), time.monotonic())
    load = ["ab", "-q", "-k", "-l", "-c", str(_CONNECTIONS // len(ports)), "-n", str(each), "-m", "POST"]
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
    print(  # noqa: T201
        f"{what:12} {steps / took_s:9,.0f} steps/s   CPU a step: {own / steps * 1e6:6.1f} us in the service,"
        f" {its / steps * 1e6:6.1f} us in the server"
    )


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
