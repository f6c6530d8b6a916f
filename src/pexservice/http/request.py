"""The head of one request, judged as a whole. No sockets, no state.

llhttp is the strict judge of header fields and framing; this module adds what it leaves to its user (Host, versions,
targets, codings) and the limits. A head is judged only when it is there in full, so its outcome does not depend on how
it was cut into packets, and the same bytes always mean the same request.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from socket import AF_INET6, inet_pton
from typing import Final

import httptools

from pexservice.errors import BadRequest
from pexservice.http.fields import TCHAR, Member, members, split
from pexservice.limits import DEFAULT, Limits

_REQUEST_LINE = re.compile(rb"(%b+) ([\x21-\x7e]+) HTTP/([0-9])\.([0-9])" % TCHAR.encode("ascii"))
_ABSOLUTE_FORM = re.compile(rb"(?i:https?)://([^/?#]+)(/[^?#]*)?(?:\?([^#]*))?")
_ORIGIN_FORM = re.compile(rb"(/[^?#]*)(?:\?([^#]*))?")
_HOST = re.compile(
    rb"(?:\[([0-9A-Fa-f:.]+)\]|(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})+)(?::[0-9]*)?"  # RFC 3986, 3.2.2
)
_METHODS_LLHTTP_SHOULD_SEE: Final = {b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"PATCH", b"TRACE"}


@dataclass(frozen=True, slots=True)
class Request:
    """One request whose head, as read, is valid. `body_bytes` is None when the body is chunked."""

    method: str
    path: str
    query: str
    """What follows the question mark, as it was sent; empty without one."""
    host: str
    """Of an absolute target, else of the Host field (RFC 9112, 3.2.2); empty without either."""
    is_http_10: bool
    keep_alive: bool
    expects_continue: bool
    body_bytes: int | None
    fields: tuple[tuple[bytes, bytes], ...]
    head: bytes

    @property
    def has_body(self) -> bool:
        """Whether bytes of a body follow the head."""
        return self.body_bytes != 0

    def values(self, name: bytes) -> list[str]:
        """Return the values of a header field, named in lower case, in order."""
        return _values(self.fields, name)

    def raw_values(self, name: bytes) -> list[bytes]:
        """Return the same as they were sent."""
        return _raw_values(self.fields, name)

    def members(self, name: bytes) -> list[Member]:
        """Return the members of a header field that is a list, those that are well-formed."""
        return members(self.values(name))


def _raw_values(fields: Iterable[tuple[bytes, bytes]], name: bytes) -> list[bytes]:
    return [value for field, value in fields if field == name]


def _values(fields: Iterable[tuple[bytes, bytes]], name: bytes) -> list[str]:
    return [value.decode("latin-1") for value in _raw_values(fields, name)]


class _Fields:
    """What llhttp calls back with."""

    def __init__(self) -> None:
        self.fields: list[tuple[bytes, bytes]] = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name.lower(), value.rstrip(b" \t")))  # RFC 9112, 5.1; llhttp leaves what trails.


def check_request_line(line: bytes, limits: Limits) -> tuple[bytes, bytes, bool]:
    """Return method, target and whether the version is 1.0. Raises BadRequest 400, 414, 505."""
    if len(line) > limits.request_line_bytes_max:
        raise BadRequest(
            414, f"The request line is over {limits.request_line_bytes_max} bytes. No path here is that long."
        )
    matched = _REQUEST_LINE.fullmatch(line)
    if matched is None:
        raise BadRequest(400, "The request line is not METHOD SP TARGET SP HTTP/1.1, such as: GET /current HTTP/1.1")
    method, target, major, minor = matched.groups()
    if major != b"1" or minor > b"1":
        raise BadRequest(505, "This server speaks HTTP/1.1 and HTTP/1.0. Ask with one of these.")
    return method, target, minor == b"0"


def parse_head(head: bytes, limits: Limits = DEFAULT) -> Request:
    """Judge the head of a request, from its first byte to its empty line. Raises BadRequest."""
    line, _, section = head.partition(b"\r\n")
    method, target, is_http_10 = check_request_line(line, limits)
    if len(section) - len(b"\r\n") > limits.header_bytes_max:
        raise BadRequest(
            431, f"The header section is over {limits.header_bytes_max} bytes. Send fewer or shorter fields."
        )
    if section.count(b"\r\n") - 1 > limits.header_fields_max:
        raise BadRequest(431, f"The header section has over {limits.header_fields_max} fields. Send fewer.")
    authority, path, query = _split_target(target, method)
    fields = _parse_fields(head, method)

    def raw_members(name: bytes) -> list[str]:
        return [member.lower() for member in split(_values(fields, name))]

    host = _host(_raw_values(fields, b"host"), is_http_10=is_http_10)
    connection = raw_members(b"connection")
    expects = [member for member in raw_members(b"expect") if member] if not is_http_10 else []
    if any(member != "100-continue" for member in expects):
        raise BadRequest(417, "The only expectation that this server meets is 100-continue. Leave Expect out.")
    return Request(
        method=method.decode("ascii"),
        path=path,
        query=query,
        host=authority or host,
        is_http_10=is_http_10,
        keep_alive="close" not in connection and (not is_http_10 or "keep-alive" in connection),
        expects_continue=bool(expects),
        body_bytes=_body_bytes(
            raw_members(b"transfer-encoding"),
            _values(fields, b"content-length"),
            limits.body_bytes_max,
            is_http_10=is_http_10,
        ),
        fields=tuple(fields),
        head=head,
    )


def _parse_fields(head: bytes, method: bytes) -> list[tuple[bytes, bytes]]:
    if method not in _METHODS_LLHTTP_SHOULD_SEE:
        # llhttp knows a fixed set of methods, some of which (CONNECT, PRI) change how it reads on. Any token is a
        # method (RFC 9110, 9.1); llhttp is to judge the rest of the head as it would for the plainest of them.
        head = b"GET" + head[len(method) :]
    collected = _Fields()
    try:
        httptools.HttpRequestParser(collected).feed_data(head)
    except httptools.HttpParserUpgrade:
        pass  # An upgrade that the server does not take up is ignored (RFC 9110, 7.8).
    except httptools.HttpParserError as error:
        detail = (
            "The header is malformed. A field is one line, NAME: VALUE, without control characters (RFC 9112, 5); and "
            "a body has one length: one Content-Length, or Transfer-Encoding: chunked (RFC 9112, 6)."
        )
        raise BadRequest(400, detail) from error
    return collected.fields


def _host(hosts: list[bytes], *, is_http_10: bool) -> str:
    """RFC 9112, 3.2: exactly one valid Host; HTTP/1.0 may go without."""
    if not hosts and is_http_10:
        return ""
    if len(hosts) != 1 or not _is_host(hosts[0]):
        raise BadRequest(
            400,
            "The request must have exactly one Host field, with a name or an address, such as: Host: example.com:8081",
        )
    return hosts[0].decode("ascii")


def _is_host(value: bytes) -> bool:
    matched = _HOST.fullmatch(value)
    if matched is None or matched[1] is None:
        return matched is not None
    try:
        inet_pton(AF_INET6, matched[1].decode("ascii"))
    except OSError:
        return False
    return True


def _split_target(target: bytes, method: bytes) -> tuple[str, str, str]:
    """Return host, path and query. RFC 9112, 3.2: origin-form, absolute-form, or `*` with OPTIONS."""
    if target == b"*" and method == b"OPTIONS":
        return "", "*", ""
    matched = _ORIGIN_FORM.fullmatch(target)
    host = b""
    if matched is None:
        matched = _ABSOLUTE_FORM.fullmatch(target)
        if matched is None or not _is_host(matched[1]):
            raise BadRequest(
                400,
                "The request target is neither a path, which begins with /, nor an absolute http URI. Neither has a #.",
            )
        host = matched[1]
    path, query = matched.groups()[-2:]
    return host.decode("ascii"), (path or b"/").decode("ascii"), (query or b"").decode("ascii")


def _body_bytes(codings: list[str], lengths: list[str], bytes_max: int, *, is_http_10: bool) -> int | None:
    """RFC 9112, 6.3, strictly: whatever two readers could frame in two ways is refused, an empty member too."""
    if codings:
        if lengths or is_http_10:
            raise BadRequest(
                400, "Transfer-Encoding goes neither with Content-Length nor with HTTP/1.0. Send one of the two."
            )
        if codings[-1] != "chunked" or codings.count("chunked") > 1:
            raise BadRequest(400, "The last transfer coding, and only the last, must be chunked.")
        if len(codings) > 1:
            raise BadRequest(501, "The only transfer coding that this server knows is chunked. Send the body plain.")
        return None
    if not lengths:
        return 0
    if len(lengths) > 1 or not re.fullmatch(r"[0-9]{1,19}", lengths[0]):
        raise BadRequest(400, "Content-Length must be one decimal number.")
    length = int(lengths[0])
    if length > bytes_max:
        raise BadRequest(413, f"The body is over {bytes_max} bytes. No endpoint reads one: leave it out.")
    return length
