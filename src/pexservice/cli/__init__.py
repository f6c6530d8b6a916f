"""The command line of the walk.

What a command needs is imported when it runs, since every import is part of the time to the first answer after a crash.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

import click

from pexservice import __version__
from pexservice.cli.frame import command_line, run
from pexservice.cli.loading import load_walk

if TYPE_CHECKING:
    from pexservice.core.judging import Place

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


def _read_begin(file: Path) -> "Place[int]":
    from pexservice.walk import original  # noqa: PLC0415

    return original.read(file)


def _export() -> click.Command:
    from pexservice.cli.export import export  # noqa: PLC0415

    return export


commands: Final = command_line(
    "pexservice",
    __version__,
    _TEXT,
    serving=_SERVING,
    more={"demo": _demo, "bench": _bench, "import": _import},
    journal={"export": _export},
    read_begin=_read_begin,
)


def main() -> NoReturn:
    """Run the command line."""
    run(commands, load_walk)
