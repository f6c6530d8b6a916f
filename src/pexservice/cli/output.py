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
from pexservice.process.beginning import ESCAPES, Descriptor


class ReaderGone(Exception):
    """Raised when nobody reads the output any more, as behind `| head`."""


class _StandardOutput(Descriptor):
    """Standard output. Raises OutputFailed or ReaderGone once; what comes later is dropped."""

    _has_failed = False

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
    raw = _StandardOutput(sys.stdout.fileno())
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
