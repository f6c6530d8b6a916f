"""Rows with the right checksum whose text is not what a machine would have written."""

from typing import Any
from zlib import crc32

import pytest

from pexservice.core.judging import Place
from pexservice.errors import DamagedData, DefectiveMachine
from pexservice.stores.journal.record import Codec, InvalidRowError, seal
from pexservice.stores.journal.segment import read, segment_name
from pexservice.walk.machine import WALK
from support.machines import COUNTER, Counter

NAME = segment_name(7)
KEY = b"0123456789-_abcdefghij"


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        (b"8,2,1,12,,2026-01-01T00:00:00.000000Z", "a command that is refused there"),
        (b"8,4,1,+1,,2026-01-01T00:00:00.000000Z", "not commands of this machine"),
        (b"8,4,1,one,,2026-01-01T00:00:00.000000Z", "not what this machine writes"),
        (b"8,4,01,1,,2026-01-01T00:00:00.000000Z", "not a state of this machine"),
        (b"8,four,1,1,,2026-01-01T00:00:00.000000Z", "not what this machine writes"),
        (b"8,4,3,1,short,2026-01-01T00:00:00.000000Z", "its keys are none"),
        (b"8,4,3,1,%b 1:%b,2026-01-01T00:00:00.000000Z" % (KEY, KEY), "its keys are none"),
        (b"8,4,3,1,2:%b,2026-01-01T00:00:00.000000Z" % KEY, "it has keys of more commands than it has"),
        (b"8,4,3,1,%b,2026-02-30T00:00:00.000000Z" % KEY, "its time is none"),
        (b"8,4,1,1,,2026-01-01", "it is not a row of the journal"),
        (b"8,4,1,1,2026-01-01T00:00:00.000000Z", "it is not a row of the journal"),
    ],
)
def test_a_row_that_the_machine_would_not_have_written_is_damage(what: bytes, reason: str) -> None:
    """Its checksum is right, and its text is no state or no commands of this machine, or one that it refuses."""
    codec = Codec(COUNTER)
    opening, checksum = codec.encode_opening(Place(7, (3, 2)), is_interval=False, time_s=1.5)
    row = b"%b,%08x\n" % (what, crc32(what + b"\n", checksum))
    with pytest.raises(DamagedData, match=rf"line 3, byte offset {len(opening)}: {reason}"):
        read(codec, NAME, opening + row)


def test_the_row_that_is_damaged_is_named() -> None:
    """A start decodes the last two rows, and says which of them it cannot read."""
    codec = Codec(COUNTER)
    opening, checksum = codec.encode_opening(Place(7, (3, 2)), is_interval=False, time_s=1.5)
    bad, checksum = seal(b"8,4,01,1,,2026-01-01T00:00:00.000000Z", checksum)
    good, _ = seal(b"9,5,2,1,,2026-01-01T00:00:00.000000Z", checksum)
    with pytest.raises(DamagedData, match=rf"line 3, byte offset {len(opening)}: not a state of this machine"):
        read(codec, NAME, opening + bad + good)


@pytest.mark.parametrize("text", ["4,3,5", "4", '4,"3"', "4,", "4,3\n", b"4", None, 4])
def test_a_machine_that_writes_what_is_no_field_is_stopped(text: Any) -> None:
    """Before anything is written that would be read as something else, or not at all."""

    class Careless(Counter):
        def encode_state(self, state: tuple[int, int]) -> Any:
            return text

    for machine, commands in ((Careless(), "1"), (COUNTER, text)):
        if machine is COUNTER and text == "4":
            continue  # A good command.
        with pytest.raises(DefectiveMachine, match="the machine counter wrote what is no field of a row"):
            Codec(machine).encode_body(Place(8, (4, 3)), commands, 1.5)


def test_numbers_that_no_machine_comes_to_are_damage() -> None:
    """A sequence, or a position of the walk, that does not fit into 64 bits is damage, whatever its checksum."""
    codec = Codec(WALK)
    opening, checksum = codec.encode_opening(Place(7, 2**64 - 1), is_interval=False, time_s=1.5)
    for place in (Place(8, 2**64), Place(2**64, 8)):
        row, _ = seal(codec.encode_body(place, "1n", 2.5), checksum)
        with pytest.raises(DamagedData, match=r"beyond|not what this machine writes"):
            read(codec, NAME, opening + row)


@pytest.mark.parametrize("what", ["1n", "v2 fibonacci daily", "v2 fibonacci-2"])
def test_an_opening_row_says_what_it_opens(what: str) -> None:
    """One that does not is damage, whatever its checksum."""
    codec = Codec(WALK)
    row, _ = seal(codec.encode_body(Place(7, 3), what, 1.5), crc32(codec.header))
    with pytest.raises(InvalidRowError, match="it is not an opening row of this machine"):
        codec.decode_opening(row.rstrip())
