"""Clients that step a service: where they go, and what a refusal tells of a step that was sent before."""

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from pexservice.trial.clients import Clients
from pexservice.trial.operation import Operation
from pexservice.walk.steps import NEXT

_LOST = b""
_TAKEN = b"HTTP/1.1 204 No Content\r\nPex-Sequence: 1\r\nPex-Position: 1\r\n\r\n"
_TURNED_AWAY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
_TIMEOUT_S = 10.0


class Scripted:
    """A service that answers one request after the other as it was told to; no answer closes the connection."""

    def __init__(self, *answers: bytes) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(_TIMEOUT_S)
        self.asked: list[bytes] = []
        self._answers = list(answers)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while self._answers:
            connection, _ = self.listener.accept()
            with connection:
                connection.settimeout(_TIMEOUT_S)
                while self._answers and (request := connection.recv(65_536)):
                    self.asked.append(request)
                    answer = self._answers.pop(0)
                    if answer == _LOST:
                        break
                    connection.sendall(answer)

    def close(self) -> None:
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
    service = Scripted(_TURNED_AWAY, _LOST, _TURNED_AWAY, _TAKEN)
    told = asked(stack, service, requests=2)
    assert [each.status for each in told] == [503, 204]
    first, *again = service.asked
    assert first not in again
    assert len(set(again)) == 1


def test_a_client_goes_from_one_address_to_the_next(stack: ExitStack) -> None:
    """After some answers, or a loss; what was lost at one is asked for at the next, with the same key."""
    one, two = Scripted(*[_TAKEN] * 99, _LOST, _TAKEN), Scripted(*[_TAKEN] * 100)
    told = asked(stack, one, two, requests=200)
    assert {each.status for each in told} == {204}
    assert one.asked[99] == two.asked[0]
