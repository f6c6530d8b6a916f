"""What comes before everything else, for every command: standard descriptors, names that are no text, and memory.

After this the rest of the program may rely on all: three open descriptors, text that can always be shown, and room
for what it imports.
"""

import codecs
import io
import os
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

ESCAPES: Final = "pexservice.escapes"
"""The error handler of codecs that shows what cannot be encoded as escapes."""
PATIENCE_S: Final = 1.0
"""How long a line may wait for room on standard error."""
_PIECE_BYTES: Final = 4096
"""PIPE_BUF: a pipe that is ready for anything takes so much without waiting."""
_WORDS_MAX: Final = 60
ROOM_BYTES: Final = 48 << 20
"""Twice what the imports of any command take (23 MiB, Python 3.11 and 3.14)."""
STDERR_FD: Final = 2
_STANDARD: Final = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))


def begin() -> None:
    """Open the standard descriptors that are closed, and let no text be an error since it cannot be shown."""
    codecs.register_error(ESCAPES, _escape)
    for fd, (name, mode) in enumerate(_STANDARD):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # The lowest that is free is this one.
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(fd, mode, closefd=False))
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding=_more_than_ascii(sys.stdout.encoding), errors=ESCAPES)
    standard_error = io.BufferedWriter(_StandardError(STDERR_FD), 1)
    encoding = _more_than_ascii(sys.stderr.encoding)
    sys.stderr = io.TextIOWrapper(standard_error, encoding, ESCAPES, write_through=True)


def ensure_room() -> None:
    """Raise OSError or ImportError if there is too little memory for what a command imports.

    Asked for at once, since an import that runs out of it may fail in any way: as a SyntaxError, as a missing name, or
    by hashlib's logging of a hundred lines for what it could not load.
    """
    import mmap  # noqa: PLC0415 - itself to be told of in one line.

    mmap.mmap(-1, ROOM_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()


def in_a_line(text: str) -> str:
    """Return as much of a text of any length as goes into a line beside others."""
    return text if len(text) <= _WORDS_MAX else f"{text[:_WORDS_MAX]}..."


def shown(text: str) -> str:
    """Return a text in which everything that is not to be printed is an escape: bytes that are no text, line ends."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else _escaped(each) for each in text)


def write(fd: int, data: bytes | memoryview, patience_s: float) -> bool:
    """Write to a descriptor, and tell whether all was written: what finds no room within the time is lost.

    Who shares a pipe may take the room away in between, and then the call may wait. Raises OSError.
    """
    import select  # noqa: PLC0415 - a file to open, when there may be no descriptor yet.

    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    deadline_s = time.monotonic() + patience_s
    view = memoryview(data)
    while view and poll.poll(max(0.0, deadline_s - time.monotonic()) * 1000):
        view = view[os.write(fd, view[:_PIECE_BYTES]) :]
    return not view


class Descriptor(io.RawIOBase):
    """A descriptor to write to, as a file of Python's; a subclass says how."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def writable(self) -> bool:
        """Return true."""
        return True

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._fd

    def isatty(self) -> bool:
        """Tell whether it is a terminal."""
        return os.isatty(self._fd)


class _StandardError(Descriptor):
    """Standard error, on which nobody waits for long, and which may fail: there is nobody to tell."""

    def write(self, data: "ReadableBuffer", /) -> int:
        view = memoryview(data).cast("B")
        with suppress(OSError):
            write(self._fd, view, PATIENCE_S)
        return len(view)


def _more_than_ascii(encoding: str) -> str:
    """Return an encoding that click does not take for a mistake: it would show question marks."""
    return "utf-8" if codecs.lookup(encoding).name == "ascii" else encoding


def _escape(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    return "".join(map(_escaped, error.object[error.start : error.end])), error.end


def _escaped(character: str) -> str:
    if "\udc80" <= character <= "\udcff":  # A byte that is no text: PEP 383.
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")
