"""`pexservice import`."""

import logging
from pathlib import Path

import click
import structlog

from pexservice.cli import environment, options
from pexservice.cli.looping import looped
from pexservice.core.judging import Place
from pexservice.errors import CannotCreate, reason, scarcity
from pexservice.limits import DEFAULT
from pexservice.stores.journal.errors import make_room
from pexservice.stores.journal.record import Codec
from pexservice.walk.machine import WALK


@click.command("import", cls=options.Command)
@click.argument("file", metavar="FILE", callback=options.read(options.path))
@options.data_dir
def import_original(file: Path, data_dir: Path) -> None:
    """Take over the walk of the original service.

    FILE is its data file, fibo.csv. It is only read. Refused if the data directory has a walk already.
    """
    environment.check_assertions()
    options.check_no_store("Begin there with 'pexservice store init --import'")
    from pexservice.walk import original  # noqa: PLC0415 - imports are start-up time.

    place = original.read(file)
    looped(lambda: _begin(data_dir, place))
    click.echo(f"{file}: position {place.state}, sequence {place.sequence}, now in {data_dir}.")


async def _begin(data_dir: Path, place: Place[int]) -> None:
    from pexservice.disk.linux import LinuxDisk  # noqa: PLC0415
    from pexservice.disk.syncer import Syncer  # noqa: PLC0415
    from pexservice.stores.journal.journal import Journal  # noqa: PLC0415
    from pexservice.stores.journal.opening import look  # noqa: PLC0415
    from pexservice.stores.journal.options import Options  # noqa: PLC0415

    # What a service would log, a command says as an error.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    codec = Codec(WALK)
    disk = LinuxDisk.own(data_dir, Syncer())
    found = look(disk, codec, begin=lambda: place)
    if found.newest is not None:
        existing = found.plan.place
        message = (
            f"{data_dir} already has a walk, at position {existing.state} after {existing.sequence} "
            "steps. Nothing was imported. Choose an empty directory with --data-dir."
        )
        raise CannotCreate(message)
    journal = await Journal.open(disk, codec, found, Options(DEFAULT))
    if journal.unready is not None:
        cause = journal.unready.__cause__
        why = reason(cause) if isinstance(cause, OSError) else "its file system is full"
        remedy = f"{make_room(cause)}, and import it again."
        message = f"{data_dir} has no room for a journal: {why}. Nothing was imported. {remedy}"
        raise scarcity(journal.unready) or CannotCreate(message)
    await journal.close()
