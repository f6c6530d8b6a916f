"""The reader: bytes that come in any pieces become whole requests, or an error, and nothing else."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pexservice.errors import BadRequest
from pexservice.http.reader import Received, RequestReader, WantsContinue
from pexservice.http.request import Request
from support.messages import CHUNKED, HOST, INVALID, NEXT, VALID, Invalid, Valid, chunked, raw

MESSAGES: list[Valid | Invalid] = [*VALID.values(), *INVALID.values()]


def read(reader: RequestReader, data: bytes) -> list[Received]:
    """Return all that the bytes complete."""
    reader.feed(data)
    return list(iter(reader.next, None))


def feed(*pieces: bytes) -> list[Received]:
    """Return what a new reader makes of bytes that come in pieces."""
    reader = RequestReader()
    return [event for piece in pieces for event in read(reader, piece)]


def one_by_one(data: bytes) -> list[Received]:
    return feed(*(data[index : index + 1] for index in range(len(data))))


def cut(data: bytes, places: list[int]) -> list[bytes]:
    return [data[begin:end] for begin, end in pairwise([0, *sorted(places), len(data)])]


def requests_of(events: list[Received]) -> list[Received]:
    """Leave out the wish for 100 Continue, which depends on whether the body is there already."""
    return [event for event in events if not isinstance(event, WantsContinue)]


def outcome(events: list[Received]) -> list[object]:
    """Return what can be compared: requests as they are, and that, not why, there was an error."""
    return [event if isinstance(event, Request) else "error" for event in requests_of(events)]


@pytest.mark.parametrize("valid", VALID.values(), ids=VALID)
def test_a_valid_message_is_one_request_however_it_is_cut(valid: Valid) -> None:
    """Whole, byte by byte, and with another request behind it, it is the same single request."""
    (request,) = feed(valid.data)
    assert isinstance(request, Request)
    assert (request.method, request.path, request.body_bytes) == (valid.method, valid.path, valid.body_bytes)
    assert requests_of(one_by_one(valid.data)) == [request]
    assert feed(valid.data + NEXT) == [request, *(feed(NEXT) if valid.keep_alive else [])]


@pytest.mark.parametrize("invalid", INVALID.values(), ids=INVALID)
def test_an_invalid_message_is_an_error_however_it_is_cut(invalid: Invalid) -> None:
    """Whole, byte by byte, and with another request behind it, it is one error with one status, and the end."""
    for events in (
        feed(invalid.data),
        one_by_one(invalid.data),
        feed(invalid.data + NEXT),
        feed(NEXT + invalid.data, NEXT)[1:],
    ):
        (error,) = requests_of(events)
        assert isinstance(error, BadRequest)
        assert error.status == invalid.status


@pytest.mark.parametrize("invalid", INVALID.values(), ids=INVALID)
def test_an_error_in_a_head_request_is_known_to_be(invalid: Invalid) -> None:
    """Once HEAD and the space behind it are there, however they came; for any other method, or none, it is not."""
    method, space, rest = invalid.data.partition(b" ")
    (error,) = requests_of(feed(invalid.data))
    assert isinstance(error, BadRequest)
    assert not error.is_to_head
    if not (method.isalpha() and space):
        return
    data = b"HEAD " + rest
    for events in (feed(data), one_by_one(data), feed(NEXT + data)[1:]):
        (error,) = requests_of(events)
        assert isinstance(error, BadRequest)
        assert (error.status, error.is_to_head) == (invalid.status, True)


def test_a_head_request_leaves_nothing_to_the_next() -> None:
    """What is wrong behind a whole HEAD is known by its own method."""
    head = raw(line=b"HEAD / HTTP/1.1")
    for data in (NEXT[:4] + b"\0" + NEXT[5:], b"HEAD\t/ HTTP/1.1\r\n\r\n", b"HEADER / HTTP/9.9\r\n\r\n"):
        _, error = feed(head + data)
        assert isinstance(error, BadRequest)
        assert not error.is_to_head


@pytest.mark.parametrize("name", [name for name in VALID if len(VALID[name].data) < 200])
def test_nothing_comes_of_part_of_a_message(name: str) -> None:
    """Every proper beginning of a valid message gives no request and no error."""
    data = VALID[name].data
    for end in range(len(data)):
        assert requests_of(feed(data[:end])) == []


@given(st.lists(st.sampled_from(MESSAGES), max_size=6), st.data())
def test_no_cut_of_a_pipeline_changes_its_requests(messages: list[Valid | Invalid], data: st.DataObject) -> None:
    """Any sequence of messages, cut in any places, gives the same requests, and an error in the same place."""
    stream = b"".join(message.data for message in messages)
    places = data.draw(st.lists(st.integers(0, len(stream)), max_size=8))
    assert outcome(feed(*cut(stream, places))) == outcome(feed(stream))


SMALL = [message.data for message in MESSAGES if len(message.data) < 200]


@given(
    st.sampled_from(SMALL),
    st.lists(st.tuples(st.integers(0, 200), st.sampled_from(b"\r\n\t :;,\0\x7f\xe40aA#%[@")), min_size=1, max_size=3),
)
def test_no_cut_of_a_garbled_message_changes_what_it_is(data: bytes, changes: list[tuple[int, int]]) -> None:
    """A message with bytes changed or added is the same requests, then error or not, whole and byte by byte."""
    garbled = bytearray(data)
    for place, byte in changes:
        if place % 2:
            garbled.insert(place % (len(garbled) + 1), byte)
        else:
            garbled[place % len(garbled)] = byte
    assert outcome(one_by_one(bytes(garbled))) == outcome(feed(bytes(garbled)))


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    """Whatever comes, the reader gives requests and at most one error, and never raises."""
    events = feed(data)
    assert all(isinstance(event, Request | WantsContinue | BadRequest) for event in events)
    assert not any(isinstance(event, BadRequest) for event in events[:-1])


@pytest.mark.parametrize(
    ("data", "waits"),
    [
        (raw(HOST + b"Expect: 100-continue\r\nContent-Length: 3\r\n"), True),
        (raw(CHUNKED + b"Expect: 100-continue\r\n"), True),
        (raw(HOST + b"Expect: 100-continue\r\nContent-Length: 3\r\n", body=b"a"), False),
        (raw(HOST + b"Expect: 100-continue\r\n"), False),
        (raw(HOST + b"Expect: 100-continue\r\nContent-Length: 3\r\n", line=b"POST / HTTP/1.0"), False),
        (raw(HOST + b"Expect: 100-continue\r\nContent-Length: 1025\r\n"), False),
    ],
)
def test_only_a_client_that_waits_is_told_to_continue(data: bytes, waits: bool) -> None:  # noqa: FBT001
    """100 Continue is wanted if a body will come, none of it is there, and the version knows of it."""
    assert any(isinstance(event, WantsContinue) for event in feed(data)) == waits


def test_a_client_is_told_to_continue_once() -> None:
    """However the body then comes, 100 Continue is wanted one time."""
    head = raw(CHUNKED + b"Expect: 100-continue\r\n")
    events = feed(head, b"1\r\n", b"a\r\n", b"0\r\n", b"\r\n", NEXT)
    assert [type(event) for event in events] == [WantsContinue, Request, Request]


def test_at_boundary_tells_whether_all_was_whole() -> None:
    """A reader is at a boundary before, between and after whole requests, and nowhere else."""
    reader = RequestReader()
    for data, at_boundary, in_body in [
        (b"", True, False),
        (b"\r\n", True, False),
        (NEXT[:5], False, False),
        (NEXT[5:], True, False),
        (raw(HOST + b"Content-Length: 2\r\n"), False, True),
        (b"a", False, True),
        (b"b", True, False),
        (chunked(b"0\r\n"), False, True),
        (b"\r\n", True, False),
        (b"\0", False, False),
        (NEXT, False, False),
    ]:
        read(reader, data)
        assert (reader.at_boundary, reader.in_body) == (at_boundary, in_body), data


def test_nothing_is_read_behind_the_last_request() -> None:
    """After a request that says close, neither requests nor errors are found in what follows."""
    last = raw(HOST + b"Connection: close\r\n")
    for rest in (NEXT, b"\0\0\0", b"\r\n"):
        assert len(feed(last + rest)) == len(feed(last, rest)) == 1
