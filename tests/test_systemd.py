"""What the service manager hands over, and what it is told."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from pexservice.errors import WrongSockets
from pexservice.systemd import passed_listeners
from support.client import Client
from support.messages import NEXT
from support.process import HANG_S, Service, command, environment, serving

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
def activated(data_dir: Path, listener: socket.socket) -> Iterator[Service]:
    """Run a service that is passed a socket until the end of the block."""
    fds = [listener.fileno()]
    with serving(data_dir, wrapper=passing(fds, "pexservice.socket"), pass_fds=fds) as service:
        yield service


def test_a_passed_socket_outlives_the_service(tmp_path: Path) -> None:
    """It is served in place of --port, and who comes while no service runs is answered by the next one."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        with activated(tmp_path, listener) as service:
            assert service.port == listener.getsockname()[1]
            assert service.sequence() == 0
            assert "whatever --host, --port and --uds say" in service.log
            assert service.stop(signal.SIGTERM) == 0
        waiting = stack.enter_context(Client(listener.getsockname()))
        waiting.send(NEXT)
        with activated(tmp_path, listener):
            assert waiting.read().sequence == 1


def test_a_passed_unix_socket_is_served(tmp_path: Path) -> None:
    """Any listening stream socket will do, and a stop leaves its name, which is the manager's."""
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        with activated(tmp_path / "data", listener) as service:
            assert service.sequence() == 0
            service.stop()
        Client(path).close()


@pytest.mark.parametrize(
    ("kinds", "names", "told"),
    [
        ("SS", "a:b", "several were passed: a, b"),
        ("SS", "a:a", "several sockets named 'a'"),
        ("SS", "a", "2 sockets were passed, but only 1 names"),
        ("D", "a", "does not listen for streams"),
        ("C", "a", "does not listen for streams"),
        ("F", "a", "is none"),
    ],
)
def test_sockets_that_cannot_be_served_are_refused(tmp_path: Path, kinds: str, names: str, told: str) -> None:
    """Several sockets, a datagram socket, one that does not listen, a file: 2, with the reason; nothing is written."""
    with ExitStack() as stack:
        make: dict[str, Callable[[], int]] = {
            "S": lambda: stack.enter_context(socket.create_server(("127.0.0.1", 0))).fileno(),
            "D": lambda: stack.enter_context(socket.socket(type=socket.SOCK_DGRAM)).fileno(),
            "C": lambda: stack.enter_context(socket.socket()).fileno(),
            "F": lambda: stack.enter_context((tmp_path / "file").open("w")).fileno(),
        }
        fds = [make[kind]() for kind in kinds]
        ended = subprocess.run(
            [*passing(fds, names), *command("pexservice", "serve", "--data-dir", str(tmp_path / "data"))],
            env=environment(),
            pass_fds=fds,
            capture_output=True,
            text=True,
            timeout=HANG_S,
            check=False,
        )
    assert (ended.returncode, told in ended.stderr) == (2, True), ended.stderr
    assert not list(tmp_path.glob("data/journal-*"))


def test_sockets_for_another_process_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """With LISTEN_PID of another process nothing is taken; the variables go, so that no child takes them either."""
    for name, value in {"LISTEN_PID": str(os.getpid() + 1), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "a"}.items():
        monkeypatch.setenv(name, value)
    assert passed_listeners() == {}
    assert not [name for name in os.environ if name.startswith("LISTEN_")]


@pytest.mark.parametrize("count", ["", "-1", "x", "\u00b2"])
def test_a_number_of_sockets_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, count: str) -> None:
    """A manager that says how many sockets it passed in a way that cannot be read is not guessed at."""
    for name, value in {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": count, "LISTEN_FDNAMES": "a"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(WrongSockets, match="no number of sockets"):
        passed_listeners()
