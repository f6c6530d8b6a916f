"""Requests from bytes: what RFC 9110 and 9112 demand, however the bytes are cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pexservice.errors import BadRequest
from pexservice.http.reader import Event, Reader, WantsContinue
from pexservice.http.request import Request
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


def outcome(events: list[Event]) -> list[object]:
    """Return what can be compared of events."""
    return [event.status if isinstance(event, BadRequest) else event for event in events]


def feed(*pieces: bytes) -> list[Event]:
    """Return what a new reader makes of bytes that come in pieces."""
    reader = Reader()
    return [event for piece in pieces for event in reader.feed(piece)]


def one_by_one(data: bytes) -> list[Event]:
    """Return what a new reader makes of bytes that come one at a time."""
    return feed(*(data[index : index + 1] for index in range(len(data))))


@pytest.mark.parametrize("data", GOOD.values(), ids=GOOD)
def test_a_valid_request_is_read_in_whatever_pieces_it_comes(data: bytes) -> None:
    """Whole, byte by byte, and with another request behind it, it is the same one request."""
    (whole,) = feed(data)
    assert isinstance(whole, Request)
    assert one_by_one(data) == [whole]
    followed = feed(data + GET)
    assert followed[0] == whole
    assert len(followed) == (2 if whole.keep_alive else 1)


@pytest.mark.parametrize(("data", "status"), BAD.values(), ids=BAD)
def test_an_invalid_request_is_refused_in_whatever_pieces_it_comes(data: bytes, status: int) -> None:
    """Whole, byte by byte, and with another request behind it, it is an error, and the end."""
    for events in (feed(data), one_by_one(data), feed(data + GET), feed(data, GET)):
        assert outcome(events) == [status]


@pytest.mark.parametrize("cut", range(len(GET)))
def test_part_of_a_request_is_none(cut: int) -> None:
    """Nothing but a complete request comes out."""
    reader = Reader()
    assert reader.feed(GET[:cut]) == []
    assert reader.at_boundary == (cut == 0)


@given(st.lists(st.sampled_from([*GOOD.values(), BAD["no Host"][0]]), max_size=5), st.data())
def test_the_cutting_of_a_pipeline_does_not_matter(messages: list[bytes], data: st.DataObject) -> None:
    """Any cut of any sequence of requests gives the same requests."""
    stream = b"".join(messages)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    pieces = [stream[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert outcome(feed(*pieces)) == outcome(feed(stream))


def test_a_waiting_client_is_told_to_continue() -> None:
    """100 Continue is wanted once, when the head is there and the body is not."""
    head = request(HOST + b"Content-Length: 3\r\nExpect: 100-continue\r\n")
    waiting, arrived = feed(head, b"abc")
    assert isinstance(waiting, WantsContinue)
    assert isinstance(arrived, Request)
    assert len(feed(head + b"abc")) == 1


def test_nothing_is_read_behind_a_last_request() -> None:
    """After Connection: close, and in HTTP/1.0 without keep-alive, what follows is ignored."""
    assert len(feed(request(HOST + b"Connection: close\r\n") + GET)) == 1
    assert len(feed(request(b"", b"GET /next HTTP/1.0") + GET)) == 1
    assert len(feed(request(b"Connection: keep-alive\r\n", b"GET /next HTTP/1.0") + GET)) == 2
