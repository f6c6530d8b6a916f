"""Mixed load from many clients, each request recorded with its outcome.

Three kinds of clients behave as real ones do: one keeps its connection and waits for each answer, one sends several
requests in one go, one makes a connection for each request. Whatever happens to the service, a request that was begun
stays in the history, as answered or as unknown. While nothing is broken none may be unknown: which an attack tells by
`require_answered`.
"""

import threading
import time
from collections.abc import Callable
from random import Random
from types import TracebackType
from typing import Final, Self

from pexservice.core.judging import Place
from pexservice.trial.linearizability import check
from pexservice.trial.operation import PATHS, Operation, new_connection
from pexservice.walk.steps import NEXT, PREVIOUS, RESET, Step
from support.client import Answer, Client, message
from support.process import Service
from torture.attack import require

WAIT_S: Final = 60
"""Beyond it, what a round waits for will not come."""
_ANSWER_S_MAX: Final = 120
"""Twice what the slowest disk and the longest suspension account for."""
_BURST_MAX: Final = 5
"""Requests that a pipelining client sends in one go. Few, so that few are unknown after a crash."""
_MIX: Final[list[Step | None]] = [NEXT] * 12 + [PREVIOUS] * 3 + [None] * 4 + [RESET]


def record(operation: Operation, answer: Answer) -> None:
    """Note what an operation was answered."""
    operation.answered_s = time.monotonic()
    operation.status = answer.status
    operation.closes = answer.closes
    if answer.status in {200, 204}:
        operation.place = Place(answer.sequence, answer.position)
        operation.value = answer.body.decode("ascii").strip() if answer.body else None


def place_of(service: Service) -> Place[int]:
    """Ask a service where its walk stands, and make sure of the value there."""
    require(bool(service.where), f"it did not start: {service.log}")
    operation = Operation(None, time.monotonic())
    with service.connect() as client:
        record(operation, client.ask("GET", "/current"))
    require(operation.place is not None, f"/current was answered {operation.status}")
    assert operation.place is not None
    check([operation], operation.place, operation.place)
    return operation.place


class Load:
    """Clients that keep asking, until the end of the block or of the service."""

    def __init__(self, service: Service, rng: Random, *, clients: int = 8) -> None:
        self.history: list[Operation] = []
        """Every request that was begun. Complete after the block."""
        self._service = service
        self._stopping = threading.Event()
        self._answers = 0
        self._answered = threading.Condition()
        self._wrong: list[str] = []
        self._broken_off: list[OSError] = []
        styles = [self._keep_alive, self._pipelined, self._connection_each]
        self._threads = [
            threading.Thread(target=self._run, args=(styles[index % len(styles)], Random(rng.random())))
            for index in range(clients)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(WAIT_S)
            if kind is None:
                require(not thread.is_alive(), f"a client still waits for its answer after {WAIT_S} s")
                require(not self._wrong, "; ".join(self._wrong))

    def wait(self, answers: int) -> None:
        """Return once so many answers have come since the block began."""
        with self._answered:
            is_met = self._answered.wait_for(lambda: self._answers >= answers, WAIT_S)
        require(is_met, f"{self._answers} of {answers} answers came in {WAIT_S} s")

    def require_answered(self) -> None:
        """Raise Violation unless all requests were answered up to the end of the block, or to their connection's."""
        ended = {operation.connection for operation in self.history if operation.closes}
        unknown = [each for each in self.history if each.is_unknown and each.connection not in ended]
        require(not unknown, f"nothing was broken, and {len(unknown)} requests were not answered, first {unknown[:1]}")
        require(not self._broken_off, f"nothing was broken, and connections were broken off: {self._broken_off[:3]}")

    def _run(self, style: Callable[[Random, int], None], rng: Random) -> None:
        """Ask in one style, on one connection after another, until there is none to be had."""
        while not self._stopping.is_set():
            try:
                style(rng, new_connection())
            except TimeoutError:
                self._wrong.append(f"a client was left waiting for {_ANSWER_S_MAX} s")
                return
            except OSError as error:  # The service broke the connection off: what was unanswered stays unknown.
                self._broken_off.append(error)
                if isinstance(error, ConnectionRefusedError):
                    return
            except (AssertionError, ValueError) as error:
                self._wrong.append(f"not an answer as it should be: {error}")
                return

    def _connect(self) -> Client:
        client = self._service.connect()
        client.socket.settimeout(_ANSWER_S_MAX)
        return client

    def _keep_alive(self, rng: Random, number: int) -> None:
        with self._connect() as client:
            while not self._stopping.is_set():
                if self._exchange(client, rng, number, 1):
                    return

    def _pipelined(self, rng: Random, number: int) -> None:
        with self._connect() as client:
            while not self._stopping.is_set():
                if self._exchange(client, rng, number, rng.randint(2, _BURST_MAX)):
                    return

    def _connection_each(self, rng: Random, number: int) -> None:
        with self._connect() as client:
            self._exchange(client, rng, number, 1, "Connection: close")

    def _exchange(self, client: Client, rng: Random, number: int, size: int, *fields: str) -> bool:
        """Send requests in one go and read their answers; tell whether the last of them was the connection's."""
        steps = [rng.choice(_MIX) for _ in range(size)]
        methods = [rng.choice(["GET", "POST"]) if step is not None else "GET" for step in steps]
        data = [message(method, PATHS[step], *fields) for method, step in zip(methods, steps, strict=True)]
        operations = [Operation(step, time.monotonic(), connection=number) for step in steps]
        self.history += operations
        client.send(b"".join(data))
        for operation in operations:
            answer = client.read()
            record(operation, answer)
            with self._answered:
                self._answers += 1
                self._answered.notify_all()
            if answer.closes:
                return True
        return False
