"""One row of the journal, to bytes and back. No files here.

A segment is a CSV file of three kinds of lines. Those of a machine called example, whose state is one number:

    sequence,position,steps,keys,time,checksum                  the header row: the machine's columns between ours
    0,0,v2 example,,2026-11-23T18:55:31.000000Z,cdee4bb0        the opening row: format, machine, where it stands
    64,64,64n,,2026-11-23T18:55:31.123456Z,9691eb42             a group row: where it stands *after* the group
    `------------- body --------------'  `checksum'

`keys` are the digests of the keys that came with the commands of the group, in their order, with spaces between. One
stands for the command behind that of the one before, the first for the first; else the command's number in the group
goes before it: `4:BN8UkXcuWIlcPDcJvn9VZA`.

A checksum is the CRC-32 of the row's body and a newline, *continued* from the checksum of the row before (the opening
row continues the header row). So it proves the row and, by induction, every row above it: a lost, repeated, reordered
or edited row breaks the chain at that row. The newline is in it because a continued CRC does not see where one piece
ends and the next begins. CRC-32 finds every single-bit error and every burst of up to 32 bits.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, Generic
from zlib import crc32

from pexservice.core.judging import Place
from pexservice.core.keys import DIGEST_CHARACTERS, Keys, Seen, sequence_of
from pexservice.core.machine import FIELD, C, Machine, S
from pexservice.errors import DefectiveMachine

FORMAT_VERSION: Final = 2
"""Version 1 named no machine. It was never released, so nothing reads it."""
_INTERVAL: Final = "interval"
SEQUENCE_MAX: Final = 2**64 - 1
"""No service comes so far, command by command; an import begins at most half way."""

_SEQUENCE: Final = r"0|[1-9][0-9]{0,19}"
_KEY = re.compile(rf"(?:([1-9][0-9]{{0,5}}):)?([A-Za-z0-9_-]{{{DIGEST_CHARACTERS}}})")
_KEYS: Final = r"[ 0-9:A-Za-z_-]*"
"""No comma: else a machine's fields could run over into it."""
_TIME: Final = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"
_OPENING = re.compile(rf"v{FORMAT_VERSION} ([A-Za-z0-9-]+)(?: ({_INTERVAL}))?")
_VERSION = re.compile(r"v([1-9][0-9]{0,8})(?:[ -].*)?")
_FOREIGN = re.compile(rf"(?:{_SEQUENCE})(?:,{FIELD})*,({FIELD}),+{_TIME}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Opening(Generic[S]):
    """The opening row: the machine stood at `place` when the segment was begun."""

    place: Place[S]
    is_interval: bool
    """Whether the rows were answered before they were synced (`--durability interval`)."""
    checksum: int


@dataclass(frozen=True, slots=True)
class Row(Generic[S]):
    """A group row: the commands, as they were written, led to `place`."""

    place: Place[S]
    commands: str
    time: str
    keys: str = ""
    """As `encode_keys` writes them."""


class InvalidRowError(ValueError):
    """Raised when a complete line is not the row that its checksum, or the row before it, demands."""


class Codec(Generic[S, C]):
    """Writes and reads the rows of one machine."""

    def __init__(self, machine: Machine[S, C]) -> None:
        self.machine = machine
        columns = ",".join(("sequence", *machine.columns, machine.commands_column, "keys", "time", "checksum"))
        self.header: Final = f"{columns}\n".encode("ascii")
        self._header_checksum = crc32(self.header)
        state = ",".join([FIELD] * len(machine.columns))
        self._body = re.compile(f"({_SEQUENCE}),({state}),({FIELD}),({_KEYS}),({_TIME})", re.ASCII)

    def encode_opening(self, place: Place[S], *, is_interval: bool, time_s: float) -> tuple[bytes, int]:
        """Return the first two lines of a segment and the checksum to continue from. `time_s` is Unix time."""
        what = f"v{FORMAT_VERSION} {self.machine.name}{f' {_INTERVAL}' if is_interval else ''}"
        row, checksum = seal(self.encode_body(place, what, time_s), self._header_checksum)
        return self.header + row, checksum

    def encode_body(self, place: Place[S], commands: str, time_s: float, keys: str = "") -> bytes:
        """Return the body of the row of a group that led to `place`.

        `time_s` is Unix time; `keys` are as `encode_keys` writes them. Raises DefectiveMachine.
        """
        second, microsecond = divmod(int(time_s * 1_000_000), 1_000_000)
        state = self.machine.encode_state(place.state)
        time = f"{_date(second)}.{microsecond:06}Z"
        try:
            text = ",".join((str(place.sequence), state, commands, keys, time))
        except TypeError as error:  # One is no text, and written as if it were it could not be read again.
            raise DefectiveMachine(self.machine.name) from error
        if self._body.fullmatch(text) is None:
            raise DefectiveMachine(self.machine.name)
        return text.encode("ascii")

    def decode_opening(self, line: bytes) -> Opening[S]:
        """Read an opening row, given without its newline. Raises InvalidRowError."""
        checksum = check(line, self._header_checksum)
        sequence, state, what, keys, _ = self._fields(body_of(line))
        matched = _OPENING.fullmatch(what)
        if matched is None or matched[1] != self.machine.name or keys:
            message = "it is not an opening row of this machine"
            raise InvalidRowError(message)
        return Opening(self._place(sequence, state), matched[2] is not None, checksum)

    def decode_body(self, body: bytes) -> Row[S]:
        """Read the fields of the body of a group row, which `check` has proved. Raises InvalidRowError."""
        sequence, state, what, keys, time = self._fields(body)
        return Row(self._place(sequence, state), what, time, keys)

    def follow(self, row: Row[S], before: Place[S]) -> None:
        """Prove that the commands of a row lead from `before` to its place. Raises InvalidRowError."""
        try:
            count, state = self.machine.replay(before.state, row.commands)
        except ValueError as error:
            raise _not_of(self.machine, str(error)) from error
        if row.place != Place(before.sequence + count, state):
            where = f"sequence {before.sequence}, {self.machine.describe(before.state):.200}"
            raise _not_of(self.machine, f"its {self.machine.commands_column} do not lead there from {where}")
        if row.keys and decode_keys(row.keys)[-1][0] > count:
            message = "it has keys of more commands than it has"
            raise InvalidRowError(message)
        try:
            datetime.fromisoformat(row.time)
        except ValueError as error:
            raise _not_of(self.machine, "its time is none") from error

    def keys(self, row: Row[S], before: Place[S]) -> Keys:
        """Return the keys of a row that leads on from `before`, and what they were used for. Raises InvalidRowError."""
        self.follow(row, before)
        commands = self.machine.read_commands(row.commands)
        states = self.machine.apply(before.state, commands).states
        time_s = max(0, int(datetime.fromisoformat(row.time).timestamp()))  # As `known.steady_clock`.
        encode, encode_state = self.machine.encode, self.machine.encode_state
        return {
            key: Seen(
                time_s, before.sequence + number, encode([commands[number - 1]]), encode_state(states[number - 1])
            ).packed()
            for number, key in decode_keys(row.keys)
        }

    def foreign(self, data: bytes) -> str | None:
        """Say why a segment that begins as a whole one is not for this program, and what to do; else return None."""
        header, _, rest = data.partition(b"\n")
        line, newline, _ = rest.partition(b"\n")
        try:
            check(line, crc32(header + b"\n"))
        except InvalidRowError:
            return None
        row = _FOREIGN.fullmatch(line.rpartition(b",")[0].decode("ascii", "replace"))
        version = _VERSION.fullmatch(row[1]) if row else None
        if not newline or row is None or version is None:
            return None
        opening = _OPENING.fullmatch(row[1])
        theirs = opening[1] if opening else self.machine.name
        return unknown_version(int(version[1])) or unknown_machine(theirs, self.machine.name)

    def _fields(self, body: bytes) -> tuple[str, ...]:
        matched = self._body.fullmatch(body.decode("ascii", "replace"))
        if matched is None:
            message = "it is not a row of the journal"
            raise InvalidRowError(message)
        return matched.groups()

    def _place(self, sequence: str, state: str) -> Place[S]:
        if int(sequence) > SEQUENCE_MAX:
            message = f"its sequence is beyond {SEQUENCE_MAX}"
            raise InvalidRowError(message)
        try:
            return Place(int(sequence), self.machine.read_state(state))
        except ValueError as error:
            raise _not_of(self.machine, str(error)) from error


def _not_of(machine: Machine[Any, Any], why: str) -> InvalidRowError:
    """Return the error for a row that is as it was written, and not what this machine would have written."""
    return InvalidRowError(f"{why} (its checksum is right: was {machine.name} another program then?)")


def encode_keys(start: int, keys: Keys) -> str:
    """Write the keys of a group that began at a sequence, as a field of its row."""
    last = sequence_of([*keys.values()][-1]) if keys else start
    if last - start == len(keys):  # PERF: each command has one, the common case, 0.2 us less for each.
        return b" ".join(keys).decode("ascii")
    written, due = [], start + 1
    for key, packed in keys.items():
        text, sequence = key.decode("ascii"), sequence_of(packed)
        written.append(text if sequence == due else f"{sequence - start}:{text}")
        due = sequence + 1
    return " ".join(written)


def decode_keys(text: str) -> list[tuple[int, bytes]]:
    """Read such a field, with the number of the command in its group beside each key. Raises InvalidRowError."""
    found: list[tuple[int, bytes]] = []
    for each in text.split(" ") if text else []:
        matched = _KEY.fullmatch(each)
        last = found[-1][0] if found else 0
        if matched is None or (matched[1] and int(matched[1]) <= last + 1):
            message = "its keys are none"
            raise InvalidRowError(message)
        found.append((int(matched[1] or last + 1), matched[2].encode("ascii")))
    return found


def has_keys(body: bytes) -> bool:
    """Tell whether the body of a row that was proved has keys. PERF: a twentieth of `decode_body`."""
    return not body[: body.rindex(b",")].endswith(b",")


def unknown_version(version: int) -> str | None:
    """Say what is to be done about a file of this format version; None if it is ours."""
    if version < FORMAT_VERSION:
        return (
            f"is of format version {version}, which was never released and which nothing reads any more. "
            "Nothing was changed. Name another directory with --data-dir."
        )
    if version > FORMAT_VERSION:
        return (
            f"is of format version {version}, and this program knows none after {FORMAT_VERSION}. "
            "Nothing was changed. Upgrade the program."
        )
    return None


def unknown_machine(theirs: str, ours: str) -> str | None:
    """Say what is to be done about a file that a machine of this name wrote; None if it is ours."""
    if theirs == ours:
        return None
    return (
        f"belongs to another machine, {theirs!r}, and this program runs {ours!r}. "
        "Nothing was changed. Name the right directory with --data-dir."
    )


def seal(body: bytes, previous_checksum: int) -> tuple[bytes, int]:
    """Return the row of a body, and its checksum."""
    checksum = crc32(body + b"\n", previous_checksum)
    return b"%b,%08x\n" % (body, checksum), checksum


def body_of(line: bytes) -> bytes:
    """Return the body of a row that was checked."""
    return line.rpartition(b",")[0]


def check(line: bytes, previous_checksum: int) -> int:
    """Return the checksum of a row, given without its newline, after proving it.

    Raises InvalidRowError. PERF: 0.5 us a row, a tenth of `decode_body`; a start proves every row of a segment this way
    and decodes only the last.
    """
    body, comma, written = line.rpartition(b",")
    checksum = crc32(body + b"\n", previous_checksum)
    if not comma or b"%08x" % checksum != written:
        message = "its checksum does not match"
        raise InvalidRowError(message)
    return checksum


@lru_cache(maxsize=1)  # PERF: 0.1 us for 3 us, but for the first group of a second.
def _date(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
