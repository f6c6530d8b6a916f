"""SIGTERM under load.

An orderly stop owes an answer to every request that it accepted, so afterwards nothing is left to doubt: the walk has
taken exactly the steps that were answered. A client may find the door closed, before its first answer on a connection;
after one it is answered until an answer says `Connection: close`. That must come even to a client that never pauses, on
whose connection something is always under way.
"""

import signal
import threading
import time
from collections import defaultdict
from types import TracebackType
from typing import Final, Self

from pexservice.core.judging import Place
from pexservice.limits import DEFAULT
from pexservice.trial.linearizability import check
from pexservice.trial.operation import PATHS, Operation, new_connection
from pexservice.walk.steps import NEXT
from support.client import message
from support.process import Service
from torture.attack import Attack, Bench, require
from torture.load import WAIT_S, Load, place_of, record

_CYCLES: Final = 10
_RATE_PER_S: Final = 200
"""With slow syncs, a request comes before the one before it is answered: on its connection there is no pause."""
_STOP_S_MAX: Final = DEFAULT.drain_timeout_s / 2
"""Nobody here needs the time that a stop allows."""


def run(bench: Bench) -> int:
    """Stop, and start again on the same journal."""
    data_dir = bench.directory / "data"
    place = Place(0, 0)
    for _ in range(_CYCLES):
        small, slow = bench.rng.random() < 0.5, bench.rng.random() < 0.5
        with bench.serving(data_dir, small_segments=small, slow_sync=slow) as service:
            require(place_of(service) == place, f"started at {place_of(service)}, stopped at {place}")
            with (
                _Restless(service) as restless,
                Load(service, bench.rng, clients=bench.rng.randint(1, 12)) as load,
            ):
                time.sleep(bench.rng.uniform(0, 0.3))
                stopped_s = time.monotonic()
                status = service.stop(signal.SIGTERM)
                took_s = time.monotonic() - stopped_s
            require(status == 0, f"a stop ended with {status}: {service.log}")
            require(took_s <= _STOP_S_MAX, f"a stop took {took_s:.1f} s: {service.log}")
        history = restless.history + load.history
        _check_answered(history, stopped_s)
        require(not restless.failure, f"accepted, and never answered, nor told that it ends: {restless.failure}")
        answered = [operation for operation in history if operation.is_taken]
        with bench.serving(data_dir) as service:
            begin, place = place, place_of(service)
            check(answered, begin, place)
    return _CYCLES


class _Restless:
    """A client that asks for steps at a fixed rate, whatever it is answered, until an answer is the last."""

    def __init__(self, service: Service) -> None:
        self.history: list[Operation] = []
        self.failure = ""
        """Why it did not get to the last answer."""
        self._client = service.connect()
        self._begun = threading.Event()
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._send), threading.Thread(target=self._read)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        require(self._begun.wait(WAIT_S), "a client waits for its first answer")
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        for thread in self._threads:
            thread.join(WAIT_S)

    def _send(self) -> None:
        number, began_s = new_connection(), time.monotonic()
        try:
            while not self._ended.wait(max(0, began_s + len(self.history) / _RATE_PER_S - time.monotonic())):
                self.history.append(Operation(NEXT, time.monotonic(), connection=number))
                self._client.send(message("POST", PATHS[NEXT]))
        except OSError:
            return  # What it was answered until then is for the other thread to say.

    def _read(self) -> None:
        try:
            answers = 0
            is_last = False
            while not is_last:
                answer = self._client.read()
                record(self.history[answers], answer)
                is_last = answer.closes
                answers += 1
                self._begun.set()
        except (OSError, AssertionError, ValueError, IndexError) as error:
            self.failure = repr(error)
        self._begun.set()
        self._ended.set()
        self._client.close()


def _check_answered(history: list[Operation], stopped_s: float) -> None:
    connections: dict[int | None, list[Operation]] = defaultdict(list)
    for operation in history:
        connections[operation.connection].append(operation)
    for operations in connections.values():
        answered = [operation for operation in operations if not operation.is_unknown]
        if not answered or answered[-1].closes:
            continue
        unanswered = operations[len(answered) :]
        came_late = all(operation.invoked_s > stopped_s + DEFAULT.drain_idle_s / 2 for operation in unanswered)
        require(came_late, f"accepted, and never answered: {unanswered[:1]}, behind {answered[-1:]}, stop {stopped_s}")


ATTACK: Final = Attack(
    "SIGTERM under load",
    run,
    rounds=20,
    rounds_short=1,
    sabotage="no-drain",
    noticed="^accepted, and never answered",
    cycles=200,
)
