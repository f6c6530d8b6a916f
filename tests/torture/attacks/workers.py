"""A service of several processes, of which some are killed or suspended.

A worker is replaced, and what it had accepted and not answered is taken or not; nobody else notices. The writer is the
end of all: what was answered is there at the next start, which may come at once, and until then nobody answers.
"""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from pexservice.core.judging import Place
from pexservice.trial.linearizability import check
from support.crew import is_there, nursery, suspend, workers
from support.process import Service
from torture.attack import Attack, Bench, require
from torture.load import Load, place_of
from torture.retrying import Retrying

_CYCLES: Final = 10
_WORKERS: Final = 4
_ORPHANS_S: Final = 1.0
"""By then a worker has learned that its writer is gone: the kernel tells it at once."""
_REPLACED_S: Final = 30.0
"""By then one that is silent is replaced: thrice what the service waits."""
_HELD_UP_S: Final = 5.0
"""More than anybody waits who has to do with other workers than the one that is suspended."""


def run_kills(bench: Bench) -> int:
    """Kill workers, one after the other, under load, and then the service."""
    data_dir = bench.directory / "data"
    with bench.serving(data_dir, "--workers", str(_WORKERS)) as service:
        with Load(service, bench.rng, clients=12) as load:
            for _ in range(_CYCLES):
                time.sleep(bench.rng.uniform(0.01, 0.3))
                with suppress(ProcessLookupError, IndexError):
                    os.kill(bench.rng.choice(workers(service)), signal.SIGKILL)
        check(load.history, Place(0, 0), place_of(service))
        _require_crew(service)
        service.stop(signal.SIGKILL)
    with bench.serving(data_dir) as service:
        check(load.history, Place(0, 0), place_of(service))
    return _CYCLES


def run_writer_kills(bench: Bench) -> int:
    """Kill the writer, or the process that workers are forked from, under load, and start again at once."""
    data_dir = bench.directory / "data"
    place = Place(0, 0)
    load: Load | None = None
    for _ in range(_CYCLES):
        with bench.serving(data_dir, "--workers", str(_WORKERS)) as service:
            recovered = place_of(service)
            check(load.history if load else [], place, recovered)
            place = recovered
            below = [nursery(service), *workers(service)]
            with Load(service, bench.rng, clients=bench.rng.randint(1, 12)) as load:
                time.sleep(bench.rng.uniform(0.02, 0.4))
                victim = service.pid if bench.rng.random() < 0.8 else below[0]
                os.kill(victim, signal.SIGKILL)
                service.wait()
                if bench.rng.random() < 0.3 or bench.sabotage:
                    time.sleep(_ORPHANS_S)
                    _require_no(below)
    with bench.serving(data_dir) as service:
        check(load.history if load else [], place, place_of(service))
    return _CYCLES


def run_retries(bench: Bench) -> int:
    """Kill workers and the writer under clients that ask again with the same key: each step is taken once."""
    data_dir = bench.directory / "data"
    options = ["--workers", str(_WORKERS)]
    with Retrying(bench.rng, clients=bench.rng.randint(4, 10)) as clients:
        for _ in range(_CYCLES):
            with bench.serving(data_dir, *options) as service:
                require(bool(service.where), f"it did not start: {service.log}")
                clients.ask(service)
                for _ in range(bench.rng.randint(0, 3)):
                    time.sleep(bench.rng.uniform(0.01, 0.1))
                    with suppress(ProcessLookupError, IndexError):
                        os.kill(bench.rng.choice(workers(service)), signal.SIGKILL)
                time.sleep(bench.rng.uniform(0.01, 0.1))
                service.stop(signal.SIGKILL)
        with bench.serving(data_dir, *options) as service:
            clients.ask(service)
            clients.wait(1)
            clients.finish()
            unknown = [each for each in clients.history if each.is_unknown]
            require(not unknown, f"{len(unknown)} steps have an unknown outcome")
            check(clients.history, Place(0, 0), place_of(service))
    return _CYCLES


def run_suspension(bench: Bench) -> int:
    """Suspend a worker under load, and see that it holds up nobody else and is replaced."""
    data_dir = bench.directory / "data"
    with bench.serving(data_dir, "--workers", str(_WORKERS)) as service:
        with Load(service, bench.rng, clients=8) as load:
            load.wait(50)
            memory = _resident_kib(service.pid)
            victim = bench.rng.choice(workers(service))
            suspend(victim)
            deadline_s = time.monotonic() + _REPLACED_S
            while is_there(victim):
                began_s = time.monotonic()
                require(began_s < deadline_s, "a suspended worker was not replaced")
                with service.connect() as client:
                    client.ask("POST", "/livez")
                took_s = time.monotonic() - began_s
                require(took_s < _HELD_UP_S, f"a suspended worker held up another's client for {took_s:.1f} s")
                time.sleep(0.05)
            grown = _resident_kib(service.pid) - memory
            require(grown < 8 * 1024, f"a suspended worker made the writer grow by {grown} KiB")
        check(load.history, Place(0, 0), place_of(service))
        _require_crew(service)
    return 1


def _require_no(pids: list[int]) -> None:
    """Raise Violation if one of the processes is still there, and then end it."""
    outlived = [pid for pid in pids if is_there(pid)]
    for pid in outlived:
        os.kill(pid, signal.SIGKILL)
    require(not outlived, f"{len(outlived)} processes outlived the one that owned the data")


def _require_crew(service: Service) -> None:
    """Raise Violation unless there are soon as many workers as there should be."""
    deadline_s = time.monotonic() + _REPLACED_S
    while len(workers(service)) < _WORKERS:
        require(time.monotonic() < deadline_s, f"{len(workers(service))} of {_WORKERS} workers are there")
        time.sleep(0.05)


def _resident_kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text("ascii", "replace").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


KILLS: Final = Attack(
    "SIGKILL of workers",
    run_kills,
    20,
    1,
    sabotage="publish-late",
    noticed="had been (answered before this was asked|sent before on its connection)",
    cycles=200,
)
WRITER_KILLS: Final = Attack(
    "SIGKILL of the writer of workers",
    run_writer_kills,
    20,
    1,
    sabotage="orphans",
    noticed="outlived the one that owned the data",
    cycles=200,
)
RETRIES: Final = Attack(
    "retries over kills of workers and of their writer",
    run_retries,
    20,
    1,
    sabotage="forgotten-keys",
    noticed="in the walk that nobody was told of|no order of the steps leads to|two steps with one sequence",
    cycles=200,
)
SUSPENSION: Final = Attack(
    "SIGSTOP of a worker",
    run_suspension,
    10,
    1,
    sabotage="patience",
    noticed="^a suspended worker was not replaced",
    pace="waiting",
)
