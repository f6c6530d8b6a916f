"""Clients that ask again until they know, with a key for each step.

Whatever becomes of the service, each of their steps is taken exactly once. So for the judge there is no operation of
unknown outcome: one that was begun is answered in the end, and nothing is in the walk that nobody was told of.
"""

import threading
import time
from random import Random
from types import TracebackType
from typing import Final, Self

from pexservice.trial.linearizability import NOT_APPLIED
from pexservice.trial.operation import PATHS, Operation
from pexservice.walk.steps import NEXT, PREVIOUS, RESET, Step
from support.client import Client
from support.process import Service
from torture.attack import require
from torture.load import WAIT_S, record

_MIX: Final[list[Step]] = [NEXT] * 12 + [PREVIOUS] * 3 + [RESET]
_PAUSE_S_MAX: Final = 0.02
_ANSWER_S_MAX: Final = 20
"""A connection on which nothing comes for so long is given up, and the step asked for again."""


class Retrying:
    """Clients that go on over all services of the block, one after the other on the same directory."""

    def __init__(self, rng: Random, *, clients: int) -> None:
        self.history: list[Operation] = []
        """Every step that was begun. Complete after the block."""
        self.replays = 0
        """How many answers said that the step had been taken before."""
        self._service: Service | None = None
        self._stopping = threading.Event()
        self._is_given_up = False
        self._lock = threading.Lock()
        self._wrong: list[str] = []
        self._threads = [
            threading.Thread(target=self._run, args=(f"client-{rng.getrandbits(64):x}", Random(rng.random())))
            for _ in range(clients)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._is_given_up = True
        for thread in self._threads:
            thread.join(WAIT_S)

    def finish(self) -> None:
        """Begin no more steps, and return once each client knows what came of its last."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(WAIT_S)
        require(not any(thread.is_alive() for thread in self._threads), "a client never learned what came of a step")
        require(not self._wrong, "; ".join(self._wrong[:3]))

    def ask(self, service: Service) -> None:
        """Ask this service from now on."""
        self._service = service

    def wait(self, answers: int) -> None:
        """Return once so many more steps were answered."""
        wanted, deadline_s = len(self._answered()) + answers, time.monotonic() + WAIT_S
        while len(self._answered()) < wanted:
            require(not self._wrong, "; ".join(self._wrong[:3]))
            require(time.monotonic() < deadline_s, f"no {answers} steps were answered in {WAIT_S} s")
            time.sleep(0.005)

    def _answered(self) -> list[Operation]:
        return [each for each in self.history if not each.is_unknown]

    def _run(self, name: str, rng: Random) -> None:
        number = 0
        client: Client | None = None
        while not (self._stopping.is_set() or self._is_given_up):
            number += 1
            operation = Operation(rng.choice(_MIX), time.monotonic())
            self.history.append(operation)
            while operation.is_unknown and not (self._wrong or self._is_given_up):
                client = self._try(client, operation, f"{name}/{number}")
                if client is None:
                    time.sleep(rng.uniform(0, _PAUSE_S_MAX))
        if client is not None:
            client.close()

    def _try(self, client: Client | None, operation: Operation, key: str) -> Client | None:
        """Ask once; return the connection if it can be used again."""
        service = self._service
        if service is None or not service.where:
            return None
        try:
            if client is None:
                client = service.connect()
                client.socket.settimeout(_ANSWER_S_MAX)
            answer = client.ask("POST", PATHS[operation.step], f"Idempotency-Key: {key}")
        except (OSError, AssertionError):
            if client is not None:
                client.close()
            return None
        if answer.status == NOT_APPLIED:
            client.close()
            return None
        if answer.status not in {200, 204}:
            self._wrong.append(f"{key} was answered {answer.status}")
            return None
        with self._lock:
            self.replays += answer.get("idempotency-replayed") == "true"
        record(operation, answer)
        if answer.closes:
            client.close()
            return None
        return client
