"""Log lines on standard error: one for each event that matters, none for a request.

A person at a terminal reads sentences, and only those of use there: one when it serves, one when it stops, and what is
out of the ordinary. Everything else reads events with fields, in words or in JSON.

Never hand request bytes to a log call: what a client sends must not be able to shape a log.
"""

import logging
import os
import sys
from typing import Final, TextIO, cast

import structlog

from pexservice.config import LogFormat, LogLevel
from pexservice.errors import Fatal, defect, ending
from pexservice.limits import DEFAULT
from pexservice.process.beginning import ESCAPES, STDERR_FD, shown
from pexservice.process.outlet import Outlet
from pexservice.process.systemd import is_journal

log = structlog.get_logger()

_PRIORITIES: Final = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
"""Of syslog(3), which the journal of systemd reads off the beginning of a line: sd-daemon(3)."""
_SENTENCES: Final = {
    "listening": "{program} {version} at {where}{apart}, data in {data}. Ctrl-C stops.",
    "a new journal begins": "{program}: a new journal begins in {where}.",
    "draining": "{program} stops. Ctrl-C again ends it at once.",
    "cannot go on": "{program}: {error}",
    "unexpected error, a defect of this program": "{program}: a defect of this program, {defect}. Please report it.",
}
"""What a terminal shows of an event instead of its fields."""
_ROUTINE: Final = {"recovered", "stopped"}
"""What it does not show: nobody there has asked."""

_outlet: Outlet | None = None


def configure(program: str, log_format: LogFormat, level: LogLevel) -> None:
    """Set up logging for this process: lines for people, or one JSON object a line for machines."""
    global _outlet  # noqa: PLW0603 - there is one standard error.
    processors: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _printable,
    ]
    if log_format == "json":
        processors.append(structlog.processors.JSONRenderer())
    else:
        console = structlog.dev.ConsoleRenderer(colors=_is_coloured())
        is_plain = is_terminal() and level != "debug"
        processors.append(_Sentences(program, console) if is_plain else console)
    if is_journal(STDERR_FD):
        processors.append(_with_priority)
    encoding = "utf-8" if log_format == "json" else sys.stderr.encoding
    _outlet = Outlet(
        STDERR_FD, lambda text: text.encode(encoding, ESCAPES), _tell_dropped, DEFAULT.log_lines_waiting_max
    )
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(file=cast("TextIO", _outlet)),
        cache_logger_on_first_use=True,
    )


def go_on(worker: int) -> None:
    """Log from a process that was forked: in a thread of its own, and saying whose lines these are."""
    if _outlet is not None:
        _outlet.renew()
    processors = structlog.get_config()["processors"]

    def name(_logger: object, _name: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event["worker"] = worker
        return event

    processors.insert(0, name)


def is_terminal() -> bool:
    """Tell whether a person reads along."""
    return os.isatty(STDERR_FD)


def dropped() -> int:
    """Return how many lines were lost, since nobody read them or they could not be written."""
    return _outlet.dropped if _outlet is not None else 0


def finish() -> None:
    """Wait until everything logged is written, but not for long."""
    if _outlet is not None:
        _outlet.finish()


def tell_end(error: BaseException) -> int:
    """Log what ends this process, in one line, and return its exit status."""
    end = ending(error)
    if end is None:
        log.critical("unexpected error, a defect of this program", defect=defect(error))
        return Fatal.exit_status
    log.critical("cannot go on", error=str(end), exit_status=end.exit_status)
    return end.exit_status


class _Sentences:
    """Renders for a person at a terminal."""

    def __init__(self, program: str, otherwise: structlog.dev.ConsoleRenderer) -> None:
        self._program = program
        self._otherwise = otherwise

    def __call__(self, logger: object, name: str, event: structlog.typing.EventDict) -> str:
        if event["event"] in _ROUTINE:
            raise structlog.DropEvent
        sentence = _SENTENCES.get(event["event"])
        apart = f", probes and metrics at {event['admin']}" if "admin" in event else ""
        return (
            sentence.format(program=self._program, apart=apart, **event)
            if sentence
            else self._otherwise(logger, name, event)
        )


def _is_coloured() -> bool:
    """As https://no-color.org wants it."""
    return is_terminal() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _printable(_logger: object, _name: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Show with escapes what is in a name and is no text, or would end the line."""
    return {key: shown(value) if isinstance(value, str) else value for key, value in event.items()}


def _tell_dropped(lines: int) -> None:
    log.warning("log lines were dropped, nobody read them", lines=lines)


def _with_priority(_logger: object, level: str, line: structlog.typing.EventDict) -> str:
    """Put the priority before a rendered line. `level` is the name of the method that logged it."""
    return f"<{_PRIORITIES[level]}>{line}"
