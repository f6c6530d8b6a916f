"""A small HTTP client that sends exactly the bytes it is given, and reads exactly one answer at a time."""

import socket
from dataclasses import dataclass
from typing import Final, Self

TIMEOUT_S: Final = 60
"""An answer that takes longer is taken for one that never comes."""


def message(
    method: str, target: str, *fields: str, version: str = "1.1", host: str | None = "test", body: bytes = b""
) -> bytes:
    """Return the bytes of a request. `fields` are whole lines; a `host` of None leaves Host out."""
    lines = [f"{method} {target} HTTP/{version}"]
    if host is not None:
        lines.append(f"Host: {host}")
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, *fields, "", ""]).encode("latin-1") + body


@dataclass(frozen=True)
class Answer:
    """One answer. Names of fields are in lower case."""

    status: int
    version: str
    fields: tuple[tuple[str, str], ...]
    body: bytes

    def get(self, name: str) -> str | None:
        """Return the value of a field that may be there once."""
        values = [value for field, value in self.fields if field == name]
        assert len(values) <= 1, f"{name} is there {len(values)} times"
        return values[0] if values else None

    def __getitem__(self, name: str) -> str:
        value = self.get(name)
        assert value is not None, f"there is no {name} in {self}"
        return value

    @property
    def sequence(self) -> int:
        """What Pex-Sequence says."""
        return int(self["pex-sequence"])

    @property
    def position(self) -> int:
        """What Pex-Position says."""
        return int(self["pex-position"])

    @property
    def closes(self) -> bool:
        """Whether the answer says that it is the last."""
        return self.get("connection") == "close"


class Client:
    """One connection."""

    def __init__(self, address: tuple[str, int] | str) -> None:
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.settimeout(TIMEOUT_S)
        try:
            self.socket.connect(address)
        except OSError:
            self.socket.close()
            raise
        if family == socket.AF_INET:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self.socket.close()

    def send(self, *pieces: bytes) -> None:
        """Send bytes, each piece in a packet of its own."""
        for piece in pieces:
            self.socket.sendall(piece)

    def end_sending(self) -> None:
        """Close the sending side, and go on reading."""
        self.socket.shutdown(socket.SHUT_WR)

    def ask(self, method: str, target: str, *fields: str, version: str = "1.1", body: bytes = b"") -> Answer:
        """Send one request and read its answer."""
        self.send(message(method, target, *fields, version=version, body=body))
        return self.read(method)

    def read(self, method: str = "GET") -> Answer:
        """Read exactly one answer, to a request with this method."""
        while b"\r\n\r\n" not in self._buffer:
            self._receive()
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        line, *lines = head.decode("ascii").split("\r\n")
        version, _, rest = line.partition(" ")
        names_and_values = [each.partition(": ") for each in lines]
        fields = tuple((name.lower(), value) for name, _, value in names_and_values)
        answer = Answer(int(rest[:3]), version, fields, b"")
        if method == "HEAD" or answer.status < 200 or answer.status in {204, 304}:
            return answer
        size = int(answer["content-length"])
        while len(self._buffer) < size:
            self._receive()
        body, self._buffer = self._buffer[:size], self._buffer[size:]
        return Answer(answer.status, version, fields, body)

    def read_all(self) -> list[Answer]:
        """Read answers until the service closes, which must be between two of them. None may be to HEAD."""
        answers = []
        while not self.is_ended():
            answers.append(self.read())
        return answers

    def is_ended(self) -> bool:
        """Wait for a byte or the end, and tell whether it was the end. A reset is no orderly end, and raises."""
        if not self._buffer:
            self._buffer = self.socket.recv(65536)
        return not self._buffer

    def _receive(self) -> None:
        received = self.socket.recv(1 << 20)
        if not received:
            raise ConnectionError(f"closed in the middle of an answer: {self._buffer!r}")
        self._buffer += received
