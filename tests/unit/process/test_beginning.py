"""Names that are no text, and lines that find no room."""

import os
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pexservice.process.beginning import in_a_line, shown, write


@pytest.mark.parametrize(
    ("name", "escaped"),
    [
        (b"data", "data"),
        (b"m\xff", r"m\xff"),
        ("é ".encode(), "é "),
        (b"a\nb\x1b[1m\t", r"a\nb\x1b[1m\t"),
        ("\u202e\u2028".encode(), r"\u202e\u2028"),
    ],
)
def test_a_name_is_shown_with_escapes(name: bytes, escaped: str) -> None:
    """Bytes that are no text, ends of lines, and what a terminal would obey; everything else stands as it is."""
    assert shown(os.fsdecode(name)) == escaped


@given(st.binary())
def test_whatever_is_shown_can_be_printed(name: bytes) -> None:
    """In one line, and in UTF-8."""
    text = shown(name.decode("utf-8", "surrogateescape"))
    assert text.isprintable()
    text.encode()


def test_what_finds_no_room_is_lost_and_told() -> None:
    """As much as the reader leaves room for is written, and nobody waits for the rest beyond the time."""
    theirs, ours = socket.socketpair()
    with theirs, ours:
        assert write(ours.fileno(), b"a line\n", 0)
        assert theirs.recv(100) == b"a line\n"
        assert not write(ours.fileno(), b"x" * (1 << 24), 0.01)
        assert not write(ours.fileno(), b"x", 0)


def test_a_reader_that_is_gone_is_an_error() -> None:
    """For the caller to make light of."""
    reader, writer = os.pipe()
    os.close(reader)
    with pytest.raises(BrokenPipeError):
        write(writer, b"x", 1)
    os.close(writer)


@pytest.mark.parametrize(("text", "cut"), [("", ""), ("a" * 60, "a" * 60), ("a" * 61, "a" * 60 + "...")])
def test_a_long_text_is_cut_to_a_line(text: str, cut: str) -> None:
    """And says so."""
    assert in_a_line(text) == cut
