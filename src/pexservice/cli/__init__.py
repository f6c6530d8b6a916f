"""The command line of the walk.

What a command needs is imported when it runs, since every import is part of the time to the first answer after a crash.
"""

from typing import Final, NoReturn

import click

from pexservice import __version__
from pexservice.cli.frame import command_line, run
from pexservice.cli.loading import load_walk

_TEXT: Final = """Walk the Fibonacci numbers over HTTP, durably and exactly.

Every step is on disk before it is answered; killed at any instant, the service starts again where it stopped.

'pexservice serve' starts it on http://127.0.0.1:8081; Ctrl-C stops it.
"""
_SERVING: Final = """If the data directory holds a fibo.csv of the original service and no journal, the walk goes on
from there.
"""


def _demo() -> click.Command:
    from pexservice.cli.demo import demo  # noqa: PLC0415

    return demo


def _bench() -> click.Command:
    from pexservice.cli.bench import bench  # noqa: PLC0415

    return bench


def _import() -> click.Command:
    from pexservice.cli.import_original import import_original  # noqa: PLC0415

    return import_original


def _store() -> click.Command:
    from pexservice.cli.store import store  # noqa: PLC0415

    return store


def _export() -> click.Command:
    from pexservice.cli.export import export  # noqa: PLC0415

    return export


commands: Final = command_line(
    "pexservice",
    __version__,
    _TEXT,
    serving=_SERVING,
    more={"demo": _demo, "bench": _bench, "import": _import, "store": _store},
    journal={"export": _export},
)


def main() -> NoReturn:
    """Run the command line."""
    run(commands, load_walk)
