"""How a command that failed says so: one sentence on standard error, and an exit status."""

import os
import sys
from typing import Final

import click

from pexservice.process.beginning import shown

_USAGE: Final = 2
_WORD_MAX: Final = 300
"""Characters of a word that is shown of wrong usage: a path may be long, a value without end is none."""


def tell(message: str, exit_status: int, command: str) -> int:
    """Print one line for people, in which nothing controls their terminal, and return the exit status."""
    click.echo(f"{command}: {shown(message)}", err=True)
    return exit_status


def tell_usage(program: str, error: click.ClickException) -> int:
    """Tell of wrong usage: as a log line, if `serve` was told to log for machines, else for people."""
    ctx = error.ctx if isinstance(error, click.UsageError) else None
    command = ctx.command_path if ctx else program
    words = error.format_message().split()
    message = " ".join(word if len(word) <= _WORD_MAX else word[:_WORD_MAX] + "..." for word in words)
    if command.endswith(" serve") and _wants_json(sys.argv[1:]):
        from pexservice.process import logs  # noqa: PLC0415 - imports are start-up time.

        logs.configure(program, "json", "critical")
        logs.log.critical("wrong usage", error=message, exit_status=_USAGE)
        logs.finish()
        return _USAGE
    stop = "" if message.endswith((".", "?", "!")) else "."  # click's own sentences end in one of these, or in none.
    return tell(f"{message}{stop} See '{command} --help'.", _USAGE, command)


def _wants_json(arguments: list[str]) -> bool:
    """Tell whether the log format is JSON, as far as can be known of arguments that could not be read."""
    chosen = os.environ.get("PEXSERVICE_LOG_FORMAT", "")
    for argument, following in zip(arguments, [*arguments[1:], ""], strict=True):
        name, equals, value = argument.partition("=")
        if name == "--log-format":
            chosen = value if equals else following
    return chosen == "json"
