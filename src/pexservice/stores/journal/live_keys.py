"""The keys that are known, to bytes and back: `keys.csv`. No files here.

    v2,fibonacci,secret=d0a3...,sequence=64,keys=2,5a1c66d2
    BN8UkXcuWIlcPDcJvn9VZA,1764104400,63,1n,63            key, when (seconds since 1970), sequence, command, state
    9mWp0Hq3cWvZk7cN0pY8Lw,1764104400,64,1n,64
    end,03a0ec64

It holds all keys of the commands up to `sequence`, as far as they are still known, oldest first; those of later
commands are in the history behind it. Like a segment it is written under another name, synced and renamed, so it is
whole, always: its first checksum is over the first line, its last one over all.

The secret is made with the directory. Without it the digests in ring and history tell nobody anything of the keys,
which is why it stands in a file that only the owner may read.
"""

import re
from dataclasses import dataclass
from typing import Any, Final
from zlib import crc32

from pexservice.core.keys import DIGEST_CHARACTERS, SECRET_BYTES
from pexservice.errors import DamagedData
from pexservice.stores.journal.errors import damage
from pexservice.stores.journal.record import FORMAT_VERSION, Codec, unknown_machine, unknown_version

KEYS_NAME: Final = "keys.csv"

_FIRST = re.compile(
    rb"v([1-9][0-9]{0,8}),([A-Za-z0-9-]+),secret=([0-9a-f]{%d}),sequence=([0-9]{1,20}),keys=([0-9]{1,9}),([0-9a-f]{8})"
    % (2 * SECRET_BYTES)
)
_LINES = re.compile(rb"(?:[A-Za-z0-9_-]{%d},[0-9]{1,20},[0-9]{1,20},[^,\n]*+,[\x20-\x7e]*+\n)*+" % DIGEST_CHARACTERS)
_LAST_BYTES: Final = len(b"end,01234567\n")


@dataclass(frozen=True, slots=True)
class LiveKeys:
    """What the file holds."""

    secret: bytes
    sequence: int
    """All keys up to it are among these."""
    lines: bytes
    """As `KnownKeys.write` wrote them."""


def encode(codec: Codec[Any, Any], keys: LiveKeys) -> bytes:
    """Return the file."""
    count = keys.lines.count(b"\n")
    first = f"v{FORMAT_VERSION},{codec.machine.name},secret={keys.secret.hex()},sequence={keys.sequence},keys={count}"
    text = first.encode("ascii")
    head = b"%b,%08x\n" % (text, crc32(text))
    return b"%b%bend,%08x\n" % (head, keys.lines, crc32(keys.lines, crc32(head)))


def read(codec: Codec[Any, Any], data: bytes) -> LiveKeys:
    """Read the file. Raises DamagedData."""
    line = data[: max(0, data.find(b"\n"))]
    matched = _FIRST.fullmatch(line)
    if matched is None or crc32(line[: matched.start(6) - 1]) != int(matched[6], 16):
        raise damage(KEYS_NAME, 1, 0, "it is not the first line of such a file")
    foreign = unknown_version(int(matched[1])) or unknown_machine(matched[2].decode(), codec.machine.name)
    if foreign is not None:
        raise DamagedData(f"{KEYS_NAME} {foreign}")
    lines = data[len(line) + 1 : -_LAST_BYTES]
    if data[-_LAST_BYTES:] != b"end,%08x\n" % crc32(memoryview(data)[:-_LAST_BYTES]) or lines.count(b"\n") != int(
        matched[5]
    ):
        raise damage(KEYS_NAME, 2, len(line) + 1, "its checksum does not match")
    proved = _LINES.match(lines)
    assert proved is not None, "no line is a match, too"
    at = proved.end()
    if at != len(lines):
        why = "it is not the line of a key (its checksum is right: was it written by another program?)"
        raise damage(KEYS_NAME, 2 + lines.count(b"\n", 0, at), len(line) + 1 + at, why)
    return LiveKeys(bytes.fromhex(matched[3].decode()), int(matched[4]), lines)
