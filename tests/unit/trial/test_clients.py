"""Clients that step a service: where they go, and what a refusal tells of a step that was sent before."""

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest

from pexservice.trial.clients import Clients
from pexservice.trial.operation import Operation
from pexservice.walk.steps import NEXT

_LOST = b""
_TAKEN = b"HTTP/1.1 204 No Content\r\nPex-Sequence: 1\r\nPex-Position: 1\r\n\r\n"
_TURNED_AWAY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
_TIMEOUT_S = 10.0


class Scripted:
    """A service that answers as it was told to, and then that a step is taken; no answer closes the connection."""

    def __init__(self, *answers: bytes) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.asked: list[bytes] = []
        self._answers = list(answers)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        with suppress(OSError):  # The listener is closed.
            while True:
                connection, _ = self.listener.accept()
                with connection:
                    self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        while request := connection.recv(65_536):
            self.asked.append(request)
            answer = self._answers.pop(0) if self._answers else _TAKEN
            if answer == _LOST:
                return
            connection.sendall(answer)

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self.listener.close()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


def asked(stack: ExitStack, *services: Scripted, requests: int) -> list[Operation]:
    """Have one client that retries ask so often, and return what it was told."""
    for service in services:
        stack.callback(service.close)
    addresses = [service.listener.getsockname() for service in services]
    told: list[Operation] = []
    clients = stack.enter_context(
        Clients(addresses, clients=1, choose=lambda: NEXT, note=told.append, requests_max=requests, is_retrying=True)
    )
    for _ in range(100):
        if clients.is_done:
            break
        clients.turn(_TIMEOUT_S / 100)
    assert clients.is_done
    assert clients.history == told
    return told


def test_a_refusal_is_believed_only_of_a_step_that_was_not_sent_before(stack: ExitStack) -> None:
    """A step whose connection was lost may be taken, whoever says later that he did not take it."""
    service = Scripted(_TURNED_AWAY, _LOST, _TURNED_AWAY)
    told = asked(stack, service, requests=2)
    assert [each.status for each in told] == [503, 204]
    first, *again = service.asked
    assert first not in again
    assert len(set(again)) == 1


def test_a_client_goes_from_one_address_to_the_next(stack: ExitStack) -> None:
    """After some answers, or a loss; what was lost at one is asked for at the next, with the same key."""
    one, two = Scripted(*[_TAKEN] * 50, _LOST), Scripted()
    told = asked(stack, one, two, requests=200)
    assert {each.status for each in told} == {204}
    assert one.asked[50] == two.asked[0]
    assert (len(one.asked), len(two.asked)) == (51 + 50, 100)


class _StoppedWhileItCloses(socket.socket):
    """Closing one is where the signal that stops arrives: in the main thread, as Python does it."""

    def close(self) -> None:
        super().close()
        if threading.current_thread() is threading.main_thread():
            raise KeyboardInterrupt


def test_a_stop_while_a_connection_closes_is_no_error(stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever line it comes at, the block ends in order."""
    service = Scripted(_LOST)
    stack.callback(service.close)
    monkeypatch.setattr(socket, "socket", _StoppedWhileItCloses)
    where = [("127.0.0.1", service.listener.getsockname()[1])]
    clients = Clients(where, clients=1, choose=lambda: NEXT, note=lambda _: None, requests_max=1, is_retrying=True)
    with pytest.raises(KeyboardInterrupt):
        _ask_all(clients)


def _ask_all(clients: Clients) -> None:
    with clients:
        while not clients.is_done:
            clients.turn(_TIMEOUT_S / 100)
