"""Threads that wait in accept(2), on sockets that others share."""

import errno
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import structlog

from pexservice.http.acceptor import Acceptor
from support.process import wait_until


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def _another(listening: socket.socket) -> socket.socket:
    """Return the same socket as another process has it: behind a descriptor of its own."""
    return socket.socket(fileno=os.dup(listening.fileno()))


def _accepting(
    listening: socket.socket, on_accepted: Callable[[socket.SocketType], None], pause_s: float = 0.0
) -> Acceptor:
    acceptor = Acceptor(_another(listening), on_accepted, lambda: pause_s, 0.01)
    acceptor.start()
    return acceptor


def test_connections_go_round() -> None:
    """Of several that wait, each gets one in turn: the kernel wakes who has waited longest."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        taken: list[list[socket.SocketType]] = [[] for _ in range(4)]
        acceptors = [_accepting(server, each.append) for each in taken]
        wait_until(lambda: _waiting() == 4)
        for _ in range(40):
            before = sum(map(len, taken))
            stack.enter_context(socket.create_connection(server.getsockname()))
            wait_until(lambda: sum(map(len, taken)) == before + 1 and _waiting() == 4)  # noqa: B023 - of this round.
        assert [len(each) for each in taken] == [10, 10, 10, 10]
        _stop(acceptors, taken)


def _waiting() -> int:
    """Return how many threads of this process wait in accept(2), as far as the kernel tells."""
    tasks = Path("/proc/self/task")
    return sum((each / "wchan").read_text() == "inet_csk_accept" for each in tasks.iterdir()) or _sleeping()


def _sleeping() -> int:
    """As `_waiting`, where the kernel keeps it to itself: threads of that name that sleep."""
    stats = [(each / "stat").read_text() for each in Path("/proc/self/task").iterdir()]
    names = [thread.native_id for thread in threading.enumerate() if thread.name == "accept"]
    return sum(int(stat.split()[0]) in names and stat.rpartition(")")[2].split()[0] == "S" for stat in stats)


def _stop(acceptors: list[Acceptor], taken: list[list[socket.SocketType]]) -> None:
    for acceptor in acceptors:
        acceptor.stop()
        acceptor._listening.close()
    for client in (client for each in taken for client in each):
        client.close()


def test_who_stops_leaves_the_socket_to_others(listening: socket.socket) -> None:
    """At once, and what comes after is theirs."""
    one: list[socket.SocketType] = []
    other: list[socket.SocketType] = []
    first, second = _accepting(listening, one.append), _accepting(listening, other.append)
    wait_until(lambda: _waiting() == 2)
    began_s = time.monotonic()
    first.stop()
    assert time.monotonic() - began_s < 1
    with ExitStack() as stack:
        for _ in range(5):
            stack.enter_context(socket.create_connection(listening.getsockname()))
        wait_until(lambda: len(other) == 5)
    assert not one
    _stop([first, second], [one, other])


def test_a_stop_needs_no_descriptor(listening: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """There may be none to be had, of the process or of the machine, and what was accepted is owed answers."""
    acceptor = _accepting(listening, lambda _: None)
    wait_until(lambda: _waiting() == 1)
    with monkeypatch.context() as patched:
        patched.setattr(os, "open", _none_left)
        acceptor.stop()
    assert not acceptor._thread.is_alive()
    _stop([acceptor], [])


def _none_left(*_: object, **_more: object) -> int:
    raise OSError(errno.ENFILE, os.strerror(errno.ENFILE))


def test_who_pauses_leaves_connections_to_others(listening: socket.socket) -> None:
    """For as long as it was told to."""
    one: list[socket.SocketType] = []
    other: list[socket.SocketType] = []
    acceptors = [_accepting(listening, one.append, 0.5), _accepting(listening, other.append)]
    wait_until(lambda: _waiting() == 2)
    with ExitStack() as stack:
        for _ in range(10):
            stack.enter_context(socket.create_connection(listening.getsockname()))
        wait_until(lambda: len(one) + len(other) == 10)
        assert len(one) <= 1
    _stop(acceptors, [one, other])


def test_what_keeps_it_from_accepting_is_told_and_tried_again(listening: socket.socket) -> None:
    """Without a descriptor, say; the connection waits."""
    taken: list[socket.SocketType] = []
    acceptor = Acceptor(_another(listening), taken.append, lambda: 0.0, 0.01)
    accept = acceptor._listening
    errors = [ConnectionAbortedError(), OSError(24, "Too many open files")]

    class Failing:
        """A socket that fails twice at first."""

        def _accept(self) -> tuple[int, object]:
            if errors:
                raise errors.pop(0)
            return accept._accept()  # type: ignore[attr-defined,no-any-return]

        def fileno(self) -> int:
            return accept.fileno()

        def close(self) -> None:
            accept.close()

    with structlog.testing.capture_logs() as logs:
        acceptor.start()
        acceptor._listening = Failing()  # type: ignore[assignment]
        with socket.create_connection(listening.getsockname()), socket.create_connection(listening.getsockname()):
            wait_until(lambda: len(taken) == 2)
    assert [(each["event"], each["error"]) for each in logs] == [
        ("cannot accept connections, they wait", "Too many open files")
    ]
    _stop([acceptor], [taken])


def test_memory_that_a_hand_over_lacks_costs_that_connection_alone(listening: socket.socket) -> None:
    """It is closed, that is told, and the next one is taken: what a machine lacks is no defect."""
    taken: list[socket.SocketType] = []

    def take(client: socket.SocketType) -> None:
        if not refused.is_set():
            refused.set()
            client.close()
            raise MemoryError
        taken.append(client)

    refused = threading.Event()
    with structlog.testing.capture_logs() as logs:
        acceptor = _accepting(listening, take)
        with socket.create_connection(listening.getsockname()) as lost:
            assert refused.wait(10)
            assert lost.recv(1) == b""
            with socket.create_connection(listening.getsockname()):
                wait_until(lambda: len(taken) == 1)
    assert [(each["log_level"], each["event"]) for each in logs] == [
        ("warning", "cannot accept connections, they wait")
    ]
    _stop([acceptor], [taken])
