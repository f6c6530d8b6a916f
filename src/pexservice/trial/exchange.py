"""Requests of the walk as bytes, and its answers from them.

A client library would take most of the processor that the service is to have, and hide when a byte came. What is read
may come from any program that listens there, so it is bounded, and what is no answer of a pexservice is an error.
"""

import re
import socket
import time
from dataclasses import dataclass
from typing import Final

from pexservice.core.judging import Place
from pexservice.errors import AddressUnavailable, reason
from pexservice.limits import DEFAULT
from pexservice.trial.operation import PATHS
from pexservice.walk.steps import Step

HEAD_BYTES_MAX: Final = 16 * 1024
BODY_BYTES_MAX: Final = DEFAULT.unsent_bytes_max
"""No service sends a longer value."""
PATIENCE_S: Final = 10.0
"""For one answer: as long as the service itself waits for a disk before it tells."""
_STATUS: Final = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})[ \r]")
_FIELD: Final = re.compile(rb"\r\n(content-length|pex-sequence|pex-position): ([0-9]{1,19})(?=\r)", re.IGNORECASE)
_CLOSES: Final = re.compile(rb"\r\nconnection: *close\r", re.IGNORECASE)


class NotAnAnswer(Exception):
    """Raised when what came is no answer of a pexservice."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: its status, the place that it tells if it is about the walk, and its body."""

    status: int
    place: Place[int] | None
    body: bytes
    closes: bool


def request(step: Step | None, host: str, prefix: str = "") -> bytes:
    """Return the bytes that ask for a step, or for where the walk stands, which costs the same at any position."""
    method, field = ("GET", "Prefer: return=minimal") if step is None else ("POST", "Content-Length: 0")
    return f"{method} {prefix}{PATHS[step]} HTTP/1.1\r\nHost: {host}\r\n{field}\r\n\r\n".encode("ascii")


def cut(data: bytes | bytearray) -> tuple[Answer, int] | None:
    """Return the answer that begins the data and its length, or None if it is not whole. Raises NotAnAnswer."""
    end = data.find(b"\r\n\r\n", 0, HEAD_BYTES_MAX) + 4
    if end < 4:  # noqa: PLR2004 - it was not found.
        if len(data) > HEAD_BYTES_MAX or not b"HTTP/1.".startswith(data[:7]):
            raise NotAnAnswer
        return None
    head = bytes(data[: end - 2])
    status = _STATUS.match(head)
    fields = {name.lower(): int(value) for name, value in _FIELD.findall(head)}
    is_bare = status is not None and status[1] in {b"204", b"304"}
    size = 0 if is_bare else fields.get(b"content-length", BODY_BYTES_MAX + 1)
    if status is None or size > BODY_BYTES_MAX:
        raise NotAnAnswer
    if len(data) < end + size:
        return None
    place = None
    if b"pex-sequence" in fields and b"pex-position" in fields:
        place = Place(fields[b"pex-sequence"], fields[b"pex-position"])
    answer = Answer(int(status[1]), place, bytes(data[end : end + size]), bool(_CLOSES.search(head)))
    return answer, end + size


def host_field(host: str, port: int) -> str:
    """Return the value of the Host field."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _received(connection: socket.socket, deadline_s: float) -> bytes:
    received = connection.recv(65_536)
    if not received or time.monotonic() > deadline_s:  # It ended, or drips without end.
        raise NotAnAnswer
    return received


def read_place(host: str, port: int, prefix: str = "") -> Place[int]:
    """Ask where the walk stands. Raises AddressUnavailable if no pexservice answers."""
    where = f"http://{host_field(host, port)}{prefix}"
    data = bytearray()
    deadline_s = time.monotonic() + PATIENCE_S
    try:
        with socket.create_connection((host, port), PATIENCE_S) as connection:
            connection.sendall(request(None, host_field(host, port), prefix))
            while (found := cut(data)) is None:
                data += _received(connection, deadline_s)
    except OSError as error:
        message = f"nothing answers at {where}: {reason(error)}. Is the service running? 'pexservice serve' starts it."
        raise AddressUnavailable(message) from error
    except NotAnAnswer as error:
        message = f"what answers at {where} is no pexservice."
        raise AddressUnavailable(message) from error
    place = found[0].place
    if place is None:
        message = f"what answers at {where} is no pexservice that is ready: /current was answered {found[0].status}."
        raise AddressUnavailable(message)
    return place
