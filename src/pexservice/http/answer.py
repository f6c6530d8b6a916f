"""Answers as bytes.

The idea: all of an answer's head but the date and a few numbers is known before the step is. `Head` keeps that part
ready, so rendering is one format of a few fields. An answer is rendered for a connection that goes on, or closes, as
its request wished; `closing` changes one that turns out to be the last.
"""

import json
import time
from collections.abc import Mapping
from email.utils import formatdate
from http import HTTPStatus
from typing import Final

from pexservice.errors import BadRequest, NotApplied
from pexservice.http.request import Request
from pexservice.limits import SWEEP_PERIOD_S, TICK_S_MAX

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_END_OF_HEAD: Final = b"\r\n\r\n"
_CLOSE: Final = "Connection: close\r\n"
_KEEP_ALIVE_10: Final = "Connection: keep-alive\r\n"
"""HTTP/1.0 closes unless told otherwise, HTTP/1.1 goes on."""


class Clock:
    """The time as of the last sweep: one reading a second serves every request."""

    def __init__(self) -> None:
        self.now_s = 0.0
        """Seconds that the service was running, for deadlines. While it was suspended, no client was late."""
        self.date = ""
        """Wall clock, for the Date field (RFC 9110, 6.6.1)."""
        self.late_s = 0.0
        """By how much sweeps came late, in all: while the event loop was busy, or the process suspended."""
        self._ticked_s = time.monotonic()
        self.tick()

    def tick(self) -> None:
        """Read the clocks."""
        ticked_s = time.monotonic()
        passed_s = ticked_s - self._ticked_s
        self.now_s += min(passed_s, TICK_S_MAX)
        self.late_s += max(0.0, passed_s - SWEEP_PERIOD_S)
        self._ticked_s = ticked_s
        self.date = formatdate(usegmt=True)


class Head:
    """The part of an answer's head that does not change, and how to complete it."""

    __slots__ = ("_clock", "_start")

    def __init__(self, clock: Clock, status: int, fields: Mapping[str, str], request: Request | None) -> None:
        """Without a request, the answer is to something that was none, and the last."""
        if request is None or not request.keep_alive:
            connection = _CLOSE
        else:
            connection = _KEEP_ALIVE_10 if request.is_http_10 else ""
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self._clock = clock
        self._start = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n{connection}{lines}Date: "

    def bare(self, fields: str = "") -> bytes:
        """Return an answer without a body, of a status that never has one: 204, 304. `fields` are whole lines."""
        return f"{self._start}{self._clock.date}\r\n{fields}\r\n".encode("ascii")

    def with_walk(self, sequence: int, position: int, body: str) -> bytes:
        """Return an answer about the walk, as `with_body` does. PERF: formatted in one go, 0.2 us less."""
        return (
            f"{self._start}{self._clock.date}\r\nPex-Sequence: {sequence}\r\nPex-Position: {position}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        ).encode("ascii")

    def with_body(self, body: str, fields: str = "", *, omit_body: bool = False) -> bytes:
        """Return an answer with an ASCII body, or with `omit_body` the same without it, as HEAD wants it."""
        head = f"{self._start}{self._clock.date}\r\n{fields}Content-Length: {len(body)}\r\n\r\n"
        return (head if omit_body else head + body).encode("ascii")


def walk_fields(sequence: int, position: int) -> str:
    """Return the header lines that every answer about the walk has."""
    return f"Pex-Sequence: {sequence}\r\nPex-Position: {position}\r\n"


def problem(  # noqa: PLR0913 - the members of a problem document.
    clock: Clock,
    request: Request | None,
    status: int,
    detail: str,
    *,
    code: str = "",
    title: str = "",
    more: Mapping[str, str] | None = None,
    is_to_head: bool = False,
) -> bytes:
    """Return an error as application/problem+json (RFC 9457), with `more` header fields.

    `is_to_head` is for what was no valid request, but known to be a HEAD.
    """
    document = {
        "type": f"urn:pexservice:problem:{code}" if code else "about:blank",
        "title": title or HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    fields = {"Content-Type": "application/problem+json", "Cache-Control": "no-store"}
    fields |= more or {}
    omit_body = is_to_head or (request is not None and request.method == "HEAD")
    return Head(clock, status, fields, request).with_body(json.dumps(document) + "\n", omit_body=omit_body)


def bad_request(clock: Clock, error: BadRequest) -> bytes:
    """Return the answer to what was no valid request. It is the connection's last."""
    return problem(clock, None, error.status, error.detail, is_to_head=error.is_to_head)


def not_applied(clock: Clock, request: Request, error: NotApplied) -> bytes:
    """Return the 503 of a request that was turned away before it did anything."""
    more = {"Retry-After": str(error.retry_after_s)}
    return problem(clock, request, 503, error.detail, code=error.code, title=error.title, more=more)


def closing(answer: bytes) -> bytes:
    """Return an answer, rendered for a connection that goes on, for one that closes after it."""
    head, end, body = answer.partition(_END_OF_HEAD)
    fields = head.replace(_KEEP_ALIVE_10.encode(), b"") + b"\r\n" + _CLOSE.encode()
    return fields + end[2:] + body
