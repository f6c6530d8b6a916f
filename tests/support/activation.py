"""The service with a listening socket that outlives it, as the service manager passes it one."""

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.process import Service, serving

_PASS = """
import os, sys
fds, names, *program = sys.argv[1:]
numbers = [int(fd) for fd in fds.split(",")]
for number, fd in enumerate([os.dup2(fd, 200 + fd) for fd in numbers], 3):
    os.dup2(fd, number)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(numbers)), "LISTEN_FDNAMES": names}
os.execvp(program[0], program)
"""
"""Passes sockets to a program that it becomes, as the service manager does."""


def passing(fds: list[int], names: str) -> list[str]:
    """Return the wrapper of a command that passes sockets to it."""
    return [sys.executable, "-c", _PASS, ",".join(map(str, fds)), names]


@contextmanager
def activated(data_dir: Path, listener: socket.socket, *arguments: str) -> Iterator[Service]:
    """Run a service that is passed a socket until the end of the block."""
    listener.set_inheritable(True)
    with serving(data_dir, *arguments, wrapper=passing([listener.fileno()], "pexservice.socket")) as service:
        yield service
