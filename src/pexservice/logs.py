"""Log lines on standard error: one for each event that matters, none for a request.

Never hand request bytes to a log call: what a client sends must not be able to shape a log.
"""

import logging
import sys

import structlog

from pexservice.config import LogFormat

LEVELS = ("debug", "info", "warning", "error", "critical")


def configure(log_format: LogFormat, level: str) -> None:
    """Set up logging for this process: lines for people, or one JSON object a line for machines."""
    processors: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if log_format == "json":
        processors += [structlog.processors.dict_tracebacks, structlog.processors.JSONRenderer()]
    else:
        is_terminal = sys.stderr.isatty()
        plain = structlog.dev.plain_traceback
        processors.append(structlog.dev.ConsoleRenderer(colors=is_terminal, exception_formatter=plain))
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
