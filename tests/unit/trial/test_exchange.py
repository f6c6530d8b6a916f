"""Answers, cut from bytes that may come from any program."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pexservice.core.judging import Place
from pexservice.trial.exchange import Answer, NotAnAnswer, cut, host_field, request
from pexservice.walk.steps import NEXT

STEP = b"HTTP/1.1 200 OK\r\nPex-Sequence: 7\r\nPex-Position: 3\r\nContent-Length: 2\r\n\r\n2\n"


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        (STEP, Answer(200, Place(7, 3), b"2\n", closes=False)),
        (
            b"HTTP/1.1 204 No Content\r\nPex-Sequence: 7\r\nPex-Position: 3\r\n\r\n",
            Answer(204, Place(7, 3), b"", False),
        ),
        (b"HTTP/1.0 503 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", Answer(503, None, b"", closes=True)),
    ],
    ids=["step", "minimal", "turned-away"],
)
def test_an_answer_is_cut_whole(data: bytes, answer: Answer) -> None:
    """However much of it is there, and whatever comes behind it."""
    assert all(cut(data[:size]) is None for size in range(len(data)))
    assert cut(data) == cut(data + b"HTTP") == (answer, len(data))


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH",
        b"HTTP/1.1 200 OK\r\nServer: other\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n",
        b"HTTP/1.1 700 Odd\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 20_000,
    ],
    ids=["ssh", "no-length", "huge", "status", "long-head"],
)
def test_what_is_no_answer_is_refused(data: bytes) -> None:
    """And is not waited for, nor kept without end."""
    with pytest.raises(NotAnAnswer):
        cut(data)


@given(st.binary(max_size=200))
def test_whatever_comes_is_an_answer_or_not(data: bytes) -> None:
    """No bytes make anything else of it."""
    try:
        cut(b"HTTP/1.1 200 OK\r\n" + data)
    except NotAnAnswer:
        return


def test_a_step_is_a_post_and_a_read_a_get() -> None:
    """With the one Host that HTTP wants; and a read without the value, which may have millions of digits."""
    assert request(NEXT, "h:1", "/p") == b"POST /p/next HTTP/1.1\r\nHost: h:1\r\nContent-Length: 0\r\n\r\n"
    assert request(None, host_field("::1", 8)) == (
        b"GET /current HTTP/1.1\r\nHost: [::1]:8\r\nPrefer: return=minimal\r\n\r\n"
    )
