"""The service, or another program, whose log goes elsewhere: known are only its process, and what answers."""

import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

from support.client import Client
from support.process import command, environment, wait_until


@contextmanager
def running(
    program: Sequence[str],
    *,
    cwd: Path | None = None,
    stderr: int | None = None,
    variables: Mapping[str, str] = MappingProxyType({}),
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a whole command until the end of the block, at which it is killed if it has not ended."""
    with subprocess.Popen(program, cwd=cwd, env=environment(**variables), stderr=stderr) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def answering(
    directory: Path,
    *arguments: str,
    program: Sequence[str] = tuple(command("pexservice")),
    stderr: int | None = None,
    **variables: str,
) -> Iterator[tuple["subprocess.Popen[bytes]", Client]]:
    """Run the service likewise, on the Unix socket of a directory and with its data there, and connect to it."""
    path = directory / "socket"
    options = ["serve", "--uds", str(path), "--data-dir", str(directory / "data"), *arguments]
    with running([*program, *options], stderr=stderr, variables=variables) as process:
        wait_until(lambda: accepts(str(path)) or process.poll() is not None)
        with Client(str(path)) as client:
            yield process, client


def accepts(address: tuple[str, int] | str) -> bool:
    """Tell whether a socket takes connections: the file of a Unix socket is there a moment before."""
    with socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET) as probe:
        return probe.connect_ex(address) == 0
