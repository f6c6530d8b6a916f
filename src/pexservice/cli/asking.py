"""Asking a service over HTTP, whatever it is that listens there.

Who answers may be anything, a hung service, an SSH port or a page without end. So one deadline holds for all of it, the
name's look-up included, which nothing else can bound: it is done in a thread that is left behind when the time is over.
And nothing of the environment stands between us and our own service: no proxy, no .netrc.
"""

import socket
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from pexservice.errors import AddressUnavailable

if TYPE_CHECKING:
    from http.client import HTTPConnection

_BODY_BYTES_MAX: Final = 256 * 1024
"""The metrics have 10 KB; a browser's page has no business here."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a service listens: a Unix socket, or a host and a port, and what stands before each path."""

    shown: str
    host: str = "localhost"
    port: int | None = None
    prefix: str = ""
    is_tls: bool = False
    uds: Path | None = None

    @classmethod
    def of_uds(cls, path: Path) -> "Address":
        """Return the address of a Unix socket."""
        return cls(f"unix:{path}", uds=path)

    @classmethod
    def of_url(cls, text: str) -> "Address":
        """Read `http://127.0.0.1:8081` or `https://name/prefix`. Raises ValueError."""
        if any(not char.isprintable() or char.isspace() for char in text):
            message = f"{text[:80]!r} is not a URL: it has a space or a control character in it"
            raise ValueError(message)
        try:
            parts = urlsplit(text)
            host, port = parts.hostname, parts.port
            is_whole = parts.scheme in {"http", "https"} and bool(host and host.encode("idna"))
        except ValueError:
            is_whole = False
        if not is_whole or parts.username is not None or parts.query or parts.fragment or port == 0:
            message = f"{text[:80]!r} is not an http URL of a host; write http://127.0.0.1:8081"
            raise ValueError(message)
        path = parts.path.rstrip("/")
        if not path.isascii():
            message = f"the path of {text[:80]!r} is not ASCII"
            raise ValueError(message)
        return cls(text.rstrip("/"), str(host), port, path, parts.scheme == "https")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the HTTP status, and the body as text, in which bytes that are none are replaced."""

    status: int
    text: str


class Deadline:
    """A time by which everything that is asked under it has to be answered."""

    def __init__(self, seconds: float) -> None:
        self._end_s = time.monotonic() + seconds

    def left_s(self) -> float:
        """Return how much is left, in seconds; at least an instant."""
        return max(self._end_s - time.monotonic(), 0.001)


def get(address: Address, path: str, deadline: Deadline) -> Answer:
    """Ask for a path. Raises AddressUnavailable if no HTTP answer came in time, or one too long."""
    from http.client import HTTPException  # noqa: PLC0415 - imports are start-up time, also of `serve`.

    outcome: list[Answer | Exception] = []

    def ask() -> None:
        try:
            outcome.append(_ask(address, path, deadline))
        except Exception as error:  # noqa: BLE001 - Whatever a stranger sends is told below.
            outcome.append(error)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(deadline.left_s())
    got = outcome[0] if outcome else TimeoutError("no whole answer came in time")
    if isinstance(got, Answer):
        return got
    if isinstance(got, HTTPException | ValueError):
        message = f"what answers at {address.shown} does not speak HTTP as pexservice does. Is it another program?"
    else:
        reason = (got.strerror if isinstance(got, OSError) else None) or str(got) or type(got).__name__
        message = f"nothing answers at {address.shown}: {reason}. Is the service running?"
    raise AddressUnavailable(message) from got


def _ask(address: Address, path: str, deadline: Deadline) -> Answer:
    connection = _connection(address, deadline)
    try:
        connection.request("GET", address.prefix + path, headers={"Connection": "close", "Accept": "text/plain"})
        answer = connection.getresponse()
        body = answer.read(_BODY_BYTES_MAX + 1)
        if len(body) > _BODY_BYTES_MAX:
            message = "it is too long"
            raise ValueError(message)
        return Answer(answer.status, body.decode("utf-8", "replace"))
    finally:
        connection.close()


def _connection(address: Address, deadline: Deadline) -> "HTTPConnection":
    from http.client import HTTPConnection, HTTPSConnection  # noqa: PLC0415

    kind: Any = HTTPSConnection if address.is_tls else HTTPConnection
    connection: HTTPConnection = kind(address.host, address.port, timeout=deadline.left_s())
    if address.uds is not None:
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(deadline.left_s())
        connection.sock.connect(str(address.uds))
    return connection
