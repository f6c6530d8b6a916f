"""Standard output, which may fail.

A failed write is known where it happens, and becomes an error of the catalogue there. Nothing further up has to tell an
OSError of the output from one of something else, and nothing is left in a buffer to fail again at the exit of the
interpreter, where Python would answer with a traceback and a status of its own (120).
"""

import io
import os
import select
import sys
from typing import Any, TextIO

from pexservice.errors import OutputFailed
from pexservice.process.beginning import ESCAPES


class ReaderGone(Exception):
    """Raised when nobody reads the output any more, as behind `| head`."""


class _Descriptor(io.RawIOBase):
    """A descriptor to write to. Raises OutputFailed or ReaderGone once; what comes later is dropped."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._has_failed = False

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._fd

    def isatty(self) -> bool:
        return os.isatty(self._fd)

    def write(self, data: Any) -> int:
        size = memoryview(data).nbytes
        while not self._has_failed:
            try:
                return os.write(self._fd, data)
            except BlockingIOError:  # Somebody else who has it open made it so.
                select.select([], [self._fd], [])
            except OSError as error:
                self._has_failed = True
                _refuse(error)
        return size


def install() -> None:
    """Put this instead of Python's own standard output. Standard error is `process.beginning`'s."""
    raw = _Descriptor(sys.stdout.fileno())
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(raw), encoding=sys.stdout.encoding, errors=ESCAPES, line_buffering=raw.isatty()
    )


def is_screen(stream: TextIO) -> bool:
    """Tell whether what was written there can be drawn over: a terminal, and none that says it is dumb."""
    return stream.isatty() and os.environ.get("TERM", "") not in {"", "dumb"}


def _refuse(error: OSError) -> None:
    if isinstance(error, BrokenPipeError):
        raise ReaderGone from error
    message = f"cannot write to standard output: {error.strerror}. What was written of it is not whole."
    raise OutputFailed(message) from error
