"""Answers as bytes."""

import pytest

from pexservice.errors import BadRequest
from pexservice.http.answer import Head, bad_request
from pexservice.http.clock import Clock
from pexservice.http.request import parse_head
from support.client import message


@pytest.mark.parametrize(
    ("request_bytes", "while_it_goes_on"),
    [
        (message("GET", "/"), b""),
        (message("GET", "/", "Connection: keep-alive", version="1.0"), b"Connection: keep-alive\r\n"),
        (message("GET", "/", "Connection: close"), b"Connection: close\r\n"),
        (message("GET", "/", version="1.0"), b"Connection: close\r\n"),
    ],
)
def test_the_last_answer_says_close(request_bytes: bytes, while_it_goes_on: bytes) -> None:
    """It differs in that field alone from what was rendered for a connection that goes on; said once, it stays so."""
    request = parse_head(request_bytes)
    head, answer = Head(Clock(), 200, {"A": "b"}, request).with_body("body")
    line, rest = b"HTTP/1.1 200 OK\r\n", answer.removeprefix(b"HTTP/1.1 200 OK\r\n" + while_it_goes_on)
    assert answer == line + while_it_goes_on + rest
    assert rest.startswith(b"A: b\r\n")
    assert head.as_last(answer) == line + b"Connection: close\r\n" + rest


def test_an_answer_to_no_request_is_the_last() -> None:
    """Nobody knows where the next request would begin, so its answer says close as it is."""
    head, answer = bad_request(Clock(), BadRequest(400, "no"))
    assert head.status == 400
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n")
    assert head.as_last(answer) == answer
