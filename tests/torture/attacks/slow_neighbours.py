"""Good clients among a thousand slow ones, who must not notice them.

Good clients ask at a steady rate, and are timed alone, among slow ones, and alone again, on processors that nothing
else disturbs. What a slow client may cost the others is a small share of a processor, not their time.
"""

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from itertools import cycle
from typing import Final

from pexservice.trial.linearizability import check
from pexservice.trial.operation import PATHS, Operation
from pexservice.walk.steps import NEXT, PREVIOUS, Step
from support.client import Client, message
from support.process import Service
from torture.attack import Attack, Bench, Violation
from torture.crowd import connected, narrow, stand_at
from torture.load import place_of, record
from torture.vitals import eventually, gauges

_POSITION: Final = 100_000
"""Its value has 20,899 digits, so that a few unread answers are more than the kernel takes."""
_SLOW: Final = 1_000
_HEADER: Final = message("POST", "/next")[:-2] + b"A: "
_BODY: Final = message("POST", "/next", "Content-Length: 64")
_SLOWLY_READ: Final = message("GET", "/current") * 30
_NEVER_READ: Final = message("GET", "/current") * 31
_BEGINNINGS: Final = [b"", b"P", _HEADER, _HEADER, _BODY, _BODY, _SLOWLY_READ, _NEVER_READ]
"""What slow clients begin with."""
_GOOD: Final = 4
_ATTEMPTS: Final = 3
"""A machine may be busy at the wrong moment; a service that is slow is slow each time."""
_RATE_PER_S: Final = 200
_QUIET_S: Final = 2.0
_CROWDED_S: Final = 5.0
_RATIO_MAX: Final = 2
_FLOOR_S: Final = 0.002
"""Below it the machine's own scheduling is measured, not the service."""
_HOPELESS_S: Final = 0.1
"""No noise of a machine takes so long one time in a hundred."""
_SETTLED_S_MAX: Final = 5
_ASKED: Final[list[Step | None]] = [NEXT, None, PREVIOUS, None]


def run(bench: Bench) -> int:
    """Time good clients alone, among slow ones, and alone again."""
    data_dir = bench.directory / "data"
    stand_at(data_dir, _POSITION)
    attempts: list[str] = []
    with bench.serving(data_dir) as service, connected(service, _GOOD) as good, _undisturbed(service):
        history: list[Operation] = []
        begin = place_of(service)
        for _ in range(_ATTEMPTS):
            quiet = _time(good, _QUIET_S, history)
            with narrow(service, _SLOW) as slow:
                _begin(slow)
                _await_connections(good, _GOOD + _SLOW)
                gauges(good[0])  # By then it was read what they began with: a burst like any other.
                crowded_s = _p99_s(_time(good, _CROWDED_S, history, trickle=_trickle(slow)))
            _await_connections(good, _GOOD)
            quiet_s = _p99_s(quiet + _time(good, _QUIET_S, history))
            attempts.append(f"{crowded_s * 1e3:.2f} ms among them, {quiet_s * 1e3:.2f} ms alone")
            is_served = crowded_s <= max(_RATIO_MAX * quiet_s, _FLOOR_S)
            if is_served or crowded_s > _HOPELESS_S:
                break
        check(history, begin, place_of(service))
    if not is_served:
        raise Violation(f"99 of 100 good clients are served in {'; '.join(attempts)}")
    return 1


def _await_connections(good: list[Client], count: int) -> None:
    look = partial(gauges, good[0])
    eventually(look, lambda seen: seen.connections == count, f"not {count} connections", within_s=_SETTLED_S_MAX)


@contextmanager
def _undisturbed(service: Service) -> Iterator[None]:
    """Give the service and this process a processor each, where there are two, ahead of all that runs there."""
    processors = sorted(os.sched_getaffinity(0))
    try:
        for pid, processor in ((service.pid, processors[0]), (0, processors[-1])):
            os.sched_setaffinity(pid, {processor})
            with suppress(PermissionError):  # Without the right to it, the times are only less steady.
                os.sched_setscheduler(pid, os.SCHED_FIFO, os.sched_param(1))
        yield
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        os.sched_setaffinity(0, processors)


def _time(
    good: list[Client], seconds: float, history: list[Operation], trickle: Iterator[None] | None = None
) -> list[float]:
    """Ask at a steady rate; return how long after its time each request was answered.

    Counting from when it should have been sent makes one long pause count for all the requests that it held up.
    """
    taken_s = []
    began_s = time.monotonic()
    for index in range(int(seconds * _RATE_PER_S)):
        due_s = began_s + index / _RATE_PER_S
        time.sleep(max(0.0, due_s - time.monotonic()))
        client, step = good[index % len(good)], _ASKED[index % len(_ASKED)]
        operation = Operation(step, time.monotonic())
        history.append(operation)
        client.send(message("GET", PATHS[step]))
        record(operation, client.read())
        taken_s.append(operation.answered_s - due_s)
        if trickle is not None:
            next(trickle)
    return taken_s


def _p99_s(taken_s: list[float]) -> float:
    return sorted(taken_s)[len(taken_s) * 99 // 100]


def _begin(slow: list[socket.socket]) -> None:
    """Begin something on every connection."""
    for client, data in zip(slow, cycle(_BEGINNINGS), strict=False):
        client.setblocking(False)
        client.send(data)


def _trickle(slow: list[socket.socket]) -> Iterator[None]:
    """Let one connection after the other send a byte, or read a little."""
    for client, data in cycle(zip(slow, cycle(_BEGINNINGS), strict=False)):
        if data in (_HEADER, _BODY):
            client.send(b"a")
        elif data == _SLOWLY_READ:
            with suppress(BlockingIOError):
                client.recv(512)
        else:
            continue
        yield


ATTACK: Final = Attack(
    "good clients among slow ones",
    run,
    rounds=5,
    rounds_short=1,
    sabotage="costly-connections",
    noticed="^99 of 100 good clients are served in",
    cycles=5,
    pace="alone",
)
