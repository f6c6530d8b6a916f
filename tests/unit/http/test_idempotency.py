"""The field Idempotency-Key."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pexservice.errors import BadRequest
from pexservice.http.idempotency import check_none, cut, is_given, is_plain, key_of
from pexservice.http.request import parse_head
from support.client import message


def key(*fields: str) -> bytes | None:
    return key_of(parse_head(message("POST", "/next", *fields)))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("k", b"k"),
        ('"k"', b"k"),
        ("  k\t", b"k"),
        ("a" * 255, b"a" * 255),
        (f'"{"a" * 255}"', b"a" * 255),
        ("!,;=\\~", b"!,;=\\~"),
    ],
)
def test_a_key_is_quoted_or_not(value: str, expected: bytes) -> None:
    """It is the same key."""
    assert key(f"Idempotency-Key: {value}") == key(f"idempotency-KEY: {value}") == expected


@pytest.mark.parametrize(
    "value",
    ["", '""', "a" * 256, f'"{"a" * 256}"', "a b", '"a b"', '"a', 'a"', 'a"b', '"a\\"b"', '"a", "b"', "\x80", "a\tb"],
)
def test_a_malformed_key_is_refused(value: str) -> None:
    """Whatever is no key is told so, and never taken for none."""
    with pytest.raises(BadRequest, match="1 to 255 visible"):
        key(f"Idempotency-Key: {value}")


def test_there_is_one_key_or_none() -> None:
    """Two fields are refused, even if they say the same."""
    assert key() is None
    with pytest.raises(BadRequest):
        key("Idempotency-Key: k", "Idempotency-Key: k")


def test_where_no_key_belongs_none_is_taken() -> None:
    """Also one that is malformed."""
    check_none(parse_head(message("GET", "/current")))
    for value in ("k", ""):
        request = parse_head(message("GET", "/current", f"Idempotency-Key: {value}"))
        assert is_given(request)
        with pytest.raises(BadRequest, match="only reads"):
            check_none(request)


_FIELDS = st.lists(
    st.sampled_from(
        ["A: b", "Accept: text/plain", "Connection: close", "X-Idempotency-Key: k", "A:", "Idempotency-Key: x"]
    ),
    max_size=4,
)
_VALUES = st.text(st.sampled_from('ab"\\ \t,~\x7f\x80'), max_size=6)


@given(_FIELDS, _VALUES, st.integers(0, 4), st.sampled_from(["Idempotency-Key", "idempotency-key"]))
def test_what_is_cut_out_is_the_key(fields: list[str], value: str, at: int, name: str) -> None:
    """The rest is the request without it; a line that is not well-formed is left where it is."""
    head = message("POST", "/next", *fields[:at], f"{name}: {value}", *fields[at:])
    before = message("POST", "/next", *fields)
    taken = cut(head)
    has_another = "Idempotency-Key: x" in fields
    if taken is not None and not has_another:
        assert (taken.without, taken.key) == (before, key(f"{name}: {value}"))
        assert taken.before + taken.key + taken.behind == head
    elif taken is None:
        with pytest.raises(BadRequest):
            key_of(parse_head(head))
    else:
        assert b"idempotency-key: " in taken.without.lower()


def test_a_name_in_unusual_letters_is_left_to_the_parser() -> None:
    """Which takes all of them."""
    head = message("POST", "/next", "IDEMPOTENCY-KEY: k")
    assert cut(head) is None
    assert key_of(parse_head(head)) == b"k"


def test_a_line_that_is_continued_is_left_to_the_parser() -> None:
    """What follows it belongs to it."""
    assert cut(b"POST /next HTTP/1.1\r\nIdempotency-Key: k\r\n l: m\r\n\r\n") is None


def test_a_line_behind_an_empty_line_is_of_another_request() -> None:
    """Without it, what is left would be taken for the one before it, as if that had a key."""
    head = message("POST", "/next")
    assert cut(head + b"Idempotency-Key: k\r\n") is None
    assert cut(head + b'Idempotency-Key: "k"\r\n\r\n') is None
    taken = cut(head + message("POST", "/next", "Idempotency-Key: k"))
    assert taken is not None
    assert (taken.without, taken.key) == (head + head, b"k")


@given(st.binary(max_size=4))
def test_a_plain_key_is_one_in_quotation_marks_and_without(key: bytes) -> None:
    """Whatever is plain is a key as it stands."""
    if is_plain(key):
        for value in (key, b'"%b"' % key):
            taken = cut(b"POST /next HTTP/1.1\r\nIdempotency-Key: %b\r\n\r\n" % value)
            assert taken is not None
            assert taken.key == key


@pytest.mark.parametrize("key", [b"", b"a" * 256, b'a"', b"a\\", b"a b", b"a\r", b"\x7f", b"\x80"])
def test_what_needs_a_closer_look_is_not_plain(key: bytes) -> None:
    """Whether or not it is a key."""
    assert not is_plain(key)
    assert is_plain(b"a" * 255)
