"""What keys of steps cost: `python -m benchmarks.keys`. For docs/retries.md; it takes a minute.

Memory and times of a full table of keys; the start of the service with it and without; and the processor time of the
service for a step with a key and for one without, in turn on the same service.
"""

import itertools
import os
import socket
import statistics
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from benchmarks.asking import ask
from benchmarks.peers.running import free_port
from benchmarks.placement import Placement
from benchmarks.processes import serving
from benchmarks.starts import seconds_to_answer, write_history
from pexservice.core.keys import Seen, digests
from pexservice.core.known import KnownKeys
from pexservice.limits import DEFAULT

_KEYS: Final = DEFAULT.idempotency_keys_max
_SERVE: Final = (sys.executable, "-m", "pexservice", "serve")
_CLIENTS: Final = (1, 10, 64)
_REQUESTS: Final = 3_840
"""In a round, in passes of one from each client."""
_ROUNDS: Final = 9
_STARTS: Final = 5
_QUIET_S: Final = 2 * DEFAULT.start_quiet_s
"""Until all that a service imports is imported."""


def table() -> str:
    """Return what a full table takes, after as many keys again have gone through it."""
    tracemalloc.start()
    before_bytes = tracemalloc.get_traced_memory()[0]
    known = KnownKeys(_KEYS, DEFAULT.idempotency_ttl_s)
    for number in range(2 * _KEYS):
        seen = Seen(known.now_s(), 10**7 + number, "1n", str(10**6 + number))
        known.settle({digests([b"%d" % number], b"any")[0]: seen.packed()})
    held_bytes = tracemalloc.get_traced_memory()[0] - before_bytes
    tracemalloc.stop()
    began_s = time.process_time()
    written = known.write()
    written_s = time.process_time()
    KnownKeys(_KEYS, DEFAULT.idempotency_ttl_s).read(written)
    read_s = time.process_time()
    return (
        f"{_KEYS} keys: {held_bytes / 2**20:.1f} MiB, {len(written) / 2**20:.1f} MiB written in "
        f"{(written_s - began_s) * 1000:.0f} ms, read in {(read_s - written_s) * 1000:.0f} ms"
    )


def starts(data: Path, placement: Placement) -> str:
    """Return the seconds to the first answer, without keys and with all."""
    took_s: dict[int, list[float]] = {0: [], _KEYS: []}
    for index, keys in itertools.product(range(_STARTS), took_s):
        directory = data / f"{keys}-{index}"
        directory.mkdir()
        write_history(directory, 20_000, keys)
        took_s[keys].append(seconds_to_answer(directory, placement, _SERVE))
    without, with_keys = (statistics.median(each) * 1000 for each in took_s.values())
    return f"a start, to the first answer: {without:.0f} ms, with {_KEYS} keys {with_keys:.0f} ms"


def memory(data: Path) -> str:
    """Return the resident memory of the service after a start, without keys and with all."""
    held_bytes = []
    for keys in (0, _KEYS):
        directory, port = data / f"memory-{keys}", free_port()
        directory.mkdir()
        write_history(directory, 20_000, keys)
        serve = [*_SERVE, "--port", str(port), "--data-dir", str(directory)]
        with serving(serve, data / "log", {}) as process:
            ask(port, "/current", patience_s=30)
            time.sleep(_QUIET_S)
            ask(port, "/metrics", patience_s=30)
            held_bytes.append(_resident_bytes(process.pid))
    without, with_keys = (each / 2**20 for each in held_bytes)
    return f"a service: {without:.1f} MiB, with {_KEYS} keys {with_keys:.1f} MiB"


def _resident_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:")) << 10


def steps(data: Path, clients_count: int) -> str:
    """Return the service's processor time for a step, where so many clients ask at a time."""
    port = free_port()
    used_us: dict[bool, list[float]] = {False: [], True: []}
    numbers = itertools.count()
    with ExitStack() as stack:
        process = stack.enter_context(
            serving(
                [*_SERVE, "--port", str(port), "--data-dir", str(data / f"steps-{clients_count}")], data / "log", {}
            )
        )
        ask(port, "/current", patience_s=30)
        addresses = [("127.0.0.1", port)] * clients_count
        clients = [stack.enter_context(socket.create_connection(address, 30)) for address in addresses]
        for _, has_key in itertools.product(range(_ROUNDS), used_us):
            # Made beforehand: a client that is slower with keys would make for smaller groups, which cost more.
            passes = [[_request(numbers, has_key=has_key) for _ in clients] for _ in range(_REQUESTS // clients_count)]
            before_us = _processor_us(process.pid)
            for requests in passes:
                for client, request in zip(clients, requests, strict=True):
                    client.sendall(request)
                for client in clients:
                    client.recv(1 << 16)
            used_us[has_key].append((_processor_us(process.pid) - before_us) / (clients_count * len(passes)))
    without_us, with_us = (statistics.median(each) for each in used_us.values())
    ratio = with_us / without_us
    return (
        f"a step, {clients_count} clients: {without_us:.1f} us, with a key {with_us:.1f} us, {ratio:.2f} times as much"
    )


def _request(numbers: Iterator[int], *, has_key: bool) -> bytes:
    key = b"Idempotency-Key: 7c1f6f4e-2f0c-4b6e-9a53-%012d\r\n" % next(numbers) if has_key else b""
    return b"POST /next HTTP/1.1\r\nHost: localhost\r\nPrefer: return=minimal\r\n%b\r\n" % key


def _processor_us(pid: int) -> float:
    """Return the processor time that a process has used."""
    return sum(int(each.read_text("ascii").split()[0]) for each in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1000


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as directory:
        first, *others = sorted(os.sched_getaffinity(0))
        beside = Placement("beside", first, others[0] if others else first)
        of_steps = (steps(Path(directory), count) for count in _CLIENTS)
        for line in (table(), memory(Path(directory)), starts(Path(directory), beside), *of_steps):
            sys.stdout.write(line + "\n")
