"""The command line.

The idea: this is the only place that reads arguments and the environment, and the only one that ends the process: an
error of the catalogue becomes one line on standard error and its exit status. What a command needs is imported when it
runs, since every import is part of the time to the first answer after a crash.
"""

import signal
import sys

import click

from pexservice import __version__
from pexservice.cli import environment, output
from pexservice.cli.ending import tell, tell_usage
from pexservice.cli.import_original import import_original
from pexservice.cli.journal import journal
from pexservice.cli.options import Group
from pexservice.cli.serve import serve
from pexservice.cli.status import status
from pexservice.errors import Fatal, defect

_HELP = """Walk the Fibonacci numbers over HTTP, durably and exactly.

Every step is on disk before it is answered; killed at any instant, the service starts again where it stopped.

'pexservice serve' starts it on http://127.0.0.1:8081; Ctrl-C stops it.

\b
Exit statuses:
   0  done, or stopped on request
   1  status: the service takes no steps
   2  wrong usage: an argument, or a PEXSERVICE_ variable
  65  damaged data, or of an unknown version; nothing was changed
  66  journal: there is no journal there
  69  the address is in use or not available; status: no pexservice answers
  70  a defect of this program
  73  the data directory cannot be created
  74  input/output error: the journal, or standard output
  75  another process owns the data directory
  77  not permitted
"""
_COMPLETION = """\b
Shell completion, for bash (zsh and fish alike):
  eval "$(_PEXSERVICE_COMPLETE=bash_source pexservice)"
"""


@click.group(
    cls=Group,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    help=_HELP,
    epilog=_COMPLETION,
)
@click.version_option(__version__, message="pexservice %(version)s", help="Print the version.")
def commands() -> None:
    """All of them."""


@commands.command(cls=click.Command)  # It answers whatever the environment holds.
def version() -> None:
    """Print the version."""
    click.echo(f"pexservice {__version__}")


for command in (serve, import_original, journal, status):
    commands.add_command(command)


def main() -> None:
    """Run the command line. Never returns."""
    output.install()
    try:
        status = _run()
    except output.ReaderGone:
        output.end_by(signal.SIGPIPE)
    except click.Abort:
        output.end_by(signal.SIGINT)
    sys.exit(status)


def _run() -> int:
    """Run a command and return the exit status."""
    try:
        environment.check_completion()
        status = commands(prog_name="pexservice", standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()
    except click.ClickException as error:
        return tell_usage(error)
    except Fatal as error:
        return tell(str(error), error.exit_status)
    except (output.ReaderGone, click.Abort):
        raise
    except Exception as error:  # noqa: BLE001 - Nobody has use for a traceback.
        return tell(
            f"unexpected error, a defect of this program: {defect(error)}. Please report it.", Fatal.exit_status
        )
    return status if isinstance(status, int) else 0
