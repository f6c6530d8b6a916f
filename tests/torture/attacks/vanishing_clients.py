"""Clients that vanish, at any point of a request or an answer, while good clients go on.

A client that is gone may leave behind a step that it asked for in full, and nothing else: no step of a part of a
request, no place in a queue, no bytes, no descriptor. The walk stands high up, so that an answer is more than the
kernel takes at once, and a client can vanish in the middle of it.
"""

import socket
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Final

from pexservice.trial.linearizability import check
from pexservice.trial.operation import PATHS, Operation, new_connection
from pexservice.walk.steps import NEXT, PREVIOUS, Step
from support.client import Client, message
from support.process import Service
from torture.attack import Attack, Bench, require
from torture.crowd import connected, narrow_socket, reset, stand_at
from torture.load import place_of, record
from torture.vitals import Gauges, check_log, descriptors, eventually, gauges

_POSITION: Final = 100_000
"""Its value has 20,899 digits: more than the 16 KiB that may wait unsent before a client is no longer read from."""
_GOOD: Final = 6
_BATCHES: Final = 5
_BATCH_CLIENTS: Final = 50
_REQUESTS_MAX: Final = 20
_GONE_S_MAX: Final = 5
"""No deadline is involved: the service is told at once."""
_PARTS: Final = [
    message("GET", "/next"),
    message("POST", "/next", body=b"three"),
    message("POST", "/previous", "Transfer-Encoding: chunked") + b"3\r\nabc\r\n0\r\n\r\n",
]
"""Requests of which no part may step."""


@dataclass(frozen=True)
class _Fate:
    """What a client sends, and how it vanishes."""

    data: bytes
    steps: list[Step]
    """Those that it asked for in full."""
    is_narrow: bool
    is_sudden: bool
    """Whether it vanishes as soon as it has sent, not at some time while others are served."""
    read_bytes: int
    """How much it takes of what it is answered."""
    way: str


def run(bench: Bench) -> int:
    """Let clients vanish that asked for no step in full; and then those that did."""
    data_dir = bench.directory / "data"
    stand_at(data_dir, _POSITION)
    with bench.serving(data_dir) as service, connected(service, _GOOD) as good:
        place = place_of(service)
        _await_quiet(good[0])
        descriptors_before = descriptors(service)
        for may_step in (False, True):
            history: list[Operation] = []
            for _ in range(_BATCHES):
                fates = [_fate(bench.rng, may_step=may_step) for _ in range(_BATCH_CLIENTS)]
                history += _vanish(service, good, fates, bench.rng)
            _await_quiet(good[0])
            open_now = descriptors(service)
            require(open_now == descriptors_before, f"{descriptors_before} descriptors were open, and now {open_now}")
            begin, place = place, place_of(service)
            check(history, begin, place)
        check_log(service)
        status = service.stop()
        require(status == 0, f"the stop ended with {status}: {service.log}")
    return 2 * _BATCHES * _BATCH_CLIENTS


def _await_quiet(client: Client) -> None:
    """Await that nothing is open, and nothing under way, but what the good clients account for."""
    is_quiet = Gauges(_GOOD).__eq__
    eventually(partial(gauges, client), is_quiet, "something was left behind", within_s=_GONE_S_MAX)


def _fate(rng: Random, *, may_step: bool) -> _Fate:
    kinds: list[Step | None] = [NEXT, PREVIOUS, None] if may_step else [None]
    requests = [rng.choice(kinds) for _ in range(rng.choice([0, 1, 1, rng.randint(2, _REQUESTS_MAX)]))]
    data = b"".join(message("GET", PATHS[step]) for step in requests)
    if rng.random() < 0.5:
        part = rng.choice(_PARTS)
        data += part[: rng.randrange(1, len(part))]
    return _Fate(
        data,
        [step for step in requests if step is not None],
        is_narrow=rng.random() < 0.5,
        is_sudden=rng.random() < 0.5,
        read_bytes=rng.choice([0, 1, rng.randrange(1 << 16)]) if requests else 0,
        way=rng.choice(["close", "half-close", "reset"]),
    )


def _vanish(service: Service, good: list[Client], fates: list[_Fate], rng: Random) -> list[Operation]:
    """Let clients come, send and vanish, while the good ones are served. Return what all of them asked."""
    history: list[Operation] = []
    left: list[tuple[_Fate, socket.socket]] = []
    with ExitStack() as stack:
        for fate in fates:
            client = narrow_socket(service) if fate.is_narrow else service.connect().socket
            stack.callback(client.close)
            number = new_connection()
            history += [Operation(step, time.monotonic(), connection=number) for step in fate.steps]
            client.sendall(fate.data)
            if fate.way == "half-close":
                client.shutdown(socket.SHUT_WR)
            if fate.is_sudden:
                _leave(client, fate)
            else:
                left.append((fate, client))
        answering = [_ask(client, rng, history) for client in good]
        rng.shuffle(left)
        for fate, client in left:
            if fate.read_bytes:
                client.recv(fate.read_bytes)
            _leave(client, fate)
        for read_answers in answering:
            read_answers()
    return history


def _leave(client: socket.socket, fate: _Fate) -> None:
    if fate.way == "reset":
        reset(client)
    else:
        client.close()


def _ask(client: Client, rng: Random, history: list[Operation]) -> Callable[[], None]:
    """Send a few requests in one go; return how to read their answers."""
    steps: list[Step | None] = [rng.choice([NEXT, PREVIOUS, None]) for _ in range(rng.randint(1, 3))]
    number = new_connection()
    operations = [Operation(step, time.monotonic(), connection=number) for step in steps]
    history += operations
    client.send(b"".join(message("GET", PATHS[step]) for step in steps))

    def read_answers() -> None:
        for operation in operations:
            record(operation, client.read())

    return read_answers


ATTACK: Final = Attack(
    "clients that vanish",
    run,
    rounds=20,
    rounds_short=1,
    sabotage="leak-unsent",
    noticed="^something was left behind.*unsent_bytes=[1-9]",
    cycles=10_000,
)
