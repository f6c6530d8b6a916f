"""A peer while it runs."""

import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks import processes
from benchmarks.asking import ask
from benchmarks.peers import Peer
from benchmarks.placement import Placement
from pexservice.walk.fibonacci import fibonacci_modulo
from pexservice.walk.original import FILE_NAME

_START_S: Final = 20
"""FastAPI takes one second, everything else less."""
_WRAP: Final = 1 << 64
"""The original's file has values modulo this."""


@dataclass(frozen=True, slots=True)
class Running:
    """Where a peer answers, and which processes it consists of."""

    port: int
    pids: list[int]


@contextmanager
def running(peer: Peer, placement: Placement, data: Path, *, position: int = 0) -> Iterator[Running]:
    """Run a peer with fresh data below the directory `data`, until the end of the block, once it answers.

    Above 0, `position` is where the walk stands; only pexservice can do that. Raises processes.Failed.
    """
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=data, prefix=peer.name)))
        if position:
            write_original(directory, position)
        port = free_port()
        logs, pids = [], []
        for index, program in enumerate(peer.programs(directory, port)):
            log = directory / f"log-{index}"
            process = stack.enter_context(
                processes.serving(placement.server(program.arguments), log, program.variables)
            )
            logs.append(log)
            pids.append(process.pid)
        try:
            status = ask(port, "/current", patience_s=_START_S).split(b" ", 2)[1]
        except (OSError, IndexError) as error:
            said = "; ".join(map(processes.last_words, logs))
            raise processes.Failed(f"{peer.name} does not answer: {error}. It says: {said}") from error
        if status != b"200":
            raise processes.Failed(f"{peer.name} answers /current with {status.decode('ascii', 'replace')}")
        yield Running(port, pids)


def write_original(directory: Path, position: int) -> None:
    """Write a data file of the original whose walk stands at `position`, for pexservice to take over."""
    values = ",".join(str(fibonacci_modulo(each, _WRAP)) for each in (position - 1, position, position + 1))
    (directory / FILE_NAME).write_text(f"{position},{position},{values}\n", "ascii")


def free_port() -> int:
    """Return a port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def module_variables() -> dict[str, str]:
    """Return what a Python process of a peer needs to find this package and its own modules."""
    root = str(Path(__file__).parents[2])
    return {"PYTHONPATH": os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))}
