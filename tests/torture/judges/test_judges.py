"""The judges of the HTTP attacks, judged: the grammar by the tables of requests, the reader of answers by bad ones."""

import pytest

from support.messages import INVALID, NEXT, VALID, Invalid, Valid
from support.smuggling import CARRIERS, SMUGGLED
from torture.attack import Violation
from torture.judges import grammar, reading

DATE = b"Date: Tue, 24 Nov 2026 20:51:27 GMT\r\n"
PLACE = b"Pex-Sequence: 41\r\n"
GOOD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n" + DATE + b"Content-Length: 3\r\n\r\nok\n"
EMPTY = b"HTTP/1.1 204 No Content\r\n" + DATE + b"\r\n"
PROBLEM = b'{"type": "about:blank", "title": "Not Found", "status": 404, "detail": "Nothing."}'
NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Type: application/problem+json\r\n%bContent-Length: %d\r\n\r\n%b" % (
    DATE,
    len(PROBLEM),
    PROBLEM,
)


@pytest.mark.parametrize("valid", [*VALID.values(), *CARRIERS.values()], ids=[*VALID, *CARRIERS])
def test_the_grammar_takes_what_is_valid(valid: Valid) -> None:
    """A valid message is one message that must be taken, as the table says, and the next one is behind it."""
    said, *behind = grammar.read(valid.data + NEXT).messages
    assert not said.may_be_refused
    read = (said.method, said.path, said.keep_alive, said.body_bytes)
    assert read == (valid.method, valid.path, valid.keep_alive, valid.body_bytes)
    assert len(behind) == valid.keep_alive


@pytest.mark.parametrize("invalid", [*INVALID.values(), *SMUGGLED.values()], ids=[*INVALID, *SMUGGLED])
def test_the_grammar_takes_nothing_that_is_invalid(invalid: Invalid) -> None:
    """There is no message in an invalid one, or one that may be refused."""
    stream = grammar.read(invalid.data)
    assert stream.ending != "done"
    assert all(said.may_be_refused for said in stream.messages[:1])


@pytest.mark.parametrize(
    ("data", "methods"),
    [
        (NEXT, ["GET", ""]),
        (NEXT + b"\r\nHEAD /\0", ["GET", "HEAD"]),
        (b"HEAD / HTTP/9.9\r\n\r\n", ["HEAD"]),
        (b"HEAD /", ["HEAD"]),
        (b"HEAD", [""]),
        (b"HEAD\t/ HTTP/1.1\r\n\r\n", [""]),
    ],
)
def test_the_method_of_what_is_wrong_is_known_if_it_is_there(data: bytes, methods: list[str]) -> None:
    """An answer to it has no body if that is HEAD."""
    assert grammar.read(data).methods == methods


def test_answers_are_read_in_order() -> None:
    """Answers follow one another without a gap; one to HEAD has the length of a body that is not there."""
    answers = reading.parse(GOOD + EMPTY + GOOD[:-3] + NOT_FOUND, ["GET", "GET", "HEAD", "GET"])
    assert [(answer.status, answer.body) for answer in answers] == [
        (200, b"ok\n"),
        (204, b""),
        (200, b""),
        (404, PROBLEM),
    ]


def test_a_refusal_may_tell_where_it_was_judged() -> None:
    """As a condition that does not hold does; no other error knows a place."""
    refused = NOT_FOUND.replace(b"404 Not Found", b"412 Precondition Failed").replace(
        b'"status": 404', b'"status": 412'
    )
    (answer,) = reading.parse(refused.replace(DATE, DATE + PLACE), ["GET"])
    assert (answer.status, answer.sequence) == (412, 41)


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(GOOD[:-1], id="cut"),
        pytest.param(GOOD + b"\n", id="with a byte behind"),
        pytest.param(GOOD.replace(b"\r\n", b"\n"), id="with LF alone"),
        pytest.param(GOOD.replace(b"OK", b"Fine"), id="another reason"),
        pytest.param(GOOD.replace(b"Content-Length: 3\r\n", b""), id="without a length"),
        pytest.param(GOOD.replace(DATE, DATE + DATE), id="two dates"),
        pytest.param(GOOD.replace(b"text/plain", b"a\rb"), id="CR in a value"),
        pytest.param(EMPTY.replace(b"\r\n\r\n", b"\r\nContent-Length: 0\r\n\r\n"), id="204 with a length"),
        pytest.param(NOT_FOUND.replace(b"application/problem+json", b"text/plain"), id="an error in plain text"),
        pytest.param(NOT_FOUND.replace(b'"status": 404', b'"status": 400'), id="a problem with another status"),
        pytest.param(NOT_FOUND.replace(DATE, DATE + PLACE), id="an error that tells a place"),
        pytest.param(NOT_FOUND.replace(b"404 Not Found", b"405 Method Not Allowed"), id="405 without Allow"),
    ],
)
def test_no_bad_answer_passes(sent: bytes) -> None:
    """What is no whole, well-formed answer is noticed."""
    with pytest.raises(Violation):
        reading.parse(sent, ["GET"])
