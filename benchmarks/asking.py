"""One request and its answer, as bytes; for everything around a load that is not load."""

import re
import socket
import time
from typing import Final

from pexservice.core.judging import Place

_TIMEOUT_S: Final = 30
"""Ten times what the largest answer takes."""
_RETRY_S: Final = 0.001
"""Between two attempts to connect; a start is measured no finer than this."""
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
_PLACES: Final = (
    re.compile(rb"Pex-Sequence: ([0-9]+)\r\nPex-Position: ([0-9]+)"),
    re.compile(rb"hits,position,previous,current,next: ([0-9]+),([0-9]+),"),
)
"""In pexservice's header, and on the home page of the original made anew."""


def ask(port: int, path: str, *, version: str = "1.1", field: str = "", patience_s: float = 0) -> bytes:
    """Send one GET on a connection of its own and return the whole answer.

    `field` is a whole header line. While nobody listens, it tries again for as long as `patience_s`.
    Raises OSError.
    """
    request = f"GET {path} HTTP/{version}\r\nHost: localhost\r\n{field}\r\n".encode("ascii")
    with _connect(port, time.monotonic() + patience_s) as connection:
        connection.sendall(request)
        answer = b""
        end = -1
        while end < 0 or len(answer) < end:
            received = connection.recv(1 << 20)
            if not received:
                raise ConnectionError(f"{path}: closed before the end of the answer, after {len(answer)} bytes")
            answer += received
            head_end = answer.find(b"\r\n\r\n")
            if head_end >= 0 > end:
                length = _LENGTH.search(answer, 0, head_end)
                end = head_end + 4 + (int(length[1]) if length else 0)
    return answer


def place(port: int) -> Place[int]:
    """Return the sequence and the position that a peer tells. Raises OSError, ValueError if it tells none."""
    answer = ask(port, "/")
    for pattern in _PLACES:
        found = pattern.search(answer)
        if found:
            return Place(int(found[1]), int(found[2]))
    raise ValueError(f"no place in {answer[-200:]!r}")


def _connect(port: int, deadline_s: float) -> socket.socket:
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), _TIMEOUT_S)
        except ConnectionRefusedError:
            if time.monotonic() > deadline_s:
                raise
            time.sleep(_RETRY_S)
