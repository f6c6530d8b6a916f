"""The judge of heads: what RFC 9110, RFC 9112 and the limits make of each one."""

import pytest

from pexservice.errors import BadRequest
from pexservice.http.request import check_request_line, parse_head
from pexservice.limits import DEFAULT
from support.messages import HOST, INVALID_HEADS, VALID, Invalid, Valid, raw

WHOLE_VALID = {name: valid for name, valid in VALID.items() if not valid.data.startswith(b"\r\n")}
WHOLE_INVALID = {name: each for name, each in INVALID_HEADS.items() if b"\n\n" not in each.data and name[:2] != "LF"}
"""The reader, not `parse_head`, judges what comes before a head and how its lines end."""


def head_of(data: bytes) -> bytes:
    return data[: data.index(b"\r\n\r\n") + 4]


@pytest.mark.parametrize("valid", WHOLE_VALID.values(), ids=WHOLE_VALID)
def test_a_valid_head_says_what_it_says(valid: Valid) -> None:
    """Method, path, persistence and framing are those that the RFCs read in the bytes."""
    request = parse_head(head_of(valid.data))
    read = (request.method, request.path, request.keep_alive, request.body_bytes)
    assert read == (valid.method, valid.path, valid.keep_alive, valid.body_bytes)


@pytest.mark.parametrize("invalid", WHOLE_INVALID.values(), ids=WHOLE_INVALID)
def test_an_invalid_head_gets_its_status(invalid: Invalid) -> None:
    """A head that breaks a rule of the RFCs, or a limit, is refused with the status for it."""
    with pytest.raises(BadRequest) as refused:
        parse_head(head_of(invalid.data))
    assert refused.value.status == invalid.status


@pytest.mark.parametrize(
    ("version", "field", "keep_alive"),
    [
        (b"1.1", b"", True),
        (b"1.1", b"Connection: close\r\n", False),
        (b"1.1", b"Connection: Close\r\n", False),
        (b"1.1", b"Connection: a, close , b\r\n", False),
        (b"1.1", b"Connection: a\r\nConnection: close\r\n", False),
        (b"1.1", b"Connection: keep-alive, close\r\n", False),
        (b"1.1", b"Connection: closed\r\n", True),
        (b"1.0", b"", False),
        (b"1.0", b"Connection: Keep-Alive\r\n", True),
        (b"1.0", b"Connection: keep-alive, close\r\n", False),
    ],
)
def test_persistence_follows_version_and_connection(version: bytes, field: bytes, keep_alive: bool) -> None:  # noqa: FBT001
    """HTTP/1.1 goes on unless the client says close, HTTP/1.0 ends unless it says keep-alive."""
    request = parse_head(raw(HOST + field, line=b"GET / HTTP/" + version))
    assert request.keep_alive == keep_alive


def test_an_error_says_nothing_of_the_request() -> None:
    """No detail of an error repeats bytes of the request that caused it."""
    for data in (b"GET /leaked-target HTTP/7.7", b"GET leaked-target HTTP/1.1", b"leaked(method / HTTP/1.1"):
        with pytest.raises(BadRequest) as refused:
            parse_head(raw(line=data))
        assert "leaked" not in refused.value.detail
        assert "7.7" not in refused.value.detail


def test_the_request_line_alone_can_be_judged() -> None:
    """Method, target and version come from the line, whatever the target is."""
    assert check_request_line(b"BREW tea:earl-grey HTTP/1.0", DEFAULT) == (b"BREW", b"tea:earl-grey", True)
