"""Many clients at once.

A client that waits needs no thread and no task. The kernel holds what it sent and what it was sent, so ten thousand
clients are a list of sockets, and to ask from all of them is one pass of sending and one of reading.
"""

import resource
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from pexservice.trial.operation import PATHS, Operation
from pexservice.walk.fibonacci import fibonacci_modulo
from pexservice.walk.original import FILE_NAME
from pexservice.walk.steps import Step
from support.client import Client, message
from support.process import Service
from torture.attack import Unsupported
from torture.load import record

_WRAP: Final = 1 << 64
_NARROW_BYTES: Final = 4096
_NARROW_SEGMENT_BYTES: Final = 1400
"""As on Ethernet. The kernel sizes its buffers by it: on loopback's 64 KiB it would hold 2.5 MB for a client that does
not read, before the service saw anything of it."""
_RESERVED_DESCRIPTORS: Final = 100


def stand_at(data_dir: Path, position: int) -> None:
    """Make a data directory in which the service takes over a walk of the original that stands there."""
    values = [fibonacci_modulo(at, _WRAP) for at in range(position - 1, position + 2)]
    data_dir.mkdir()
    (data_dir / FILE_NAME).write_text(",".join(map(str, [position, position, *values])), "ascii")


def allow_descriptors(clients: int) -> None:
    """Let this process, and the service that it starts, have so many connections. Raises Unsupported."""
    needed = clients + _RESERVED_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise Unsupported(f"a descriptor limit of {needed}; it is {hard}")
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


@contextmanager
def connected(service: Service, count: int) -> Iterator[list[Client]]:
    """Give so many clients that wait for each answer."""
    with ExitStack() as stack:
        yield [stack.enter_context(service.connect()) for _ in range(count)]


@contextmanager
def narrow(service: Service, count: int) -> Iterator[list[socket.socket]]:
    """Give so many connections with as little room as can be for what the client does not read."""
    with ExitStack() as stack:
        yield [stack.enter_context(narrow_socket(service)) for _ in range(count)]


def narrow_socket(service: Service) -> socket.socket:
    """Return one such connection."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _NARROW_BYTES)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, _NARROW_SEGMENT_BYTES)
    client.connect(("127.0.0.1", service.port))
    return client


def reset(client: socket.socket) -> None:
    """End a connection with a RST."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def ask_all(clients: Sequence[Client], step: Step | None, *fields: str) -> list[Operation]:
    """Ask from every client, and only then read the answers."""
    data = message("GET" if step is None else "POST", PATHS[step], *fields)
    operations = []
    for client in clients:
        operations.append(Operation(step, time.monotonic()))
        client.send(data)
    for client, operation in zip(clients, operations, strict=True):
        record(operation, client.read())
    return operations
