"""`pexservice store`: the schema on a PostgreSQL server, for replicas of the walk."""

import asyncio
from pathlib import Path
from typing import Any

import click

from pexservice.cli import environment, options
from pexservice.cli.options import Command, Group
from pexservice.config import StoreUrl, parse_store
from pexservice.core.judging import Place
from pexservice.limits import DEFAULT
from pexservice.walk.machine import WALK

_url = click.argument("url", metavar="URL", envvar="PEXSERVICE_STORE", callback=options.read(parse_store))


@click.command("init", cls=Command)
@_url
@click.option(
    "--one-server",
    is_flag=True,
    help="There is no standby: who loses the server loses the walk. Without it, one without a synchronous standby is "
    "refused.",
)
@click.option(
    "--import",
    "file",
    metavar="FILE",
    callback=options.read(options.path),
    help="Begin where a data file of the original stands, as 'journal export --original --last 1' writes one, too.",
)
def init(url: StoreUrl, file: Path | None, *, one_server: bool) -> None:
    """Make the schema.

    It is made by the user of the URL, to whom it belongs. Refused if it is there already.
    """
    options.check_password(click.get_current_context(), "url", url)
    environment.check_assertions()
    place = Place(0, WALK.initial)
    if file is not None:
        from pexservice.walk import original  # noqa: PLC0415 - imports are start-up time.

        place = original.read(file)
    asyncio.run(_init(url, place, is_one_server=one_server))
    click.echo(f"The schema is made. Sequence {place.sequence}, {WALK.describe(place.state)}.")


@click.command(cls=Command)
@_url
def check(url: StoreUrl) -> None:
    """Check the schema and the server's settings, as a replica does at its start.

    It changes nothing, and ends with the status that a replica would end with.
    """
    options.check_password(click.get_current_context(), "url", url)
    place, standby = asyncio.run(_check(url))
    click.echo(f"A replica may start. Sequence {place.sequence}, {WALK.describe(place.state)}. {standby}")


async def _init(url: StoreUrl, place: Place[int], *, is_one_server: bool) -> None:
    from pexservice.stores.choice import check_extra  # noqa: PLC0415

    check_extra()
    from pexservice.stores.postgres import schema  # noqa: PLC0415

    await schema.init(url, WALK, place, DEFAULT, is_one_server=is_one_server)


async def _check(url: StoreUrl) -> tuple[Place[Any], str]:
    from pexservice.stores.choice import check_extra  # noqa: PLC0415

    check_extra()
    from pexservice.stores.postgres import schema  # noqa: PLC0415

    return await schema.check(url, WALK, DEFAULT)


store = Group(
    "store",
    {"init": init, "check": check},
    help="Make or check the schema on a PostgreSQL server.\n\nReplicas are then served with --store URL.",
)
