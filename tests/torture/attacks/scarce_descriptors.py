"""Too few descriptors: a limit of 64 from the start on, and a limit that comes down while the service runs.

What a service cannot accept may wait, or be turned away, but must cost nothing: no processor time, no step, no
connection that is open, and no descriptor that the journal will need to begin its next segment. So segments are small
here, and the walk goes on.
"""

import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import Final

from pexservice.core.judging import Place
from pexservice.trial.linearizability import check
from pexservice.trial.operation import Operation
from pexservice.walk.steps import NEXT
from support.client import TIMEOUT_S, Client, message
from support.process import Service
from torture.attack import Attack, Bench, Violation, require
from torture.crowd import ask_all, connected
from torture.load import place_of, record
from torture.vitals import check_log, cpu_s, descriptors, eventually, gauges

_LIMIT: Final = 64
_CLIENTS: Final = 200
_FREE_MIN: Final = 8
"""Descriptors that must be left: the journal opens one for a new segment, and one to list its directory."""
_OPEN: Final = 20
_WAITING: Final = 40
_SETTLED_S_MAX: Final = 5
_WATCHED_S: Final = 2.0
_CPU_S_MAX: Final = 0.1
"""In that time. A service that spins takes all of it; one that rests some milliseconds."""
_REQUEST: Final = message("POST", "/next")
_CUT: Final = len(_REQUEST) // 2


def run_limited(bench: Bench) -> int:
    """Let more clients come than there are descriptors, each in the middle of a request, so that none gives way."""
    few = ["prlimit", f"--nofile={_LIMIT}"]
    with bench.serving(bench.directory / "data", wrapper=few, small_segments=True) as service:
        begin = place_of(service)
        allowed: int = service.logged("the descriptor limit allows fewer connections")["allowed"]
        with _begun(service) as clients:
            count = partial(_count_open, clients)
            eventually(count, lambda still: still <= allowed, f"more than {allowed} stay", within_s=_SETTLED_S_MAX)
            held = [client for client in clients if not _is_turned_away(client)]
            _check_rest(service)
            free = _LIMIT - descriptors(service)
            require(free >= _FREE_MIN, f"{free} descriptors are left for the journal")
            require(len(held) == allowed, f"{len(held)} connections are held, of {allowed} that may be")
            with _serving_all(service):
                history = _complete(held)
                for client in held:
                    history += ask_all([client], NEXT)
        [end] = eventually(
            partial(_places, service), bool, "nobody is served after they are gone", within_s=_SETTLED_S_MAX
        )
        check(history, begin, end)
        check_log(service, "the descriptor limit allows fewer connections", "connection turned away, none is idle")
    return 1


def run_lowered(bench: Bench) -> int:
    """Lower the limit to what is in use, or below it; let clients come; raise it again."""
    data_dir = bench.directory / "data"
    with bench.serving(data_dir, small_segments=True) as service, connected(service, _OPEN) as opened:
        begin = place_of(service)
        history = ask_all(opened, NEXT)
        _check_rest(service)  # By then a start is over and done with, too.
        used = descriptors(service)
        with ExitStack() as stack:
            with _limited(service, bench.rng.choice([used, bench.rng.randrange(used)])), _serving_all(service):
                waiting = stack.enter_context(connected(service, _WAITING))
                came_s = time.monotonic()
                for client in waiting:
                    client.send(_REQUEST)
                _check_rest(service)
                for client in opened:
                    history += ask_all([client], NEXT) + ask_all([client], None)
                gauges(opened[0])
            for client in waiting:
                history.append(Operation(NEXT, came_s))
                client.socket.settimeout(_SETTLED_S_MAX)
                with _serving_all(service):
                    record(history[-1], client.read())
        check_log(service, "cannot accept connections, they wait", "could not remove an old segment")
        require(service.stop() == 0, f"it ended with {service.wait()}: {service.log}")
    with bench.serving(data_dir) as service:
        check(history, begin, place_of(service))
    return 1


@contextmanager
def _begun(service: Service) -> Iterator[list[Client]]:
    """Give clients that have each sent half of a request, less those that were turned away at once."""
    with ExitStack() as stack:
        clients = []
        for _ in range(_CLIENTS):
            with suppress(ConnectionError):
                client = stack.enter_context(service.connect())
                client.send(_REQUEST[:_CUT])
                clients.append(client)
        yield clients


def _count_open(clients: list[Client]) -> int:
    return len(clients) - sum(map(_is_turned_away, clients))


def _is_turned_away(client: Client) -> bool:
    client.socket.settimeout(0)
    try:
        return not client.socket.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except ConnectionError:
        return True
    finally:
        client.socket.settimeout(TIMEOUT_S)


def _complete(clients: list[Client]) -> list[Operation]:
    """Send the other half, and read the answers."""
    history = []
    for client in clients:
        history.append(Operation(NEXT, time.monotonic()))
        client.send(_REQUEST[_CUT:])
    for client, operation in zip(clients, history, strict=True):
        record(operation, client.read())
    return history


def _check_rest(service: Service) -> None:
    """Make sure that the process has nothing to do while nobody asks for anything."""
    before_s = cpu_s(service)
    time.sleep(_WATCHED_S)
    used_s = cpu_s(service) - before_s
    require(used_s <= _CPU_S_MAX, f"it spins: {used_s:.2f} s of processor time in {_WATCHED_S:g} s")


@contextmanager
def _serving_all(service: Service) -> Iterator[None]:
    """Take it for a violation if a connection, other than one that was turned away, is not served."""
    try:
        yield
    except OSError as error:
        raise Violation(f"a client was cut off: {error!r}. Logged: {service.log[-2000:]}") from error


def _places(service: Service) -> list[Place[int]]:
    """Ask where the walk stands; give nothing if turned away."""
    try:
        return [place_of(service)]
    except ConnectionError:
        return []


@contextmanager
def _limited(service: Service, limit: int) -> Iterator[None]:
    """Lower the descriptor limit of the running process."""
    soft, hard = resource.prlimit(service.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(service.pid, resource.RLIMIT_NOFILE, (limit, hard))
    try:
        yield
    finally:
        resource.prlimit(service.pid, resource.RLIMIT_NOFILE, (soft, hard))


LIMITED: Final = Attack("descriptor limit 64", run_limited, 5, 1, "no-reserve", noticed="^more than .* stay", cycles=5)
LOWERED: Final = Attack("descriptors run out", run_lowered, 5, 1, "spin", noticed="^it spins", cycles=5)
