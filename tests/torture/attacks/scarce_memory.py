"""A service on 512 MiB, among clients that want more.

The kernel is the judge. The service runs in a memory cgroup, and whatever clients do, the OOM killer must find no
reason to strike, and a good client must be served. Each situation is one way to want more memory, and lasts until the
end of its block, so that others can look at it too.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal, Inexact
from functools import cache
from typing import Final

from pexservice.limits import DEFAULT, MIB
from pexservice.trial.linearizability import NOT_APPLIED, check
from pexservice.walk.steps import NEXT, PREVIOUS
from support.client import message
from support.process import Service
from torture.attack import Attack, Bench, Violation, require
from torture.cgroup import MemoryGroup, memory_group
from torture.crowd import allow_descriptors, ask_all, connected, narrow, stand_at
from torture.load import place_of
from torture.vitals import check_log

_LIMIT_BYTES: Final = 512 * MIB
_HIGH: Final = 1_000_000
"""A position whose value has 208,988 digits."""
_UNCOUNTED: Final = 70_000
"""One whose answers, of 14.6 KiB, are just below what a client may leave unread before it is no longer read from."""
_CROWD: Final = DEFAULT.connections_max - 10
"""As many clients as there may be, but for a few good ones."""
_READERS: Final = 64
_ROUNDS: Final = 5
_NON_READERS: Final = 1_000
_HASTY: Final = 1_000
_HASTY_BYTES: Final = 76 << 10
"""Of requests that a client sends in one go: what the kernel takes for a service that is busy with others."""
_EXACT: Final = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[Inexact])


@contextmanager
def _unread(service: Service) -> Iterator[None]:
    """Clients that ask for some long answers, and read none."""
    with narrow(service, _NON_READERS) as clients:
        for client in clients:
            client.sendall(message("GET", "/next") * 8)
        yield


@contextmanager
def _idle(service: Service) -> Iterator[None]:
    """As many connections as there may be, on which nothing is asked."""
    with connected(service, _CROWD):
        yield


@contextmanager
def _active(service: Service) -> Iterator[None]:
    """As many, all of which ask at once, and again."""
    begin = place_of(service)
    with connected(service, _CROWD) as clients:
        history = [operation for step in (NEXT, PREVIOUS, NEXT) for operation in ask_all(clients, step)]
        check(history, begin, place_of(service))
        yield


@contextmanager
def _long(service: Service) -> Iterator[None]:
    """Clients that step, and read their long answers as they should."""
    begin = place_of(service)
    with connected(service, _READERS) as clients:
        history = [operation for _ in range(_ROUNDS) for operation in ask_all(clients, NEXT)]
        expected = _digests(_HIGH, _HIGH + _ROUNDS * _READERS)
        for operation in history:
            assert operation.place is not None
            assert operation.value is not None
            digest = hashlib.sha256(operation.value.encode()).digest()
            position = operation.place.state
            require(digest == expected[position - _HIGH], f"another number than the value of {position}")
        check(history, begin, place_of(service))
        yield


@contextmanager
def _uncounted(service: Service) -> Iterator[None]:
    """As many clients as there may be, each of which leaves nearly as much unread as it may."""
    with narrow(service, _CROWD) as clients:
        for client in clients:
            client.sendall(message("GET", "/next") * 10)
        yield


@contextmanager
def _hasty(service: Service) -> Iterator[None]:
    """Clients that send thousands of requests in one go, unlike those of others, and read no answer."""
    with narrow(service, _HASTY) as clients:
        for number, client in enumerate(clients):
            client.setblocking(False)
            request = b"GET /current?%d HTTP/1.1\r\nHost:a\r\n\r\n" % number
            client.send(request * (_HASTY_BYTES // len(request)))
        yield


@dataclass(frozen=True)
class Situation:
    """Where the walk stands, and what clients do there."""

    name: str
    position: int
    enter: Callable[[Service], AbstractContextManager[None]]


SITUATIONS: Final = [
    Situation(f"{_NON_READERS:,} clients that do not read, at position {_HIGH:,}", _HIGH, _unread),
    Situation(f"{_HASTY:,} clients that send {_HASTY_BYTES >> 10} KiB of requests and do not read", _HIGH, _hasty),
    Situation(f"{_CROWD:,} connections that all ask at once", 1, _active),
    Situation(f"{_READERS} clients at position {_HIGH:,}", _HIGH, _long),
    Situation(f"{_CROWD:,} clients that leave up to 16 KiB unread", _UNCOUNTED, _uncounted),
    Situation(f"{_CROWD:,} idle connections", 1, _idle),
]


def run(bench: Bench) -> int:
    """Bring about one situation, in a group with little memory, and see whether a good client is served."""
    situation = SITUATIONS[bench.index % len(SITUATIONS)]
    data_dir = bench.directory / "data"
    stand_at(data_dir, situation.position)
    allow_descriptors(DEFAULT.connections_max)
    with memory_group(_LIMIT_BYTES) as group, bench.serving(data_dir, wrapper=group.wrapper) as service:
        try:
            with situation.enter(service):
                _check_good(service)
            check_log(service)
        except OSError as error:
            raise Violation(
                f"among {situation.name}, a client was cut off: {error!r}. {_end(service, group)}"
            ) from error
        require(service.stop() == 0, f"after {situation.name}: {_end(service, group)}")
        require(not group.kills, f"among {situation.name}: {_end(service, group)}")
    return 1


def _check_good(service: Service) -> None:
    """Make sure that a client is served that asks for a step, and for a value if there is room for it."""
    with service.connect() as client:
        status = client.ask("POST", "/next", "Prefer: return=minimal").status
        require(status == 204, f"a good client's step was answered {status}")
        status = client.ask("GET", "/current").status
        require(status in {200, NOT_APPLIED}, f"a good client's read was answered {status}")


def _end(service: Service, group: MemoryGroup) -> str:
    killed = f"the OOM killer struck {group.kills} times" if group.kills else "the OOM killer did not strike"
    return f"{killed}, at most {group.peak_bytes >> 20} MiB were held, and it logged {service.log[-1000:]}"


@cache
def _digests(first: int, last: int) -> list[bytes]:
    """Return the SHA-256 of the digits of F(first) to F(last), by other formulas than the service's.

    F(2k) = F(k) L(k) and L(2k) = L(k)^2 - 2 (-1)^k, with the Lucas numbers L; and F(k+1) = (F(k) + L(k)) / 2,
    L(k+1) = (5 F(k) + L(k)) / 2.
    """
    multiply, subtract = _EXACT.multiply, _EXACT.subtract
    value, lucas, sign = Decimal(0), Decimal(2), 1
    for bit in f"{first:b}":
        value, lucas, sign = multiply(value, lucas), subtract(multiply(lucas, lucas), 2 * sign), 1
        if bit == "1":
            value, lucas, sign = *_following(value, lucas), -1
    digests = []
    for _ in range(first, last + 1):
        digests.append(hashlib.sha256(str(value).encode()).digest())
        value, lucas = _following(value, lucas)
    return digests


def _following(value: Decimal, lucas: Decimal) -> tuple[Decimal, Decimal]:
    add, divide = _EXACT.add, _EXACT.divide_int
    return divide(add(value, lucas), 2), divide(add(_EXACT.multiply(value, 5), lucas), 2)


ATTACK: Final = Attack(
    "memory limit 512 MiB", run, 12, 4, sabotage="no-bounds", noticed=r"the OOM killer struck \d", cycles=12
)
