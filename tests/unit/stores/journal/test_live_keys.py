"""The file of keys, to bytes and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pexservice.errors import DamagedData
from pexservice.stores.journal.live_keys import LiveKeys, encode, read
from pexservice.stores.journal.record import Codec
from support.journals import LEDGERS, WALKS
from support.machines import COUNTER

LINES = b"0123456789-_abcdefghij,1764104400,63,1n,63\nBN8UkXcuWIlcPDcJvn9VZA,1764104400,64,1n,64\n"
KEYS = LiveKeys(bytes(range(32)), 64, LINES)
DATA = encode(WALKS, KEYS)


@pytest.mark.parametrize("keys", [KEYS, LiveKeys(bytes(32), 0, b"")])
def test_what_was_written_is_read(keys: LiveKeys) -> None:
    """Also without a key."""
    assert read(WALKS, encode(WALKS, keys)) == keys


def test_it_is_lines_of_text() -> None:
    """The secret and the end in the first, a key in each, a checksum in the last."""
    first, *lines, last, _ = DATA.decode("ascii").split("\n")
    assert first.startswith(f"v2,fibonacci,secret={bytes(range(32)).hex()},sequence=64,keys=2,")
    assert "".join(f"{line}\n" for line in lines).encode() == LINES
    assert last.startswith("end,")


@given(st.integers(0, len(DATA) - 1), st.integers(1, 255))
def test_a_changed_byte_is_damage(at: int, by: int) -> None:
    """Wherever it is."""
    data = bytearray(DATA)
    data[at] ^= by
    with pytest.raises(DamagedData, match=r"^keys\.csv is damaged at line [12], byte offset"):
        read(WALKS, bytes(data))


@given(st.integers(0, len(DATA) - 1))
def test_a_part_of_it_is_damage(end: int) -> None:
    """It is written whole."""
    with pytest.raises(DamagedData):
        read(WALKS, DATA[:end])


def test_a_file_of_another_machine_or_version_is_not_read() -> None:
    """And it is said what it is."""
    for codec in (LEDGERS, Codec(COUNTER)):
        with pytest.raises(DamagedData, match=r"keys\.csv belongs to another machine, 'fibonacci'"):
            read(codec, DATA)


def test_a_count_that_is_not_that_of_its_lines_is_damage() -> None:
    """Though all checksums are right."""
    data = encode(WALKS, LiveKeys(KEYS.secret, 64, LINES + b"x"))
    with pytest.raises(DamagedData, match="line 2"):
        read(WALKS, data.replace(b"x" + data[-13:], data[-13:]))


@pytest.mark.parametrize("line", [b"short", b"k" * 22 + b",x,1,1n,1", b"k" * 22 + b",1,x,1n,1", b"k" * 22 + b",1,1,1n"])
def test_a_line_that_is_none_of_a_key_is_damage(line: bytes) -> None:
    """Though all checksums are right: else it would end the service when its key is looked up."""
    with pytest.raises(DamagedData, match=r"^keys\.csv is damaged at line 4, byte offset .* not the line of a key"):
        read(WALKS, encode(WALKS, LiveKeys(KEYS.secret, 64, LINES + line + b"\n")))
