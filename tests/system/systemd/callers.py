"""A load of steps that keeps account, run inside the host with nothing but Python's standard library.

Half of the clients make a new connection for each step, the others keep theirs until they are told to close. It goes on
until its standard input ends, and then prints what was seen as JSON.
"""

# ruff: noqa: T201 - it is there to print.

import json
import socket
import sys
import threading
import time
from collections import Counter
from itertools import pairwise
from typing import Final

_ADDRESS: Final = ("127.0.0.1", 8081)
_CLIENTS: Final = 8
_TIMEOUT_S: Final = 30
_SECONDS_MAX: Final = 90
"""It ends by itself after this, whatever happens to who runs it."""
_REQUEST: Final = b"POST /next HTTP/1.1\r\nHost: machine\r\nPrefer: return=minimal\r\n"
_ending = threading.Event()


class Client(threading.Thread):
    """Takes steps, one after the other."""

    def __init__(self, *, keeps_connection: bool) -> None:
        super().__init__()
        self._keeps_connection = keeps_connection
        self._connection: socket.socket | None = None
        self.answers: list[tuple[float, int]] = []
        """When, and with which sequence."""
        self.failures: Counter[str] = Counter()

    def run(self) -> None:
        """Go on until told to end."""
        while not _ending.is_set():
            try:
                self._step()
            except ConnectionRefusedError:
                self._fail("refused")
            except ConnectionError:
                self._fail("in flight")
            except TimeoutError:
                self._fail("timeout")
        self._close()

    def _step(self) -> None:
        if self._connection is None:
            self._connection = socket.create_connection(_ADDRESS, _TIMEOUT_S)
        self._connection.sendall(_REQUEST + (b"\r\n" if self._keeps_connection else b"Connection: close\r\n\r\n"))
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            received = self._connection.recv(4096)
            if not received:
                raise ConnectionError
            head += received
        lines = head.decode().lower().split("\r\n")
        if lines[0].split(" ")[1] != "204":
            self._fail(lines[0])
            return
        fields = dict(line.split(": ", 1) for line in lines[1:] if line)
        self.answers.append((time.monotonic(), int(fields["pex-sequence"])))
        if fields.get("connection") == "close":
            self._close()

    def _fail(self, kind: str) -> None:
        self.failures[kind] += 1
        self._close()
        time.sleep(0.01)  # Else one that is refused would do nothing but ask.

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def main() -> None:
    """Run the load."""
    clients = [Client(keeps_connection=bool(number % 2)) for number in range(_CLIENTS)]
    limit = threading.Timer(_SECONDS_MAX, _ending.set)
    limit.daemon = True
    limit.start()
    for client in clients:
        client.start()
    while not all(client.answers for client in clients) and not _ending.is_set():
        time.sleep(0.01)
    print("under way", flush=True)
    sys.stdin.read()
    _ending.set()
    for client in clients:
        client.join()
    answers = sorted(answer for client in clients for answer in client.answers)
    times = [at_s for at_s, _ in answers]
    failures: Counter[str] = Counter()
    for client in clients:
        failures += client.failures
    report = {
        "answers": len(answers),
        "unlike": len({sequence for _, sequence in answers}),
        "highest": max(sequence for _, sequence in answers),
        "pause_s_max": max(after - before for before, after in pairwise(times)),
        "failures": failures,
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
