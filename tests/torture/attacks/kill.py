"""SIGKILL at a random instant.

What the kernel was given survives the process, so an answered step must be there again after a kill in the middle of
anything: of the load, or of the start after the kill before. Both durabilities promise that.
"""

import signal
import time
from typing import Final

from pexservice.core.judging import Place
from pexservice.trial.linearizability import check
from torture.attack import Attack, Bench
from torture.load import Load, place_of

_CYCLES: Final = 10
_LOAD_S_MAX: Final = 0.4
_START_S_MAX: Final = 0.5
"""Longer than a start takes, so that a kill meets every part of it."""


def run(bench: Bench) -> int:
    """Kill, and start again on the same journal."""
    data_dir = bench.directory / "data"
    durability = bench.rng.choice(["fsync", "interval"])
    options = ["--durability", durability]
    place = Place(0, 0)
    load: Load | None = None
    for _ in range(_CYCLES):
        if bench.rng.random() < 0.3:
            killed_s = f"{bench.rng.uniform(0.05, _START_S_MAX):.4f}"
            with bench.serving(data_dir, *options, wrapper=["timeout", "-s", "KILL", killed_s]) as service:
                service.wait()
        with bench.serving(data_dir, *options, small_segments=bench.rng.random() < 0.5) as service:
            recovered = place_of(service)
            check(load.history if load else [], place, recovered)
            place = recovered
            with Load(service, bench.rng, clients=bench.rng.randint(1, 12)) as load:
                time.sleep(bench.rng.uniform(0.02, _LOAD_S_MAX))
                service.stop(signal.SIGKILL)
    with bench.serving(data_dir, *options) as service:
        check(load.history if load else [], place, place_of(service))
    return _CYCLES


ATTACK: Final = Attack(
    "SIGKILL at a random instant", run, 100, 2, sabotage="late-write", noticed="^was answered and is lost", cycles=1_000
)
