"""The service as a separate process, on a port of its own."""

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path


class Service:
    """A running service and the port it told in its log."""

    def __init__(self, data_dir: Path, *arguments: str, prefix: Sequence[str] = ()) -> None:
        command = [
            *prefix,
            sys.executable,
            "-m",
            "pexservice",
            "serve",
            "--port",
            "0",
            "--data-dir",
            str(data_dir),
            *arguments,
        ]
        self.log: list[str] = []
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self.port = 0
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.log.append(line)
            told = re.search(r"where=http://127\.0\.0\.1:(\d+)", line)
            if told:
                self.port = int(told[1])
                break

    def ask(self, path: str, method: str = "GET") -> tuple[int, int, str]:
        """Return status, sequence and body of one answer."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, int(answer.headers.get("Pex-Sequence", -1)), answer.read().decode().strip()
        finally:
            connection.close()

    def end(self, number: int) -> int:
        """Send a signal and return the exit status."""
        self.process.send_signal(number)
        rest = self.process.communicate(timeout=30)[1]
        self.log.append(rest)
        return self.process.returncode


@contextmanager
def serving(data_dir: Path, *arguments: str, prefix: Sequence[str] = ()) -> Iterator[Service]:
    """Run a service for a while. A `prefix` is a command that runs it."""
    service = Service(data_dir, *arguments, prefix=prefix)
    try:
        yield service
    finally:
        if service.process.poll() is None:
            service.end(signal.SIGKILL)
        if service.process.stderr is not None:
            service.process.stderr.close()


def exchange(port: int, data: bytes, *, then_close: bool = True) -> bytes:
    """Send bytes on one connection, end it from this side, and return all that is answered."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.sendall(data)
        if then_close:
            client.shutdown(socket.SHUT_WR)
        received = b""
        while piece := client.recv(65536):
            received += piece
        return received
