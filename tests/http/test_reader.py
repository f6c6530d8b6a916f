"""Requests from bytes: what RFC 9110 and 9112 demand, however the bytes are cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pexservice.errors import BadRequest
from pexservice.http.reader import Event, Reader, WantsContinue
from pexservice.http.request import Request
from support.requests import BAD, GET, GOOD, HOST, request


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
