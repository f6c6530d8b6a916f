"""Log lines on standard error: one for each event that matters, none for a request.

Never hand request bytes to a log call: what a client sends must not be able to shape a log.
"""

import logging
import os
import sys
from contextlib import suppress
from typing import Final, TextIO, cast

import structlog

from pexservice.config import LogFormat
from pexservice.process.systemd import is_journal

LEVELS = ("debug", "info", "warning", "error", "critical")

_PRIORITIES: Final = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
"""Of syslog(3), which the journal of systemd reads off the beginning of a line: sd-daemon(3)."""


class _Stderr:
    """Standard error, as a place that may fail: a full disk, a reader that is gone.

    A line that cannot be written is lost. It must not stop a service that can serve, and there is nobody to tell.
    """

    def write(self, text: str) -> None:
        with suppress(OSError):
            os.write(sys.stderr.fileno(), text.encode())

    def flush(self) -> None:
        """Do nothing: every line is written at once."""


def configure(log_format: LogFormat, level: str) -> None:
    """Set up logging for this process: lines for people, or one JSON object a line for machines."""
    processors: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if log_format == "json":
        processors.append(structlog.processors.JSONRenderer())
    else:
        processors.append(structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()))
    if is_journal(sys.stderr.fileno()):
        processors.append(_with_priority)
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(file=cast("TextIO", _Stderr())),
        cache_logger_on_first_use=True,
    )


def _with_priority(_logger: object, level: str, line: structlog.typing.EventDict) -> str:
    """Put the priority before a rendered line. `level` is the name of the method that logged it."""
    return f"<{_PRIORITIES[level]}>{line}"
