"""Requests, good and bad, as bytes; the bad ones with the status that they get."""

from pexservice.limits import BODY_BYTES_MAX, HEADER_BYTES_MAX, HEADER_FIELDS_MAX, REQUEST_LINE_BYTES_MAX

HOST = b"Host: x\r\n"
GET = b"GET /next HTTP/1.1\r\nHost: x\r\n\r\n"


def request(fields: bytes = HOST, line: bytes = b"POST /next HTTP/1.1", body: bytes = b"") -> bytes:
    """Return the bytes of a request."""
    return line + b"\r\n" + fields + b"\r\n" + body


def fields_of(size: int) -> bytes:
    """Return header fields of exactly so many bytes."""
    return HOST + b"A: " + b"a" * (size - len(HOST) - 5) + b"\r\n"


def line_of(size: int) -> bytes:
    """Return a request line of exactly so many bytes."""
    return b"GET /" + b"a" * (size - 14) + b" HTTP/1.1"


CHUNKED = HOST + b"Transfer-Encoding: chunked\r\n"

GOOD = {
    "plain": GET,
    "HTTP/1.0 without Host": request(b"", b"GET /next HTTP/1.0"),
    "absolute form": request(HOST, b"GET http://example.com:80/next?a=b HTTP/1.1"),
    "query": request(HOST, b"GET /next?x HTTP/1.1"),
    "asterisk": request(HOST, b"OPTIONS * HTTP/1.1"),
    "unknown method": request(HOST, b"BREW /next HTTP/1.1"),
    "IPv6 host": request(b"Host: [::1]:8081\r\n"),
    "sized body": request(HOST + b"Content-Length: 3\r\n", body=b"abc"),
    "largest body": request(HOST + b"Content-Length: %d\r\n" % BODY_BYTES_MAX, body=bytes(BODY_BYTES_MAX)),
    "chunked body": request(CHUNKED, body=b"3;x=y\r\nabc\r\n0\r\nTrailer: t\r\n\r\n"),
    "largest chunked body": request(CHUNKED, body=b"400\r\n" + bytes(1024) + b"\r\n0\r\n\r\n"),
    "longest line": request(HOST, line_of(REQUEST_LINE_BYTES_MAX)),
    "largest header": request(fields_of(HEADER_BYTES_MAX)),
    "most fields": request(HOST + b"A: b\r\n" * (HEADER_FIELDS_MAX - 1)),
    "upgrade ignored": request(HOST + b"Connection: Upgrade\r\nUpgrade: h2c\r\n", b"GET /next HTTP/1.1"),
    "empty lines before": b"\r\n\r\n" + GET,
}

BAD = {
    "no Host": (request(b""), 400),
    "two Hosts": (request(HOST + HOST), 400),
    "two Hosts in HTTP/1.0": (request(HOST + HOST, b"GET / HTTP/1.0"), 400),
    "bad Host": (request(b"Host: a b\r\n"), 400),
    "Host with a path": (request(b"Host: a/b\r\n"), 400),
    "Host with userinfo": (request(b"Host: a@b\r\n"), 400),
    "empty Host": (request(b"Host: \r\n"), 400),
    "length and coding": (request(CHUNKED + b"Content-Length: 3\r\n", body=b"0\r\n\r\n"), 400),
    "coding and length": (request(HOST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"), 400),
    "coding in HTTP/1.0": (request(CHUNKED, b"POST /next HTTP/1.0"), 400),
    "two lengths": (request(HOST + b"Content-Length: 3\r\nContent-Length: 4\r\n"), 400),
    "two equal lengths": (request(HOST + b"Content-Length: 3\r\nContent-Length: 3\r\n"), 400),
    "list of lengths": (request(HOST + b"Content-Length: 3, 3\r\n"), 400),
    "signed length": (request(HOST + b"Content-Length: +3\r\n"), 400),
    "negative length": (request(HOST + b"Content-Length: -3\r\n"), 400),
    "hexadecimal length": (request(HOST + b"Content-Length: 0x3\r\n"), 400),
    "chunked twice": (request(HOST + b"Transfer-Encoding: chunked, chunked\r\n"), 400),
    "chunked not last": (request(HOST + b"Transfer-Encoding: chunked, gzip\r\n"), 400),
    "unknown coding alone": (request(HOST + b"Transfer-Encoding: xchunked\r\n"), 400),
    "unknown coding before": (request(HOST + b"Transfer-Encoding: gzip, chunked\r\n"), 501),
    "bad chunk size": (request(CHUNKED, body=b"xyz\r\n"), 400),
    "chunk without its end": (request(CHUNKED, body=b"3\r\nabcX\r\n"), 400),
    "body too large": (request(HOST + b"Content-Length: %d\r\n" % (BODY_BYTES_MAX + 1)), 413),
    "chunked body too large": (request(CHUNKED, body=b"401\r\n" + bytes(1025) + b"\r\n0\r\n\r\n"), 413),
    "bare LF": (b"GET /next HTTP/1.1\nHost: x\n\n", 400),
    "bare LF in a field": (b"GET /next HTTP/1.1\r\nHost: x\nA: b\r\n\r\n", 400),
    "bare CR": (b"GET /next HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n", 400),
    "NUL in a value": (request(HOST + b"A: b\0c\r\n"), 400),
    "folded field": (request(HOST + b"A: b\r\n c\r\n"), 400),
    "space before the colon": (request(HOST + b"A : b\r\n"), 400),
    "field without a colon": (request(HOST + b"A\r\n"), 400),
    "two spaces in the line": (request(HOST, b"GET  /next HTTP/1.1"), 400),
    "space at the line's end": (request(HOST, b"GET /next HTTP/1.1 "), 400),
    "no version": (request(HOST, b"GET /next"), 400),
    "lower-case version": (request(HOST, b"GET /next http/1.1"), 400),
    "HTTP/1.2": (request(HOST, b"GET /next HTTP/1.2"), 505),
    "HTTP/2.0": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "fragment": (request(HOST, b"GET /next#a HTTP/1.1"), 400),
    "relative target": (request(HOST, b"GET next HTTP/1.1"), 400),
    "asterisk with GET": (request(HOST, b"GET * HTTP/1.1"), 400),
    "CONNECT": (request(HOST, b"CONNECT example.com:443 HTTP/1.1"), 400),
    "not HTTP": (b"\x16\x03\x01\x02\x00\x01", 400),
    "unknown expectation": (request(HOST + b"Expect: coffee\r\n"), 417),
    "line too long": (request(HOST, line_of(REQUEST_LINE_BYTES_MAX + 1)), 414),
    "line without end": (b"GET /" + b"a" * REQUEST_LINE_BYTES_MAX * 2, 414),
    "header too large": (request(fields_of(HEADER_BYTES_MAX + 1)), 431),
    "header without end": (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * HEADER_BYTES_MAX, 431),
    "too many fields": (request(HOST + b"A: b\r\n" * HEADER_FIELDS_MAX), 431),
}
