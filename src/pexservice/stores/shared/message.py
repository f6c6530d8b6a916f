"""What workers and their writer say to each other, as bytes. No sockets.

A worker sends the commands of a group, in pieces if they are many; the writer answers with where the group began, from
which the worker computes what it came to, or with why it was not taken. Besides that, the writer tells when groups are
taken, and when to stop. Messages are whole (SOCK_SEQPACKET of unix(7)), and of the same program on the same machine.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum, auto
from typing import Final, Generic

from pexservice.core.judging import Place
from pexservice.core.machine import C, Machine, S
from pexservice.limits import Limits

_PIECE: Final = struct.Struct("<QI?")
"""The number of the group, how many commands it has, and whether more of it follows."""
_TOLD: Final = struct.Struct("<BQQ")
"""A kind, the number of the group that it is about, and a sequence or the number of a reason."""


class Kind(IntEnum):
    """What the writer tells."""

    OPEN = auto()
    """Groups are taken from now on."""
    TAKEN = auto()
    """A group is durable; it began there."""
    TURNED_AWAY = auto()
    """A group was not taken, for a reason."""
    STOP = auto()
    """Answer what was accepted, and end."""


@dataclass(frozen=True, slots=True)
class Told(Generic[S]):
    """A message of the writer."""

    kind: Kind
    number: int = 0
    """Of a group."""
    start: Place[S] | None = None
    """Where it began, if it was taken."""
    reason: int = 0
    """As `Board.reason`, if it was turned away."""


def told(machine: Machine[S, C], message: Told[S]) -> bytes:
    """Return a message of the writer as bytes."""
    if message.start is None:
        return _TOLD.pack(message.kind, message.number, message.reason)
    state = machine.encode_state(message.start.state).encode("ascii")
    return _TOLD.pack(message.kind, message.number, message.start.sequence) + state


def hear(machine: Machine[S, C], data: bytes) -> Told[S]:
    """Read a message of the writer."""
    kind, number, detail = _TOLD.unpack_from(data)
    if kind != Kind.TAKEN:
        return Told(Kind(kind), number, reason=detail)
    return Told(Kind.TAKEN, number, Place(detail, machine.decode_state(data[_TOLD.size :].decode("ascii"))))


def pieces(number: int, count: int, packed: bytes, limits: Limits) -> Iterator[bytes]:
    """Yield the messages that hand a group over: its number, how many commands it has, and these, packed."""
    size = limits.message_bytes_max - _PIECE.size
    for begin in range(0, len(packed), size):
        end = begin + size
        yield _PIECE.pack(number, count, end < len(packed)) + packed[begin:end]


class Part(Generic[C]):
    """The commands of one worker, as they come in."""

    __slots__ = ("count", "number", "packed")

    def __init__(self) -> None:
        self.number = 0
        self.count = 0
        self.packed = b""

    def add(self, data: bytes | memoryview) -> bool:
        """Take a message; tell whether it was the last of the group."""
        self.number, self.count, is_more = _PIECE.unpack_from(data)
        self.packed += data[_PIECE.size :]
        return not is_more
