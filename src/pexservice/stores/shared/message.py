"""What workers and their writer say to each other, as bytes. No sockets.

A worker sends the commands of a group, and the terms of those that may go either way; the writer answers with where the
group began and which way these went, from which the worker computes what it came to, or with why it was not taken.
Besides that, the writer tells when groups are taken, and when to stop. Messages are whole (SOCK_SEQPACKET of unix(7)),
and of the same program on the same machine. What is longer than one may be comes in pieces.
"""

import json
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum, auto
from typing import Any, Final, Generic

from pexservice.core.judging import OWN_REFUSALS, Place
from pexservice.core.keys import NO_TERMS, AllTerms, Tag, Terms
from pexservice.core.machine import C, Machine, Refusal, S
from pexservice.limits import Limits

_GROUP: Final = struct.Struct("<QII?")
"""The number of the group, how many commands it has and in how many bytes, and whether more of it follows."""
_TOLD: Final = struct.Struct("<BQQ?")
"""A kind, the number of the group that it is about, a sequence or the number of a reason, and whether more follows."""


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
    replays: Mapping[int, Place[S]] = field(default_factory=dict)
    """As `Judgement.replays`."""
    refusals: Mapping[int, Refusal] = field(default_factory=dict)
    """As `Judgement.refusals`, but those of the core alone."""
    reason: int = 0
    """As `Board.reason`, if it was turned away."""
    secret: bytes = b""
    """As `Store.key_secret`, once it is open."""


def told(machine: Machine[S, C], message: Told[S], limits: Limits) -> Iterator[bytes]:
    """Return a message of the writer as bytes."""
    detail, text = message.reason, message.secret
    if message.start is not None:
        detail, text = message.start.sequence, machine.encode_state(message.start.state).encode("ascii")
        if message.replays or message.refusals:
            replays = [(index, at.sequence, machine.encode_state(at.state)) for index, at in message.replays.items()]
            refusals = [(index, refusal.code) for index, refusal in message.refusals.items()]
            text += b"\n" + json.dumps([replays, refusals]).encode("ascii")
    return _pieces(message.kind, message.number, detail, text, limits)


def taken(number: int, sequence: int, state: str, limits: Limits) -> Iterable[bytes]:
    """Return what `told` returns of a group that was taken whole, by where it began.

    That may be in the middle of a group of the store, where a state is of any length: what can be shared is what such a
    group ends with. PERF: of a short one no objects, 3 us less for each part of a group.
    """
    if len(state) > limits.shared_state_bytes_max:
        return _pieces(Kind.TAKEN, number, sequence, state.encode("ascii"), limits)
    return (_TOLD.pack(Kind.TAKEN, number, sequence, False) + state.encode("ascii"),)


def _pieces(kind: Kind, number: int, detail: int, text: bytes, limits: Limits) -> Iterator[bytes]:
    size = limits.message_bytes_max - _TOLD.size
    for begin in range(0, len(text) or 1, size):
        end = begin + size
        yield _TOLD.pack(kind, number, detail, end < len(text)) + text[begin:end]


class Hearing(Generic[S]):
    """Reads the messages of the writer."""

    def __init__(self, machine: Machine[S, Any]) -> None:
        self._machine = machine
        self._text = b""

    def hear(self, data: bytes) -> Told[S] | None:
        """Take what came; return a message once it is whole."""
        kind, number, detail, is_more = _TOLD.unpack_from(data)
        text = self._text + data[_TOLD.size :]
        self._text = text if is_more else b""
        if is_more:
            return None
        if kind == Kind.OPEN:
            return Told(Kind.OPEN, secret=text)
        if kind != Kind.TAKEN:
            return Told(Kind(kind), number, reason=detail)
        state, _, outcomes = text.decode("ascii").partition("\n")
        start = Place(detail, self._machine.decode_state(state))
        if not outcomes:
            return Told(Kind.TAKEN, number, start)
        replays, refusals = json.loads(outcomes)
        return Told(
            Kind.TAKEN,
            number,
            start,
            {index: Place(sequence, self._machine.decode_state(written)) for index, sequence, written in replays},
            {index: OWN_REFUSALS[code] for index, code in refusals},
        )


def group(number: int, count: int, packed: bytes, terms: AllTerms, limits: Limits) -> Iterator[bytes]:
    """Yield the messages that hand a group over: its number, how many commands it has, these, packed, and terms."""
    data = packed + _write(terms) if terms else packed
    size = limits.message_bytes_max - _GROUP.size
    for begin in range(0, len(data) or 1, size):
        end = begin + size
        yield _GROUP.pack(number, count, len(packed), end < len(data)) + data[begin:end]


class Part:
    """The commands of one worker, as they come in."""

    __slots__ = ("_data", "_packed_bytes", "count", "number")

    def __init__(self) -> None:
        self.number = 0
        self.count = 0
        self._packed_bytes = 0
        self._data = b""

    def add(self, data: bytes | memoryview) -> bool:
        """Take a message; tell whether it was the last of the group."""
        self.number, self.count, self._packed_bytes, is_more = _GROUP.unpack_from(data)
        self._data += data[_GROUP.size :]
        return not is_more

    @property
    def packed(self) -> bytes:
        """The commands, as `Machine.pack` wrote them."""
        return self._data[: self._packed_bytes]

    @property
    def has_terms(self) -> bool:
        """Whether some of them have terms."""
        return len(self._data) > self._packed_bytes

    @property
    def terms(self) -> AllTerms:
        """The terms of some of them, with digests of keys."""
        return _read(self._data[self._packed_bytes :]) if self.has_terms else NO_TERMS


def _write(terms: AllTerms) -> bytes:
    return json.dumps(
        [
            (
                index,
                each.key.decode("ascii") if each.key is not None else None,
                list(each.match) if each.match is not None else None,
                list(each.none_match),
            )
            for index, each in terms.items()
        ]
    ).encode("ascii")


def _read(data: bytes) -> AllTerms:
    return {
        index: Terms(
            key.encode("ascii") if key is not None else None,
            frozenset(Tag(*tag) for tag in match) if match is not None else None,
            frozenset(Tag(*tag) for tag in none_match),
        )
        for index, key, match, none_match in json.loads(data)
    }
