"""Answers as bytes."""

import json

import pytest

from pexservice.errors import BadRequest, QueueFull
from pexservice.http.action import CommandAction
from pexservice.http.answer import Head, bad_request, not_applied
from pexservice.http.clock import Clock
from pexservice.http.request import parse_head
from pexservice.stores.journal.errors import CommandTooLong
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


@pytest.mark.parametrize(
    ("status", "phrase"), [(413, "Content Too Large"), (414, "URI Too Long"), (422, "Unprocessable Content")]
)
def test_a_status_is_called_as_the_rfc_calls_it(status: int, phrase: str) -> None:
    """RFC 9110, 15.5, under every version of Python; and so is a problem that has no type (RFC 9457, 4.2.1)."""
    _, answer = bad_request(Clock(), BadRequest(status, "no"))
    assert answer.startswith(f"HTTP/1.1 {status} {phrase}\r\n".encode())
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["title"] == phrase


def test_a_length_counts_bytes() -> None:
    """A body of more than ASCII is sent as UTF-8, and its length is that of its bytes; of a read and of a command."""
    request = parse_head(message("POST", "/"))
    head = Head(Clock(), 200, {}, request)
    asked: CommandAction[int, int] = CommandAction(
        request, 0, head, lambda *_: "A: b\r\n", lambda *_: "Zo\u00eb", closes=False, carries_value=True
    )
    for _, answer in (head.with_body("Zo\u00eb", "A: b\r\n"), asked.render(1, 2)):
        assert answer.endswith(b"A: b\r\nContent-Length: 4\r\n\r\nZo\xc3\xab")


def test_who_never_succeeds_is_not_told_to_ask_again() -> None:
    """Others that are turned away are."""
    request = parse_head(message("POST", "/next"))
    assert b"\r\nRetry-After: 1\r\n" in not_applied(Clock(), request, QueueFull())[1]
    _, never = not_applied(Clock(), request, CommandTooLong())
    assert b"command-too-long" in never
    assert b"Retry-After" not in never
