"""Cuts the bytes of one connection into requests. No sockets.

Bytes go in as they come, whole requests come out one by one, however the bytes were cut. A head is handed on only when
its empty line is there, and a body is read and discarded within its limit, so whoever gets a request from here holds
one that arrived complete. The first error ends the reading: after it nobody knows where the next request begins.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import httptools

from pexservice.errors import BadRequest
from pexservice.http.request import Request, check_request_line, parse_head
from pexservice.limits import DEFAULT, Limits

_END_OF_HEAD: Final = b"\r\n\r\n"
_BARE_LF = re.compile(rb"(?<!\r)\n")
_EXTENSIONS = re.compile(rb"[ \t;]")
"""Where they begin, behind the size of a chunk."""
_BAD_SPACE = re.compile(rb"[ \t]*([;=])[ \t]*")
_NOT_A_METHOD = re.compile(rb"[^!#$%&'*+\-.^_`|~0-9A-Za-z]")


@dataclass(frozen=True, slots=True)
class WantsContinue:
    """The client waits for 100 Continue before it sends the body of its request."""


Received = Request | WantsContinue | BadRequest


class RequestReader:
    """The reading side of a connection."""

    def __init__(self, parse: Callable[[bytes], Request] = parse_head, limits: Limits = DEFAULT) -> None:
        """`parse` judges a head, as `parse_head` does."""
        self._limits = limits
        self._parse = parse
        self._buffer = bytearray()
        self._searched = 0
        self._body: _SizedBody | _ChunkedBody | None = None
        self._request: Request | None = None
        self._failed = False
        self.finished = False
        """No more requests will come: the last one said close, or there was an error."""
        self.is_head = False
        """Whether what is being read, or had the error, is known to be a HEAD: an answer to it has no body."""

    @property
    def at_boundary(self) -> bool:
        """Whether everything so far was read as whole requests."""
        return not self._buffer and self._request is None and not self._failed

    @property
    def has_begun(self) -> bool:
        """Whether a part of a request is here. An empty line before one is none (RFC 9112, 2.2), nor is half of it."""
        return self._request is not None or (bool(self._buffer) and self._buffer != b"\r")

    @property
    def in_body(self) -> bool:
        """Whether a head was read and its body is awaited."""
        return self._request is not None

    def feed(self, data: bytes) -> None:
        """Take bytes in."""
        self._buffer += data

    def next(self) -> Received | None:
        """Return the next thing that the bytes so far complete, if any. A BadRequest is the last there ever is."""
        if self.finished:
            return None
        try:
            return self._advance()
        except BadRequest as error:
            self.finished = self._failed = True
            error.is_to_head = self.is_head
            return error

    def _advance(self) -> Request | WantsContinue | None:
        if self._request is None:
            head = self._take_head()
            if head is None:
                return None
            self._request = self._parse(head)
            if self._request.has_body:
                size = self._request.body_bytes
                self._body = _ChunkedBody(self._limits) if size is None else _SizedBody(size)
                if self._request.expects_continue and not self._buffer:
                    return WantsContinue()
        if self._body is not None:
            if not self._body.take(self._buffer):
                return None
            self._body = None
        request, self._request = self._request, None
        self.finished = not request.keep_alive
        return request

    def _take_head(self) -> bytes | None:
        buffer = self._buffer
        while buffer.startswith(b"\r\n"):  # RFC 9112, 2.2: an empty line before a request is ignored.
            del buffer[:2]
        self.is_head = buffer.startswith(b"HEAD ")
        end = buffer.find(_END_OF_HEAD, max(0, self._searched - len(_END_OF_HEAD) + 1))
        limit = end + len(_END_OF_HEAD) if end >= 0 else len(buffer)
        if _BARE_LF.search(buffer, max(0, self._searched - 1), limit):
            raise BadRequest(400, "A line of the request ends with LF alone. End each with CR LF.")
        if end < 0:
            self._check_partial_head()
            self._searched = len(buffer)
            return None
        head = bytes(buffer[:limit])
        del buffer[:limit]
        self._searched = 0
        return head

    def _check_partial_head(self) -> None:
        """Refuse what can no longer become valid, without waiting for the rest of it."""
        buffer = self._buffer
        line_end = buffer.find(b"\r\n")
        if line_end < 0:
            if buffer != b"\r" and _NOT_A_METHOD.match(buffer):
                raise BadRequest(
                    400,
                    "The request does not begin with a method. If it was meant for TLS: this is plain HTTP, so ask "
                    "http://, or the proxy in front that has the certificate.",
                )
            if len(buffer) > self._limits.request_line_bytes_max + 1:  # The one may be the CR.
                raise BadRequest(
                    414,
                    f"The request line is over {self._limits.request_line_bytes_max} bytes. No path here is that long.",
                )
            return
        check_request_line(bytes(buffer[:line_end]), self._limits)
        if len(buffer) - line_end - 2 > self._limits.header_bytes_max + 1:
            raise BadRequest(
                431, f"The header section is over {self._limits.header_bytes_max} bytes. Send fewer or shorter fields."
            )


class _SizedBody:
    """A body of known size."""

    def __init__(self, size: int) -> None:
        self._missing_bytes = size

    def take(self, buffer: bytearray) -> bool:
        """Discard the body's bytes from the front of the buffer; return whether that was all of it."""
        taken = min(self._missing_bytes, len(buffer))
        del buffer[:taken]
        self._missing_bytes -= taken
        return self._missing_bytes == 0


class _ChunkedBody:
    """A chunked body, decoded by llhttp.

    llhttp does not say where in the bytes given to it a message ended. It always ends with a line, so it is given one
    line at a time. It takes no white space around what separates the extensions of a chunk, which a recipient must
    (RFC 9112, 7.1.1; RFC 9110, 5.6.3), so it is given extensions without that, once they are there in full.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._complete = False
        self._is_at_size = True
        self._body_bytes = 0
        self._raw_bytes = 0
        self._parser = httptools.HttpRequestParser(self)
        self._parser.feed_data(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")

    def on_body(self, data: bytes) -> None:
        """Count a piece of the decoded body; llhttp calls this."""
        self._body_bytes += len(data)

    def on_chunk_header(self) -> None:
        """Note the end of a line with a size; llhttp calls this."""
        self._is_at_size = False

    def on_chunk_complete(self) -> None:
        """Note the end of a chunk; llhttp calls this."""
        self._is_at_size = True

    def on_message_complete(self) -> None:
        """Note the end; llhttp calls this."""
        self._complete = True

    def take(self, buffer: bytearray) -> bool:
        """As `_SizedBody.take`. Raises BadRequest 400, 413."""
        while buffer and not self._complete:
            end = buffer.find(b"\n") + 1
            if not end:
                extensions = _EXTENSIONS.search(buffer) if self._is_at_size else None
                end = len(buffer) if extensions is None else extensions.start()
                if not end:
                    self._check_size(len(buffer))
                    return False
            line = bytes(buffer[:end])
            del buffer[:end]
            self._raw_bytes += len(line)
            try:
                self._parser.feed_data(_BAD_SPACE.sub(rb"\1", line) if self._is_at_size else line)
            except httptools.HttpParserError as error:
                raise BadRequest(
                    400, "The chunked body is malformed (RFC 9112, 7.1). No endpoint reads a body: leave it out."
                ) from error
            self._check_size(0)
        return self._complete

    def _check_size(self, held_bytes: int) -> None:
        raw_bytes = self._raw_bytes + held_bytes
        if self._body_bytes > self._limits.body_bytes_max or raw_bytes > self._limits.chunked_bytes_max:
            raise BadRequest(
                413, f"The body is over {self._limits.body_bytes_max} bytes. No endpoint reads one: leave it out."
            )
