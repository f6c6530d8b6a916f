"""Requests, valid and not, each with what RFC 9110, RFC 9112 and the contract make of it: one table for all tests."""

from dataclasses import dataclass
from typing import Final

from pexservice.limits import DEFAULT

HOST: Final = b"Host: x\r\n"
CHUNKED: Final = HOST + b"Transfer-Encoding: chunked\r\n"
LINE: Final = b"POST /next HTTP/1.1"
TOKEN: Final = b"!#$%&'*+-.^_`|~09azAZ"
NEXT: Final = b"GET /next HTTP/1.1\r\nHost: x\r\n\r\n"


def raw(fields: bytes = HOST, *, line: bytes = LINE, body: bytes = b"") -> bytes:
    """Return the bytes of a request."""
    return line + b"\r\n" + fields + b"\r\n" + body


def chunked(body: bytes, fields: bytes = CHUNKED) -> bytes:
    """Return a request whose chunked body is as given."""
    return raw(fields, body=body)


def line_of(size_bytes: int) -> bytes:
    """Return a request line of exactly so many bytes."""
    return b"GET /next?" + b"a" * (size_bytes - 19) + b" HTTP/1.1"


def fields_of(size_bytes: int) -> bytes:
    """Return header fields, with a Host, of exactly so many bytes."""
    return HOST + b"A: " + b"a" * (size_bytes - len(HOST) - 5) + b"\r\n"


def chunks_of(raw_bytes: int) -> bytes:
    """Return a chunked body whose wire form, thanks to a chunk extension, has exactly so many bytes."""
    start, end = b"1;x=", b"\r\na\r\n0\r\n\r\n"
    return start + b"y" * (raw_bytes - len(start) - len(end)) + end


@dataclass(frozen=True)
class Valid:
    """What a valid request says."""

    data: bytes
    method: str = "POST"
    path: str = "/next"
    keep_alive: bool = True
    body_bytes: int | None = 0


def get(fields: bytes = HOST, *, target: bytes = b"/next", path: str = "/next", version: bytes = b"1.1") -> Valid:
    """Return a valid GET."""
    return Valid(raw(fields, line=b"GET %b HTTP/%b" % (target, version)), "GET", path, version == b"1.1")


VALID: Final = {
    "plain": get(),
    "POST without a length": Valid(raw()),
    "lower-case field names": get(b"host: x\r\n"),
    "no space after the colon": get(b"Host:x\r\n"),
    "white space around a value": get(b"Host: \t x \t\r\n"),
    "empty field": get(b"A:\r\n" + HOST),
    "field of white space": get(b"A: \t \r\n" + HOST),
    "empty fields": get(b"A:\r\nB:\r\n" + HOST + b"C:\r\n"),
    "obs-text in a value": get(HOST + b"A: \xe4\xff\r\n"),
    "every token character in a name": get(HOST + TOKEN + b": b\r\n"),
    "Host with a port": get(b"Host: example.com:8081\r\n"),
    "Host with an empty port": get(b"Host: example.com:\r\n"),
    "Host with an IPv6 address": get(b"Host: [::1]:8081\r\n"),
    "Host with an underscore": get(b"Host: my_service\r\n"),
    "Host with every character of a name": get(b"Host: a-._~!$&'()*+,;=%41\r\n"),
    "HTTP/1.0 without Host": get(b"", version=b"1.0"),
    "HTTP/1.0 with Host": get(version=b"1.0"),
    "query": get(target=b"/next?a=b&c", path="/next"),
    "empty query": get(target=b"/next?", path="/next"),
    "absolute form": get(target=b"http://example.com:80/next?a", path="/next"),
    "absolute form in capitals": get(target=b"HTTPS://EXAMPLE.COM/next", path="/next"),
    "absolute form without a path": get(target=b"http://example.com", path="/"),
    "absolute form with a query only": get(target=b"http://example.com?a", path="/"),
    "encoded path stays encoded": get(target=b"/%6eext", path="/%6eext"),
    "double slash stays double": get(target=b"//next", path="//next"),
    "asterisk": Valid(raw(line=b"OPTIONS * HTTP/1.1"), "OPTIONS", "*"),
    "unknown method": Valid(raw(line=b"BREW /next HTTP/1.1"), "BREW"),
    "method in lower case": Valid(raw(line=b"get /next HTTP/1.1"), "get"),
    "method of every token character": Valid(raw(line=TOKEN + b" /next HTTP/1.1"), TOKEN.decode()),
    "a method that llhttp reads differently": Valid(raw(line=b"PRI /next HTTP/1.1"), "PRI"),
    "upgrade ignored": get(HOST + b"Connection: Upgrade\r\nUpgrade: h2c\r\n"),
    "sized body": Valid(raw(HOST + b"Content-Length: 3\r\n", body=b"a\nc"), body_bytes=3),
    "white space after a length": Valid(raw(HOST + b"Content-Length: 3 \r\n", body=b"abc"), body_bytes=3),
    "length with zeros before": Valid(raw(HOST + b"Content-Length: 003\r\n", body=b"abc"), body_bytes=3),
    "body of a GET": Valid(
        raw(HOST + b"Content-Length: 3\r\n", line=b"GET /next HTTP/1.1", body=b"GET"), "GET", body_bytes=3
    ),
    "body that looks like a request": Valid(
        raw(HOST + b"Content-Length: %d\r\n" % len(NEXT), body=NEXT), body_bytes=len(NEXT)
    ),
    "chunked body": Valid(chunked(b"3\r\na\nc\r\nA\r\n0123456789\r\n0\r\n\r\n"), body_bytes=None),
    "coding in capitals": Valid(raw(HOST + b"Transfer-Encoding: CHUNKED\r\n", body=b"0\r\n\r\n"), body_bytes=None),
    "spaced extensions": Valid(chunked(b'3 ; a = b;\tc="d ; e"\r\n; =\r\n0; e\r\nA: b ; c\r\n\r\n'), body_bytes=None),
    "chunk extensions": Valid(chunked(b'3;a=b;c="d"\r\nabc\r\n0;e\r\n\r\n'), body_bytes=None),
    "trailers": Valid(chunked(b"3\r\nabc\r\n0\r\nA: b\r\nC: d\r\n\r\n"), body_bytes=None),
    "expectation with the body behind it": Valid(
        raw(HOST + b"Expect: 100-Continue\r\nContent-Length: 3\r\n", body=b"abc"), body_bytes=3
    ),
    "expectation with white space": get(HOST + b"Expect: 100-continue \r\n"),
    "expectations as a list with empty members": Valid(
        raw(HOST + b"Expect: ,100-continue, 100-Continue,\r\nContent-Length: 3\r\n", body=b"abc"), body_bytes=3
    ),
    "no expectation in a list of them": get(HOST + b"Expect: ,\r\n"),
    "an option in quotes is none": Valid(raw(HOST + b'Connection: "a, close, b"\r\n')),
    "expectation ignored in HTTP/1.0": get(HOST + b"Expect: tea\r\n", version=b"1.0"),
    "options with empty members": Valid(raw(HOST + b"Connection: ,a,,close,\r\n"), keep_alive=False),
    "coding behind a tab": Valid(raw(HOST + b"Transfer-Encoding:\tchunked\r\n", body=b"0\r\n\r\n"), body_bytes=None),
    "chunk sizes with zeros before": Valid(chunked(b"0003\r\nabc\r\n000\r\n\r\n"), body_bytes=None),
    "trailers that mean nothing there": Valid(
        chunked(b"0\r\nHost: y\r\nConnection: close, Upgrade\r\nUpgrade: h2c\r\n\r\n"), body_bytes=None
    ),
    "empty lines before": Valid(b"\r\n\r\n" + NEXT, "GET"),
    "longest line": Valid(raw(line=line_of(DEFAULT.request_line_bytes_max)), "GET"),
    "largest header": Valid(raw(fields_of(DEFAULT.header_bytes_max))),
    "most fields": Valid(raw(HOST + b"A: b\r\n" * (DEFAULT.header_fields_max - 1))),
    "largest body": Valid(
        raw(HOST + b"Content-Length: %d\r\n" % DEFAULT.body_bytes_max, body=bytes(DEFAULT.body_bytes_max)),
        body_bytes=DEFAULT.body_bytes_max,
    ),
    "largest chunked body": Valid(
        chunked(b"%x\r\n%b\r\n0\r\n\r\n" % (DEFAULT.body_bytes_max, bytes(DEFAULT.body_bytes_max))), body_bytes=None
    ),
    "largest chunked framing": Valid(chunked(chunks_of(DEFAULT.chunked_bytes_max)), body_bytes=None),
}


@dataclass(frozen=True)
class Invalid:
    """What is wrong, and the status that says so."""

    data: bytes
    status: int = 400


def bad(fields: bytes = HOST, *, line: bytes = LINE, status: int = 400) -> Invalid:
    """Return an invalid head."""
    return Invalid(raw(fields, line=line), status)


INVALID_HEADS: Final = {
    # RFC 9112, 3.2: exactly one valid Host.
    "no Host": bad(b""),
    "two Hosts": bad(HOST + HOST),
    "two Hosts in HTTP/1.0": bad(HOST + HOST, line=b"GET /next HTTP/1.0"),
    "two Hosts apart": bad(HOST + b"A: b\r\nhost: y\r\n"),
    "no Host with the absolute form": bad(b"", line=b"GET http://x/next HTTP/1.1"),
    "empty Host": bad(b"Host:\r\n"),
    "Host of white space": bad(b"Host: \t\r\n"),
    "Host with a space": bad(b"Host: a b\r\n"),
    "Host with a path": bad(b"Host: a/b\r\n"),
    "Host with userinfo": bad(b"Host: a@b\r\n"),
    "Host with a list": bad(b"Host: a, b\r\n"),
    "Host with a bad port": bad(b"Host: a:b\r\n"),
    "Host with an open bracket": bad(b"Host: [::1\r\n"),
    "Host with a bad address": bad(b"Host: [zz]\r\n"),
    "Host with a number for an address": bad(b"Host: [1]\r\n"),
    "Host with an address cut twice": bad(b"Host: [1::2::3]\r\n"),
    "Host folded": bad(b"Host:\r\n x\r\n"),
    "Host with obs-text": bad(b"Host: \xe4\r\n"),
    "Host with a bad encoding": bad(b"Host: a%zz\r\n"),
    "bad Host in HTTP/1.0": bad(b"Host: a b\r\n", line=b"GET /next HTTP/1.0"),
    # RFC 9112, 6: a body that two readers could frame in two ways.
    "length and coding": bad(HOST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"),
    "coding and length": bad(CHUNKED + b"Content-Length: 3\r\n"),
    "coding in HTTP/1.0": bad(CHUNKED, line=b"POST /next HTTP/1.0"),
    "two lengths": bad(HOST + b"Content-Length: 3\r\nContent-Length: 4\r\n"),
    "two equal lengths": bad(HOST + b"Content-Length: 3\r\nContent-Length: 3\r\n"),
    "list of lengths": bad(HOST + b"Content-Length: 5, 5\r\n"),
    "empty length": bad(HOST + b"Content-Length:\r\n"),
    "length with a plus": bad(HOST + b"Content-Length: +5\r\n"),
    "length with a minus": bad(HOST + b"Content-Length: -5\r\n"),
    "length in hexadecimal": bad(HOST + b"Content-Length: 0x5\r\n"),
    "length with a space inside": bad(HOST + b"Content-Length: 5 5\r\n"),
    "length with an underscore": bad(HOST + b"Content-Length: 1_0\r\n"),
    "length with a fraction": bad(HOST + b"Content-Length: 5.0\r\n"),
    "length beyond 64 bits": bad(HOST + b"Content-Length: 18446744073709551617\r\n"),
    "chunked twice": bad(HOST + b"Transfer-Encoding: chunked, chunked\r\n"),
    "chunked twice in two fields": bad(CHUNKED + b"Transfer-Encoding: chunked\r\n"),
    "chunked not last": bad(HOST + b"Transfer-Encoding: chunked, gzip\r\n"),
    "chunked not last in two fields": bad(CHUNKED + b"Transfer-Encoding: gzip\r\n"),
    "chunked with a parameter": bad(HOST + b"Transfer-Encoding: chunked;a=b\r\n"),
    "empty coding": bad(HOST + b"Transfer-Encoding:\r\n"),
    "unknown coding alone": bad(HOST + b"Transfer-Encoding: xchunked\r\n"),
    "identity": bad(HOST + b"Transfer-Encoding: identity\r\n"),
    "coding in quotes": bad(HOST + b'Transfer-Encoding: "chunked"\r\n'),
    "coding in the parameter of another": bad(HOST + b'Transfer-Encoding: gzip;a=", chunked"\r\n'),
    "coding in quotes without an end": bad(HOST + b'Transfer-Encoding: gzip;a=", chunked\r\n'),
    "coding with an empty member behind": bad(HOST + b"Transfer-Encoding: chunked,\r\n"),
    "coding with an empty member before": bad(HOST + b"Transfer-Encoding: ,chunked\r\n", status=501),
    "coding behind a no-break space": bad(HOST + b"Transfer-Encoding: \xa0chunked\r\n"),
    "coding with a vertical tab": bad(HOST + b"Transfer-Encoding: \x0bchunked\r\n"),
    "unknown coding before": bad(HOST + b"Transfer-Encoding: gzip, chunked\r\n", status=501),
    "unknown coding before, in two fields": bad(
        HOST + b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", status=501
    ),
    # RFC 9112, 2.2 and 5: the syntax of lines.
    "LF alone": Invalid(b"GET /next HTTP/1.1\nHost: x\n\n"),
    "LF alone after the line": Invalid(b"GET /next HTTP/1.1\nHost: x\r\n\r\n"),
    "LF alone after a field": Invalid(b"GET /next HTTP/1.1\r\nHost: x\nA: b\r\n\r\n"),
    "LF alone at the end": Invalid(b"GET /next HTTP/1.1\r\nHost: x\r\n\n\r\n\r\n"),
    "LF alone before": Invalid(b"\n" + NEXT),
    "CR alone in a value": bad(HOST + b"A: b\rc\r\n"),
    "CR alone before a field": bad(HOST + b"\rA: b\r\n"),
    "CR alone in the line": Invalid(b"GET /next\r HTTP/1.1\r\nHost: x\r\n\r\n"),
    "CR alone at the end of a value": bad(HOST + b"A: b\r\r\n"),
    "NUL in a value": bad(HOST + b"A: b\0c\r\n"),
    "NUL in a name": bad(HOST + b"A\0: b\r\n"),
    "NUL in the target": bad(line=b"GET /next\0 HTTP/1.1"),
    "control character in a value": bad(HOST + b"A: b\x01c\r\n"),
    "DEL in a value": bad(HOST + b"A: b\x7fc\r\n"),
    "folded field": bad(HOST + b"A: b\r\n c\r\n"),
    "folded field with a tab": bad(HOST + b"A: b\r\n\tc\r\n"),
    "white space before the first field": bad(b" " + HOST),
    "line of white space": bad(HOST + b" \r\n"),
    "space before the colon": bad(HOST + b"A : b\r\n"),
    "tab before the colon": bad(HOST + b"A\t: b\r\n"),
    "field without a colon": bad(HOST + b"A\r\n"),
    "field without a name": bad(HOST + b": b\r\n"),
    "name that is no token": bad(HOST + b"A(b): c\r\n"),
    "name with obs-text": bad(HOST + b"\xe4: b\r\n"),
    # RFC 9112, 3: the request line.
    "space before the line": Invalid(b" " + NEXT),
    "two spaces before the target": bad(line=b"GET  /next HTTP/1.1"),
    "two spaces after the target": bad(line=b"GET /next  HTTP/1.1"),
    "tab in the line": bad(line=b"GET\t/next HTTP/1.1"),
    "vertical tab in the line": bad(line=b"GET /next\x0bHTTP/1.1"),
    "space at the line's end": bad(line=b"GET /next HTTP/1.1 "),
    "space in the target": bad(line=b"GET /ne xt HTTP/1.1"),
    "no version": bad(line=b"GET /next"),
    "no target": bad(line=b"GET HTTP/1.1"),
    "version in lower case": bad(line=b"GET /next http/1.1"),
    "version without a dot": bad(line=b"GET /next HTTP/11"),
    "version with more digits": bad(line=b"GET /next HTTP/1.10"),
    "version with zeros before": bad(line=b"GET /next HTTP/01.1"),
    "another protocol": bad(line=b"GET /next HTTPS/1.1"),
    "version 0.9": bad(line=b"GET /next HTTP/0.9", status=505),
    "version 1.2": bad(line=b"GET /next HTTP/1.2", status=505),
    "version 2.0": bad(line=b"GET /next HTTP/2.0", status=505),
    "HTTP/2 preface": Invalid(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "method that is no token": bad(line=b"G(T /next HTTP/1.1"),
    "method with obs-text": bad(line=b"G\xc3\x84T /next HTTP/1.1"),
    "fragment": bad(line=b"GET /next#a HTTP/1.1"),
    "fragment after a query": bad(line=b"GET /next?a#b HTTP/1.1"),
    "relative target": bad(line=b"GET next HTTP/1.1"),
    "target with obs-text": bad(line=b"GET /next\xe4 HTTP/1.1"),
    "asterisk with GET": bad(line=b"GET * HTTP/1.1"),
    "absolute form without a host": bad(line=b"GET http:///next HTTP/1.1"),
    "absolute form with a bad address": bad(line=b"GET http://[::1::]/next HTTP/1.1"),
    "authority form with GET": bad(line=b"GET x:80 HTTP/1.1"),
    "absolute form with userinfo": bad(line=b"GET http://a@b/next HTTP/1.1"),
    "absolute form of another scheme": bad(line=b"GET ftp://x/next HTTP/1.1"),
    "CONNECT": bad(line=b"CONNECT example.com:443 HTTP/1.1"),
    "unknown expectation": bad(HOST + b"Expect: tea\r\n", status=417),
    "expectations of which one is unknown": bad(HOST + b"Expect: 100-continue\r\nExpect: tea\r\n", status=417),
    "expectation with a value": bad(HOST + b"Expect: 100-continue=a\r\n", status=417),
    "expectation in quotes": bad(HOST + b'Expect: "100-continue"\r\n', status=417),
    # The limits.
    "line one byte too long": bad(line=line_of(DEFAULT.request_line_bytes_max + 1), status=414),
    "header one byte too large": bad(fields_of(DEFAULT.header_bytes_max + 1), status=431),
    "one field too many": bad(HOST + b"A: b\r\n" * DEFAULT.header_fields_max, status=431),
    "body one byte too large": bad(HOST + b"Content-Length: %d\r\n" % (DEFAULT.body_bytes_max + 1), status=413),
    "body of many bytes": bad(HOST + b"Content-Length: 9999999999999999999\r\n", status=413),
}

INVALID_BODIES: Final = {
    "chunk size that is no number": Invalid(chunked(b"xyz\r\n")),
    "chunk size with a prefix": Invalid(chunked(b"0x3\r\nabc\r\n0\r\n\r\n")),
    "chunk size with a sign": Invalid(chunked(b"-3\r\nabc\r\n0\r\n\r\n")),
    "chunk size with a space after it": Invalid(chunked(b"3 \r\nabc\r\n0\r\n\r\n")),
    "chunk size with an equals sign": Invalid(chunked(b"3 = a\r\nabc\r\n0\r\n\r\n")),
    "chunk size with a space before it": Invalid(chunked(b" 3\r\nabc\r\n0\r\n\r\n")),
    "chunk size beyond 64 bits": Invalid(chunked(b"10000000000000003\r\nabc\r\n0\r\n\r\n")),
    "empty chunk size": Invalid(chunked(b"\r\nabc\r\n0\r\n\r\n")),
    "chunk longer than its size": Invalid(chunked(b"3\r\nabcd\r\n0\r\n\r\n")),
    "chunk without its CR LF": Invalid(chunked(b"3\r\nabc0\r\n\r\n")),
    "LF alone after a chunk size": Invalid(chunked(b"3\nabc\r\n0\r\n\r\n")),
    "LF alone after a chunk": Invalid(chunked(b"3\r\nabc\n0\r\n\r\n")),
    "LF alone in a trailer": Invalid(chunked(b"0\r\nA: b\n\r\n")),
    "LF alone after the last chunk": Invalid(chunked(b"0\n\r\n")),
    "CR alone in a chunk extension": Invalid(chunked(b"3;a\rb\r\nabc\r\n0\r\n\r\n")),
    "NUL in a chunk extension": Invalid(chunked(b"3;a\0b\r\nabc\r\n0\r\n\r\n")),
    "folded trailer": Invalid(chunked(b"0\r\nA: b\r\n c\r\n\r\n")),
    "chunked body one byte too large": Invalid(
        chunked(b"%x\r\n%b\r\n0\r\n\r\n" % (DEFAULT.body_bytes_max + 1, bytes(DEFAULT.body_bytes_max + 1))), 413
    ),
    "chunked framing one byte too large": Invalid(chunked(chunks_of(DEFAULT.chunked_bytes_max + 1)), 413),
    "chunk extension too large": Invalid(chunked(b"1;" + b"x" * DEFAULT.chunked_bytes_max + b"\r\n"), 413),
    "trailers without end": Invalid(chunked(b"0\r\n" + b"A: b\r\n" * DEFAULT.chunked_bytes_max), 413),
    "line without end": Invalid(b"GET /" + b"a" * (2 * DEFAULT.request_line_bytes_max), 414),
    "header without end": Invalid(b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * DEFAULT.header_bytes_max, 431),
    "not HTTP": Invalid(b"\x16\x03\x01\x02\x00\x01"),
}
INVALID: Final = INVALID_HEADS | INVALID_BODIES
