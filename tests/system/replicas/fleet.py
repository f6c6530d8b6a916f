"""A primary, its synchronous standby, and replicas under load from clients that ask again."""

import http.client
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from random import Random
from typing import Final

from pexservice.walk.machine import WALK
from support.postgres import Server
from support.process import Service, command, free_port
from system.replicas.ledger_of_all import Told, violations

REPLICAS: Final = 3
_CLIENTS: Final = 8
_PATHS: Final = ("/next", "/next", "/next", "/previous", "/reset", "/current", "/current")
_PATIENCE_S: Final = 30.0
"""Longer than any server here is away."""


class Fleet:
    """All of it. `program` runs each replica."""

    def __init__(self, program: Sequence[str]) -> None:
        self._program = program
        self.primary, self.standby = Server(), Server()
        self._database = ""
        self._ports = [free_port() for _ in range(REPLICAS)]
        self.replicas: list[Service] = []
        self.told: list[Told] = []
        self.repeats = 0
        self._stopping, self._is_over = threading.Event(), threading.Event()
        self._keys = count()
        self._threads = [threading.Thread(target=self._client, args=(number,)) for number in range(_CLIENTS)]

    def start(self) -> None:
        """Start all, and the load."""
        self.primary.make()
        self._database = self.primary.database(WALK, is_one_server=False).rpartition("/")[2]
        self.standby.make_standby(self.primary, "standby")
        for server in (self.primary, self.standby):  # The standby, too: it may become the primary.
            server.ask("ALTER SYSTEM SET synchronous_standby_names = '*'")
            server.ask("SELECT pg_reload_conf()")
        time.sleep(0.3)
        self.replicas = [self._replica(number) for number in range(REPLICAS)]
        for replica in self.replicas:
            replica.await_start()
            assert replica.where, replica.log
        for thread in self._threads:
            thread.start()

    def finish(self) -> list[str]:
        """End the load, and return what is wrong with what clients were told."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(2 * _PATIENCE_S)
        return violations(self.told, self.sequence())

    def remove(self) -> None:
        """End all of it, whatever its clients wait for."""
        self._stopping.set()
        self._is_over.set()
        for replica in self.replicas:
            replica.clean_up()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()
        for server in (self.primary, self.standby):
            server.remove()

    def sequence(self) -> int:
        """Return how many steps the primary has."""
        return int(self.ask("SELECT max(sequence) FROM pexservice.history"))

    def ask(self, statement: str) -> str:
        """Ask the primary, in the database of the walk."""
        return self.primary.ask(statement, self._database)

    def kill_replica(self, number: int) -> None:
        """Kill a replica, and start it again."""
        self.replicas[number].clean_up()
        self.replicas[number] = self._replica(number)

    def cut_waits(self, how: str = "terminate") -> int:
        """End backends that committed and have yet to answer; return how many there were."""
        waiting = f"SELECT count(pg_{how}_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
        return int(self.ask(waiting))

    def fail_over(self) -> None:
        """Kill the primary, promote the standby, and make the old one its standby."""
        self.primary.kill()
        self.standby.promote()
        self.primary, self.standby = self.standby, self.primary
        shutil.rmtree(self.standby.data)
        self.standby.make_standby(self.primary, "standby")

    def await_answers(self, more: int = 20) -> float:
        """Return once clients were told more; and how long no one was told anything until then, in seconds."""
        before, began_s = len(self.told), time.monotonic()
        longest_s, last_s, seen = 0.0, began_s, before
        while len(self.told) < before + more:
            time.sleep(0.005)
            now_s = time.monotonic()
            if len(self.told) > seen:
                seen, last_s = len(self.told), now_s
            longest_s = max(longest_s, now_s - last_s)
            assert now_s - began_s < _PATIENCE_S, [replica.log[-500:] for replica in self.replicas]
        return longest_s

    def _replica(self, number: int) -> Service:
        hosts = ",".join(f"127.0.0.1:{server.port}" for server in sorted((self.primary, self.standby), key=id))
        url = f"postgresql://postgres@{hosts}/{self._database}"
        options = ["--port", str(self._ports[number]), "--store", url, "--log-format", "json"]
        return Service([*self._program, "serve", *options], {}, None)

    def _client(self, number: int) -> None:
        """Ask, one thing after the other; half of the steps have a key, and are asked for until they are known."""
        random = Random(number)
        connections: dict[int, http.client.HTTPConnection] = {}
        while not self._stopping.is_set():
            path, key = random.choice(_PATHS), f"key-{next(self._keys)}" if number % 2 else None
            began_s = time.monotonic()
            while True:
                port = random.choice(self._ports)
                answer = _ask(connections, port, path, key)
                if answer is not None or (key is None and path != "/current"):
                    break
                if time.monotonic() - began_s > _PATIENCE_S or self._is_over.is_set():
                    break
                self.repeats += 1
                time.sleep(0.01)
            if answer != (503, 0, 0):
                _, sequence, position = answer or (0, None, 0)
                self.told.append(Told(path, began_s, time.monotonic(), sequence, position))
        for connection in connections.values():
            connection.close()


def _ask(
    connections: dict[int, http.client.HTTPConnection], port: int, path: str, key: str | None
) -> tuple[int, int, int] | None:
    """Return status, sequence and position; None if it is not known what became of it, or it may be asked again."""
    connection = connections.setdefault(port, http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE_S))
    try:
        headers = {"Idempotency-Key": key} if key and path != "/current" else {}
        connection.request("GET" if path == "/current" else "POST", path, headers=headers)
        answer = connection.getresponse()
        answer.read()
    except ConnectionRefusedError:
        connection.close()
        return (503, 0, 0) if key is None and path != "/current" else None
    except (OSError, http.client.HTTPException):
        connection.close()
        return None
    if answer.status == http.client.SERVICE_UNAVAILABLE:
        return (503, 0, 0) if key is None and path != "/current" else None
    assert answer.status == http.client.OK, (answer.status, path)
    return answer.status, int(answer.headers["Pex-Sequence"]), int(answer.headers["Pex-Position"])


@contextmanager
def fleet(program: Sequence[str] = tuple(command("pexservice"))) -> Iterator[Fleet]:
    """Run all of it until the end of the block."""
    made = Fleet(program)
    try:
        made.start()
        yield made
    finally:
        with suppress(AssertionError):
            made.remove()
