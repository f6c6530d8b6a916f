"""The command line.

The idea: this is the only place that reads arguments and the environment, and the only one that ends the process: an
error of the catalogue becomes one line on standard error and its exit status. What a command needs is imported when it
runs, since every import is part of the time to the first answer after a crash.
"""

import sys

import click

from pexservice import __version__
from pexservice.cli.import_original import import_original
from pexservice.cli.journal import journal
from pexservice.cli.serve import serve
from pexservice.cli.status import status
from pexservice.errors import Fatal

_COMPLETION = """\b
Shell completion, for bash (zsh and fish alike):
  eval "$(_PEXSERVICE_COMPLETE=bash_source pexservice)"
"""


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}, epilog=_COMPLETION)
def commands() -> None:
    r"""Walk the Fibonacci numbers over HTTP, durably and exactly.

    Every step is on disk before it is answered; killed at any instant, the service starts again where it stopped.

    \b
    Exit statuses:
       0  stopped on request; every accepted request was answered
       2  wrong usage
      65  damaged data, or of an unknown version; nothing was changed
      69  the address is in use or not available
      70  a defect of this program
      71  too few file descriptors, threads or memory
      73  the data directory cannot be created
      74  input/output error on the journal
      75  another process owns the data directory
      77  not permitted
    """


@commands.command()
def version() -> None:
    """Print the version."""
    click.echo(f"pexservice {__version__}")


for command in (serve, import_original, journal, status):
    commands.add_command(command)


def main() -> None:
    """Run the command line. Never returns."""
    try:
        commands(prog_name="pexservice")
    except Fatal as error:
        click.echo(f"pexservice: {error}", err=True)
        sys.exit(error.exit_status)
