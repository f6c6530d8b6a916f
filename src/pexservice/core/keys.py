"""Commands that may go either way: those with a key, and those on condition.

A client that gives a command a *key* can ask again after whatever happened: the command is taken once, and who asks
again is told what the first came to. A client that names *conditions* has its command taken only where they hold. Which
way it goes depends on what came before, so whoever orders groups finds out (`judging.py`); everything here is plain
data, which can be sent to whoever that is and be written down.

A key is known by a digest of it, made with a secret of the store's own: what clients use as keys may tell of people,
and nobody who gets hold of a history is to try them out.
"""

from binascii import b2a_base64
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from hashlib import blake2b

_DIGEST_BYTES: Final = 16
"""128 bits: among 2**32 keys the odds that two of them meet are 2**-65."""
DIGEST_CHARACTERS: Final = 22
_PADDING: Final = bytes(2)
_WRITTEN_CHARACTERS: Final = 24
"""Of a digest and its padding: so each begins on a character of its own."""
_FOR_FILE_NAMES: Final = bytes.maketrans(b"+/", b"-_")
SECRET_BYTES: Final = 32
_new: Final = tuple.__new__
"""PERF: makes a named tuple of a tuple, 0.13 us less than by its fields."""
KEY_BYTES_MAX: Final = 255
"""Beyond it a key is malformed. Long enough for any name that people or programs make up."""


class Tag(NamedTuple):
    """A state that a client has seen: where in the order of all commands, and the state as `Machine.tag` writes it."""

    sequence: int
    state: str


_NOT_IN: Final[frozenset[Tag]] = frozenset()


class Terms(NamedTuple):
    """What goes with a command that may go either way. PERF: a frozen dataclass takes 0.4 us more to make."""

    key: bytes | None = None
    """As the client sent it, until it is `digested`; from then on its digest. None without one."""
    match: frozenset[Tag] | None = None
    """The command is taken only in one of these states; None: in any."""
    none_match: frozenset[Tag] = _NOT_IN
    """The command is taken in none of these states."""

    @property
    def has_condition(self) -> bool:
        """Whether it depends on the state that the command is taken in."""
        return self.match is not None or bool(self.none_match)

    def hold(self, tag: Tag) -> bool:
        """Tell whether the conditions hold in a state."""
        return (self.match is None or tag in self.match) and tag not in self.none_match


AllTerms = Mapping[int, Terms]
"""The terms of a group, by the index of the command, in their order. Of most groups there are none."""
NO_TERMS: Final[AllTerms] = MappingProxyType({})


class Seen(NamedTuple):
    """What a key was used for. Plain text and numbers, so it is the same in a row, in a table and in memory."""

    time_s: int
    """When, since 1970, by the clock of whoever ordered it. Only how long it is kept goes by it."""
    sequence: int
    command: str
    """As `Machine.encode` writes it."""
    state: str
    """The state that it led to, as `Machine.encode_state` writes it."""

    def packed(self) -> bytes:
        """Return it as a line of text, which is how it is kept: of some 65,536, tuples would take three times as much.

        PERF: `judging` writes such a line by itself.
        """
        return f",{self.time_s},{self.sequence},{self.command},{self.state}\n".encode("ascii")

    @classmethod
    def of(cls, packed: bytes) -> "Seen":
        """Return what was packed."""
        time_s, sequence, command, state = packed[1:-1].decode("ascii").split(",", 3)
        return cls(int(time_s), int(sequence), command, state)


def sequence_of(packed: bytes) -> int:
    """Return the sequence of a `Seen` that was packed. PERF: half of the time of `Seen.of`."""
    return int(packed.split(b",", 3)[2])


Keys = Mapping[bytes, bytes]
"""What the keys of commands that were taken were used for, packed, by digest and in the order of the commands."""
NO_KEYS: Final[Keys] = MappingProxyType({})


class Looked(dict[bytes, Seen]):
    """Those of a group's keys that are known, of whoever looks them up beforehand. As `Known`."""

    def has_any(self, digests: AbstractSet[bytes], /) -> bool:
        """As `Known.has_any`."""
        return not digests.isdisjoint(self.keys())


class Known(Protocol):
    """The keys that are known: `known.KnownKeys`, or `Looked`."""

    def has_any(self, digests: AbstractSet[bytes], /) -> bool:
        """Tell whether any of these may be known. May be wrong in saying so."""
        ...

    def get(self, digest: bytes, /) -> Seen | None:
        """Return what a key was used for, if it is known."""
        ...


def keyed(key: bytes) -> Terms:
    """Return the terms of a command that has a key, and no conditions."""
    return _new(Terms, (key, None, _NOT_IN))


def digested(terms: AllTerms, secret: bytes) -> AllTerms:
    """Return the terms of a group with the digests of its keys in their places."""
    of_keys = iter(digests([own.key for own in terms.values() if own.key is not None], secret))
    return {
        index: own if own.key is None else _new(Terms, (next(of_keys), own.match, own.none_match))
        for index, own in terms.items()
    }


def digests(keys: Iterable[bytes], secret: bytes) -> list[bytes]:
    """Return the digests by which keys are known: BLAKE2b (RFC 7693) of 128 bits, keyed with the store's secret.

    Each is as it is written: `DIGEST_CHARACTERS` of base64 for file names (RFC 4648, 5). PERF: all keys of a group are
    written in one go, 0.5 us a key instead of 1.1.
    """
    start, raw = _keyed(secret).copy, []
    for key in keys:
        hashing = start()
        hashing.update(key)
        raw.append(hashing.digest())
    written = b2a_base64(_PADDING.join((*raw, b"")), newline=False).translate(_FOR_FILE_NAMES)
    return [written[begin : begin + DIGEST_CHARACTERS] for begin in range(0, len(written), _WRITTEN_CHARACTERS)]


@lru_cache(maxsize=1)  # PERF: half of the time; a process has one store.
def _keyed(secret: bytes) -> "blake2b":
    from hashlib import blake2b  # noqa: PLC0415 - imports are start-up time, and this one wants OpenSSL.

    return blake2b(digest_size=_DIGEST_BYTES, key=secret)
