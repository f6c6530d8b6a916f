"""The frame of a command line: what it has for every application, and how every command ends.

Nothing else reads arguments or the environment, and nothing else ends the process: an error of the catalogue becomes
one line on standard error and its exit status.
"""

import gc
import os
import signal
import sys
from collections.abc import Callable, Mapping
from copy import copy
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NoReturn

import click

from pexservice.cli import environment, output
from pexservice.cli.ending import tell, tell_usage
from pexservice.cli.loading import Load, loaded
from pexservice.cli.options import CommandGroup, Late
from pexservice.cli.serve import serve
from pexservice.errors import Fatal, defect, ending
from pexservice.process import signals

if TYPE_CHECKING:
    from pexservice.core.judging import Place

_EXIT_STATUSES: Final = """\b
Exit statuses:
   0  done, or stopped on request
   1  status: the service takes no steps; else as the command's --help says
   2  wrong usage: an argument, or a PEXSERVICE_ variable
  65  damaged data, or of another version or machine; nothing was changed
  66  there is no journal, or no schema of a store, there
  69  the address is in use or not available; no server or service answers
  70  a defect of this program
  71  too few file descriptors, threads, processes or memory
  73  the data directory, or a file, cannot be created, written or read
  74  input/output error: the journal, the store, or standard output
  75  another process owns the data directory
  77  not permitted
"""
_COMPLETION: Final = """\b
Shell completion, for bash (zsh and fish alike):
  eval "$({variable}=bash_source {program})"
"""


def command_line(  # noqa: PLR0913 - what an application may say, and each by name.
    program: str,
    version: str,
    text: str,
    *,
    serving: str = "",
    more: Mapping[str, Callable[[], click.Command]] = MappingProxyType({}),
    journal: Mapping[str, Callable[[], click.Command]] = MappingProxyType({}),
    read_begin: "Callable[[Path], Place[Any]] | None" = None,
) -> CommandGroup:
    """Return the command line of an application: what every one has, and `more`; and `journal` in the group of it.

    `text` describes it, and `serving` what is special about its `serve`. Of more commands, by their names, it takes
    what imports them. `read_begin` is for `store init --import`: it reads from a file where the machine begins.
    """
    its_serve = copy(serve)
    its_serve.help = f"{serve.help or ''}\n\n{serving}"  # Under -OO there is none.
    commands = Late(
        {
            "serve": lambda: its_serve,
            **more,
            "store": partial(_store, read_begin),
            "journal": partial(_journal, Late(journal)),
            "status": _status,
            "version": partial(_version, program, version),
        }
    )
    completion = _COMPLETION.format(variable=environment.completion_variable(program), program=program)
    frame = CommandGroup(
        program,
        commands,
        help=f"{text}\n\n{_EXIT_STATUSES}",
        epilog=completion,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    )
    return click.version_option(version, message=f"{program} %(version)s", help="Print the version.")(frame)


def run(commands: CommandGroup, load: Load) -> NoReturn:
    """Run a command line. `load` returns its application: only a command that needs it pays for the import."""
    output.install()
    gc.freeze()  # What was imported is not garbage, and is never looked at again.
    gc.enable()
    try:
        exit_status = _run(commands, load)
    except output.ReaderGone:
        signals.end_by(signal.SIGPIPE)
    except click.Abort:
        signals.end_by(signal.SIGINT)
    if sys.flags.inspect:  # Under PYTHONINSPECT, Python would show a traceback and ask for input instead.
        sys.stdout.flush()
        os._exit(exit_status)
    sys.exit(exit_status)


def _run(commands: CommandGroup, load: Load) -> int:
    """Run a command and return the exit status."""
    program = commands.name or ""
    try:
        environment.check_completion(program)
        exit_status = commands(prog_name=program, obj=partial(loaded, load), standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        return tell_usage(program, error)
    except (output.ReaderGone, click.Abort):
        raise
    except Exception as error:  # noqa: BLE001 - nobody has use for a traceback.
        end = ending(error)
        if end is not None:
            return tell(str(end), end.exit_status, program)
        signals.raise_heard()
        message = f"unexpected error, a defect of this program: {defect(error)}. Please report it."
        return tell(message, Fatal.exit_status, program)
    return exit_status if isinstance(exit_status, int) else 0


def _journal(more: Late) -> click.Command:
    from pexservice.cli.journal import journal_commands  # noqa: PLC0415 - see `Late`.

    return journal_commands(more)


def _store(read_begin: "Callable[[Path], Place[Any]] | None") -> click.Command:
    from pexservice.cli.store import store_commands  # noqa: PLC0415

    return store_commands(read_begin)


def _status() -> click.Command:
    from pexservice.cli.status import status  # noqa: PLC0415

    return status


def _version(program: str, version: str) -> click.Command:
    @click.command("version", cls=click.Command)  # It answers whatever the environment holds.
    def show_version() -> None:
        """Print the version."""
        click.echo(f"{program} {version}")

    return show_version
