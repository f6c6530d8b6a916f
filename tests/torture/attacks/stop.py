"""SIGTERM under load.

The idea: an orderly stop owes an answer to every request that it accepted, so afterwards nothing is left to doubt: the
walk has taken exactly the steps that were answered. A client may find the door closed, before its first answer on a
connection; after one it is answered until an answer says `Connection: close`.
"""

import signal
import time
from collections import defaultdict
from typing import Final

from pexservice.limits import DRAIN_IDLE_S, DRAIN_TIMEOUT_S
from pexservice.store import Place
from torture.attack import Attack, Bench, require
from torture.history import Operation
from torture.linearizability import check
from torture.load import Load, place_of

_CYCLES: Final = 10


def run(bench: Bench) -> int:
    """Stop, and start again on the same journal."""
    data_dir = bench.directory / "data"
    place = Place(0, 0)
    for _ in range(_CYCLES):
        with bench.serving(data_dir, small_segments=bench.rng.random() < 0.5) as service:
            require(place_of(service) == place, f"started at {place_of(service)}, stopped at {place}")
            with Load(service, bench.rng, clients=bench.rng.randint(1, 12)) as load:
                time.sleep(bench.rng.uniform(0, 0.3))
                stopped_s = time.monotonic()
                status = service.stop(signal.SIGTERM)
                took_s = time.monotonic() - stopped_s
            require(status == 0, f"a stop ended with {status}: {service.log}")
            require(took_s <= DRAIN_TIMEOUT_S, f"a stop took {took_s:.1f} s")
        _check_answered(load.history, stopped_s)
        answered = [operation for operation in load.history if operation.is_taken]
        with bench.serving(data_dir) as service:
            begin, place = place, place_of(service)
            check(answered, begin, place)
    return _CYCLES


def _check_answered(history: list[Operation], stopped_s: float) -> None:
    connections: dict[int, list[Operation]] = defaultdict(list)
    for operation in history:
        connections[operation.connection].append(operation)
    for operations in connections.values():
        answered = [operation for operation in operations if not operation.is_unknown]
        if not answered or answered[-1].closes:
            continue
        unanswered = operations[len(answered) :]
        came_late = all(operation.invoked_s > stopped_s + DRAIN_IDLE_S / 2 for operation in unanswered)
        require(came_late, f"accepted, and never answered: {unanswered}, behind {answered[-1:]}, stopped {stopped_s}")


ATTACK: Final = Attack("SIGTERM under load", run, rounds=20, rounds_short=1, sabotage="no-drain")
