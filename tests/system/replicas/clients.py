"""Clients that ask any replica, and ask again where they may: what they were told, and when."""

import http.client
import socket
import threading
import time
from collections.abc import Sequence
from enum import Enum, auto
from itertools import count
from pathlib import Path
from random import Random
from typing import Final

from system.replicas.ledger_of_all import Told

PATIENCE_S: Final = 30.0
"""Longer than any server here is away."""
_CLIENTS: Final = 9
_PATHS: Final = ("/next", "/next", "/next", "/previous", "/reset", "/current", "/current")
_PAUSE_S: Final = 0.01


class Clients:
    """Threads, each of which asks one thing after the other, its own replica first; half of the steps have a key."""

    def __init__(self, replicas: Sequence[Path]) -> None:
        """`replicas` are their sockets, which no cut of the network is in the way of."""
        self._replicas = replicas
        self.told: list[Told] = []
        self.served = [0] * len(replicas)
        """How much each replica answered, roughly."""
        self.repeats = 0
        """How often something was asked again,"""
        self.turned_away = 0
        """and how often there was no replica, or one that answered 503."""
        self._keys = count()
        self._stopping, self._giving_up = threading.Event(), threading.Event()
        self._threads = [threading.Thread(target=self._ask_on, args=(number,)) for number in range(_CLIENTS)]

    def start(self) -> None:
        """Begin to ask."""
        for thread in self._threads:
            thread.start()

    def stop(self, *, gives_up: bool = False) -> None:
        """Return once all have ended, who know then what became of their last step unless they give up."""
        self._stopping.set()
        if gives_up:
            self._giving_up.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()

    def _ask_on(self, number: int) -> None:
        random = Random(number)
        connections = [_Connection(path) for path in self._replicas]
        while not self._stopping.is_set():
            path, key = random.choice(_PATHS), f"key-{next(self._keys)}" if number % 2 else None
            began_s = time.monotonic()
            told = self._ask_until_known(connections, number, path, key)
            if told is not Outcome.NOTHING_DONE:
                place = (None, 0) if told is Outcome.UNKNOWN else told
                self.told.append(Told(path, began_s, time.monotonic(), *place))
        for connection in connections:
            connection.close()

    def _ask_until_known(
        self, connections: Sequence["_Connection"], first: int, path: str, key: str | None
    ) -> "tuple[int, int] | Outcome":
        """Ask a replica; and then the next ones, while that is safe, with the same key."""
        began_s = time.monotonic()
        for attempt in count(first):
            which = attempt % len(connections)
            told = _ask(connections[which], path, key)
            if isinstance(told, tuple):
                self.served[which] += 1
                return told
            self.turned_away += told is Outcome.NOTHING_DONE
            time.sleep(_PAUSE_S)
            if key is None and path != "/current":
                return told
            if time.monotonic() - began_s > PATIENCE_S or self._giving_up.is_set():
                return Outcome.UNKNOWN
            self.repeats += 1
        raise AssertionError


class Outcome(Enum):
    """What a client knows that was not answered."""

    NOTHING_DONE = auto()
    """It was turned away, or nobody was there."""
    UNKNOWN = auto()


def _ask(connection: "_Connection", path: str, key: str | None) -> tuple[int, int] | Outcome:
    """Ask once; return sequence and position."""
    try:
        headers = {"Idempotency-Key": key} if key and path != "/current" else {}
        connection.request("GET" if path == "/current" else "POST", path, headers=headers)
        answer = connection.getresponse()
        answer.read()
    except (ConnectionRefusedError, FileNotFoundError):
        connection.close()
        return Outcome.NOTHING_DONE
    except (OSError, http.client.HTTPException):
        connection.close()
        return Outcome.UNKNOWN
    if answer.status == http.client.SERVICE_UNAVAILABLE:
        return Outcome.NOTHING_DONE
    assert answer.status == http.client.OK, (answer.status, path)
    return int(answer.headers["Pex-Sequence"]), int(answer.headers["Pex-Position"])


class _Connection(http.client.HTTPConnection):
    """To a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=PATIENCE_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))
