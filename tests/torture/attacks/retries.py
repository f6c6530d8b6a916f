"""Clients that ask again with the same key, over kills, stops, full disks, and losses of power.

Each step that was asked for must be in the walk exactly once: here no outcome is unknown in the end.
"""

import resource
import signal
import time
from errno import EIO
from pathlib import Path
from typing import Final

from pexservice.core.judging import Place
from pexservice.stores.journal.live_keys import KEYS_NAME
from pexservice.stores.journal.ring import RING_NAME
from pexservice.trial.linearizability import check
from support.process import Service
from torture.attack import Attack, Bench, require
from torture.disks.lossy_files import lossy_files
from torture.load import place_of
from torture.retrying import Retrying

_CYCLES: Final = 20
_LOAD_S_MAX: Final = 0.15
_START_S_MAX: Final = 0.4
_POWER_CUTS: Final = 10
_OPERATIONS_MAX: Final = 300
_FULL_DISKS: Final = 5
_SMALL: Final = ["", "segments", "ring"]
"""What is made small in a life of the service, so that segments and laps of the ring are many."""
_NOTICED: Final = "in the walk that nobody was told of|no order of the steps leads to|two steps with one sequence"


def run(bench: Bench) -> int:
    """Kill, or sometimes stop, and start again on the same directory."""
    data_dir = bench.directory / "data"
    options = ["--durability", bench.rng.choice(["fsync", "interval"])]
    with Retrying(bench.rng, clients=bench.rng.randint(2, 10)) as clients:
        for _ in range(_CYCLES - 1):
            if bench.rng.random() < 0.2:
                killed_s = f"{bench.rng.uniform(0.05, _START_S_MAX):.4f}"
                with bench.serving(data_dir, *options, wrapper=["timeout", "-s", "KILL", killed_s]) as service:
                    clients.ask(service)
                    service.wait()
            small = bench.rng.choice(_SMALL)
            with bench.serving(
                data_dir, *options, small_segments=small == "segments", small_ring=small == "ring"
            ) as service:
                require(bool(service.where), f"it did not start: {service.log}")
                clients.ask(service)
                time.sleep(bench.rng.uniform(0.01, _LOAD_S_MAX))
                service.stop(signal.SIGTERM if bench.rng.random() < 0.2 else signal.SIGKILL)
        return _finish(bench, clients, data_dir)


def lose_power(bench: Bench) -> int:
    """Lose what was not synced, at any operation of the disk."""
    backing = bench.directory / "disk"
    backing.mkdir()
    with Retrying(bench.rng, clients=bench.rng.randint(2, 10)) as clients:
        for _ in range(_POWER_CUTS):
            with lossy_files(bench.directory / "mounted", backing, bench.rng) as disk:
                disk.tell("fail", bench.rng.randrange(_OPERATIONS_MAX), EIO)
                small = bench.rng.choice(_SMALL)
                with bench.serving(
                    disk.path / "data", small_segments=small == "segments", small_ring=small == "ring"
                ) as service:
                    clients.ask(service)
                    require(disk.has_failed(), f"it uses its disk no more: {service.log}")
                    service.stop(signal.SIGKILL)
                disk.tell("drop")
        return _finish(bench, clients, backing / "data") - _CYCLES + _POWER_CUTS


def fill_disk(bench: Bench) -> int:
    """Allow no file to grow, for a while; kill in the middle of that."""
    data_dir = bench.directory / "data"
    with Retrying(bench.rng, clients=4) as clients:
        for _ in range(_FULL_DISKS):
            with bench.serving(data_dir, small_ring=True) as service:
                clients.ask(service)
                clients.wait(20)
                size_bytes = max((data_dir / RING_NAME).stat().st_size, (data_dir / KEYS_NAME).stat().st_size)
                _limit(service, size_bytes + bench.rng.randint(0, 2000))
                time.sleep(bench.rng.uniform(0, 0.3))
                if bench.rng.random() < 0.5:
                    _limit(service, resource.RLIM_INFINITY)
                    clients.wait(20)
                service.stop(signal.SIGKILL)
        return _finish(bench, clients, data_dir) - _CYCLES + _FULL_DISKS


def _finish(bench: Bench, clients: Retrying, data_dir: Path) -> int:
    """Let every client learn what came of its last step, and judge; return the number of cycles."""
    with bench.serving(data_dir) as service:
        require(bool(service.where), f"it did not start: {service.log}")
        clients.ask(service)
        clients.wait(len(clients.history) % 7 + 1)
        clients.finish()
        unknown = [each for each in clients.history if each.is_unknown]
        require(not unknown, f"{len(unknown)} steps have an unknown outcome")
        check(clients.history, Place(0, 0), place_of(service))
    return _CYCLES


def _limit(service: Service, size_bytes: int) -> None:
    _, hard = resource.prlimit(service.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(service.pid, resource.RLIMIT_FSIZE, (size_bytes, hard))


KILL: Final = Attack(
    "retries over kills and stops", run, 50, 1, sabotage="forgotten-keys", noticed=_NOTICED, cycles=1_000
)
POWER: Final = Attack(
    "retries over power loss", lose_power, 50, 1, sabotage="forgotten-keys", noticed=_NOTICED, cycles=500
)
FULL: Final = Attack(
    "retries over a full disk", fill_disk, 10, 1, sabotage="forgotten-keys", noticed=_NOTICED, cycles=50
)
