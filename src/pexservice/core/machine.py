"""A deterministic state machine: what one service does, and the only thing in which it differs from the next.

The core orders commands, makes them durable in groups and answers them; what a command *means* is the machine's.
Whoever builds a service of their own writes a subclass: a state (any immutable value that can be compared), commands
(any value), one function from the one to the next, and how both are written as text in a row that people can read.
`walk/machine.py` is the service's own; docs/build-your-own.md makes another.

The same commands applied to the same state must give the same outcomes, on any machine and in any year: a start
applies them again, and what comes out must be what was answered. So no clock, no random number, no environment.
"""

import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, ClassVar, Final, Generic, NamedTuple, Self, TypeVar
from zlib import crc32

from pexservice.core.measures import Measure, clash
from pexservice.core.mistakes import INITIAL, called, text_of
from pexservice.errors import DefectiveMachine, WrongMachine

S = TypeVar("S")
C = TypeVar("C")
T = TypeVar("T")

CLIENT_STATUSES: Final = frozenset(
    each for each in HTTPStatus if HTTPStatus.BAD_REQUEST <= each < HTTPStatus.INTERNAL_SERVER_ERROR
)
"""The 4xx that HTTP has: those of an answer to a request that is the client's to mend."""

_NAME: Final = re.compile(r"[A-Za-z0-9-]+", re.ASCII)
_COLUMN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
LABEL_LENGTH_MAX: Final = 56
"""Of a kind or a code: that many characters are shared by processes that count them together."""
_KIND: Final = re.compile(rf"[A-Za-z0-9_-]{{1,{LABEL_LENGTH_MAX}}}", re.ASCII)
_KIND_IS: Final = f"letters, numerals, hyphens and underscores, {LABEL_LENGTH_MAX} at most"
_TAG: Final = re.compile(r"[A-Za-z0-9._]+", re.ASCII)
_TAG_IS: Final = "letters, numerals, points and underscores"
_MEASURE: Final = re.compile(r"pex_[a-z_]+", re.ASCII)
_CODE: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*", re.ASCII)
FIELD: Final = r"[\x20\x21\x23-\x2b\x2d-\x7e]+"
"""Of a row: printable, and nothing that CSV would put in quotes."""
_FIELD: Final = re.compile(FIELD, re.ASCII)
_COLUMNS_OF_EVERY_ROW: Final = ("sequence", "keys", "time", "checksum")


@dataclass(frozen=True, slots=True)
class Refusal:
    """A machine's no to a command. The command is not taken: the state stays, and nothing is written.

    `status` is the one of the HTTP answer, a 4xx of `http.HTTPStatus`; `code`, of 1 to 56 small letters, numerals
    and hyphens, names the reason in it and in metrics, `title` says it in words and `detail` what to do.
    """

    code: str
    title: str
    detail: str
    status: int = HTTPStatus.CONFLICT

    def __post_init__(self) -> None:
        """Raise WrongMachine if it cannot be answered with: where it is written, and not when a client is refused."""
        code: object = self.code
        if not isinstance(code, str) or not _CODE.fullmatch(code) or len(code) > LABEL_LENGTH_MAX:
            demand = f"small letters, numerals and hyphens, {LABEL_LENGTH_MAX} at most"
            raise WrongMachine(f"the code of a Refusal must be {demand}, not {code!r:.80}.")
        words: tuple[object, ...] = (self.title, self.detail)
        if not all(isinstance(each, str) for each in words):
            raise WrongMachine(f"title and detail of Refusal {code!r:.80} must be texts, str, not {words!r:.200}.")
        status: object = self.status
        if not isinstance(status, int) or status not in CLIENT_STATUSES:
            raise WrongMachine(f"the status of Refusal {code!r:.80} is a 4xx that HTTP has, not {status!r:.80}.")


class Outcomes(NamedTuple, Generic[S]):
    """What became of a sequence of commands."""

    states: Sequence[S]
    """The state after each command; after one that was refused, that before it."""
    refusals: Mapping[int, Refusal]
    """The refusals, by the index of the command."""


class Machine(ABC, Generic[S, C]):
    """One kind of state machine. It has no state itself: the state is what it is given and gives back.

    What is written must be printable ASCII without comma or quotation mark, and no field of it empty, so that a row is
    plain CSV.
    """

    name: ClassVar[str]
    """Says in every file whose it is: letters, numerals and hyphens. Another meaning of the rows needs another name."""
    columns: ClassVar[tuple[str, ...]]
    """The names of the fields of a written state, one or more: letters, numerals and underscores."""
    commands_column: ClassVar[str] = "commands"
    kinds: ClassVar[tuple[str, ...]]
    """The kinds of commands that there are, for metrics: 1 to 56 letters, numerals, hyphens and underscores."""
    initial: S

    def __new__(cls, *_: Any, **__: Any) -> Self:
        """Make one. Raises WrongMachine, which names the methods that it must have and has not."""
        if cls.__abstractmethods__:
            raise WrongMachine(
                f"{cls.__name__} lacks {', '.join(sorted(cls.__abstractmethods__))}. Write what is missing."
            )
        return super().__new__(cls)

    @abstractmethod
    def step(self, state: S, command: C) -> S | Refusal:
        """Return the state after a command, or why it is refused."""

    def apply(self, state: S, commands: Sequence[C]) -> Outcomes[S]:
        """Return what becomes of commands, one after the other. May be overridden by what is faster and the same."""
        states: list[S] = []
        refusals: dict[int, Refusal] = {}
        for index, command in enumerate(commands):
            outcome = self.step(state, command)
            if isinstance(outcome, Refusal):
                refusals[index] = outcome
            else:
                state = outcome
            states.append(state)
        return Outcomes(states, refusals)

    @abstractmethod
    def kind(self, command: C) -> str:
        """Return the kind of a command, one of `kinds`."""

    def tally(self, commands: Sequence[C]) -> Mapping[str, int]:
        """Count commands by kind."""
        return Counter(map(self.kind, commands))

    @abstractmethod
    def encode_state(self, state: S) -> str:
        """Write a state: a field for each of `columns`, with commas between them."""

    @abstractmethod
    def decode_state(self, text: str) -> S:
        """Read what `encode_state` wrote. May raise anything on what it did not: `read_state` holds them together."""

    def read_state(self, text: str) -> S:
        """Read a state. Raises ValueError for anything that `encode_state` would not have written."""
        state = _attempt(self.decode_state, text)
        if self.encode_state(state) != text:
            message = f"not a state of this machine: {text!r:.80}"
            raise ValueError(message)
        return state

    def tag(self, state: S) -> str:
        """Return what tells a state from another one at the same sequence: letters, numerals, points, underscores."""
        return f"{crc32(self.encode_state(state).encode('ascii')):08x}"

    def describe(self, state: S) -> str:
        """Return a state with the names of its columns, for people."""
        fields = zip(self.columns, self.encode_state(state).split(","), strict=True)
        return ", ".join(f"{column} {field}" for column, field in fields)

    @abstractmethod
    def encode(self, commands: Sequence[C]) -> str:
        """Write one or more commands, as one field."""

    @abstractmethod
    def decode(self, text: str) -> Sequence[C]:
        """Read what `encode` wrote. May raise anything on what it did not: `read_commands` holds them together."""

    def read_commands(self, text: str) -> Sequence[C]:
        """Read commands. Raises ValueError for anything that `encode` would not have written."""
        commands = _attempt(self.decode, text)
        if not commands or self.encode(commands) != text:
            message = f"not commands of this machine: {text!r:.80}"
            raise ValueError(message)
        return commands

    def replay(self, state: S, text: str) -> tuple[int, S]:
        """Return how many commands were written, and where they lead. May be overridden like `apply`.

        Raises ValueError as `read_commands`, and if one of them is refused, since those are never written.
        """
        commands = self.read_commands(text)
        states, refusals = self.apply(state, commands)
        if refusals:
            message = f"a command that is refused there: {text!r:.80}"
            raise ValueError(message)
        return len(commands), states[-1]

    def clamp(self, commands: Sequence[C]) -> tuple[int | None, int] | None:
        """Return shift a and floor b of the one function n -> max(n + a, b) that commands are; None is minus infinity.

        Only for a machine that refuses nothing and whose state is written as one whole number n: a store may then have
        its server take a group, in one call. None for any other.
        """
        del commands
        return None

    def pack(self, commands: Sequence[C]) -> bytes:
        """Write one or more commands for another process of the service. May be overridden by what is faster.

        Raises DefectiveMachine if `encode` writes what is no field of a row.
        """
        text = self.encode(commands)
        if not is_field(text):
            raise DefectiveMachine(self.name)
        return text.encode("ascii")

    def unpack(self, data: bytes) -> Sequence[C]:
        """Read what `pack` wrote. Raises ValueError as `read_commands`: who asked goes by what was written."""
        return self.read_commands(data.decode("ascii"))

    def measures(self, state: S) -> Sequence[Measure]:
        """Return what metrics show of a state."""
        del state
        return ()

    @abstractmethod
    def answer_bytes_max(self, state: S) -> int:
        """Return how many bytes the body of an answer may get while a group is taken: `ROW_COMMANDS_MAX` of limits.py.

        Memory for answers is set aside by it, so too small a number breaks the bound; 1024 does for most.
        """

    def check(self) -> None:
        """Raise WrongMachine unless its names, and how it writes where it begins, are what rows and metrics need.

        So whoever writes one is told before anything is written, and not by a start that finds its own rows damaged.
        """
        _check_names("name", (getattr(self, "name", None),), _NAME, "letters, numerals and hyphens")
        _check_names("columns", getattr(self, "columns", None), _COLUMN, "letters, numerals and underscores")
        _check_names("commands_column", (self.commands_column,), _COLUMN, "letters, numerals and underscores")
        _check_names("kinds", getattr(self, "kinds", None), _KIND, _KIND_IS)
        columns = Counter((*self.columns, self.commands_column, *_COLUMNS_OF_EVERY_ROW))
        if columns.total() > len(columns):
            raise WrongMachine(f"the column {max(columns, key=columns.__getitem__)} is there twice; {_IN_EVERY_ROW}.")
        if not hasattr(self, "initial"):
            raise WrongMachine("it has no initial state.")
        fields = text_of(WrongMachine, "its encode_state", self.encode_state, self.initial).split(",")
        if len(fields) != len(self.columns):
            raise WrongMachine(f"encode_state writes {len(fields)} fields of the initial state, for {self.columns}.")
        wrong = next((index for index, field in enumerate(fields) if not is_field(field)), None)
        if wrong is not None:
            column = self.columns[wrong]
            raise WrongMachine(f"encode_state writes the field {column} as {fields[wrong]!r:.80}. {FIELDS_ARE}")
        if called(WrongMachine, "its decode_state", self.decode_state, ",".join(fields)) != self.initial:
            raise WrongMachine("decode_state reads another state than the initial one that encode_state wrote.")
        self.check_shown(self.initial)

    def check_shown(self, state: S, of: str = INITIAL) -> None:
        """Raise WrongMachine unless it shows a state, called `of`, as ETags, people, answers and metrics need it."""
        _check_names("tag", (text_of(WrongMachine, "its tag", self.tag, state, of=of),), _TAG, _TAG_IS)
        text_of(WrongMachine, "its describe", self.describe, state, of=of)
        size: object = called(WrongMachine, "its answer_bytes_max", self.answer_bytes_max, state, of=of)
        if not isinstance(size, int) or size < 0:
            raise WrongMachine(f"its answer_bytes_max returns {size!r:.80} of {of}: give a number of bytes.")
        measures: list[Any] = called(WrongMachine, "its measures", lambda: list(self.measures(state)), of=of)
        for measure in measures:
            if not isinstance(measure, Measure) or not measure.is_shown:
                raise WrongMachine(
                    f"its measures have {measure!r:.200}: each is a Measure, with a sentence of printable ASCII and a "
                    "number or a Histogram."
                )
        names = tuple(measure.name for measure in measures)
        if names:
            _check_names("measures", names, _MEASURE, "pex_, then small letters and underscores")
        name, other = clash(measures) or ("", "")
        if name:
            raise WrongMachine(f"its measure {name} has the name of the metric {other}. Give it another.")


_IN_EVERY_ROW: Final = f"every row also has {', '.join(_COLUMNS_OF_EVERY_ROW)}"
FIELDS_ARE: Final = "A field is printable ASCII without comma or quotation mark, and not empty: write '-' for nothing."


def is_field(written: object) -> bool:
    """Tell whether what a machine wrote is a text, and can be a field of a row."""
    return isinstance(written, str) and _FIELD.fullmatch(written) is not None


def _check_names(what: str, names: object, pattern: re.Pattern[str], demand: str) -> None:
    if not isinstance(names, tuple) or not names:
        raise WrongMachine(f"its {what} are {names!r:.80}, which is not a tuple of one or more names.")
    for name in names:
        if not isinstance(name, str) or not pattern.fullmatch(name):
            raise WrongMachine(f"its {what} {name!r:.80} must be: {demand}.")
    if len(set(names)) < len(names):
        raise WrongMachine(f"its {what} are there twice: {names!r:.200}.")


def _attempt(decode: Callable[[str], T], text: str) -> T:
    try:
        return decode(text)
    except Exception as error:
        message = f"not what this machine writes ({type(error).__name__}): {text!r:.80}"
        raise ValueError(message) from error
