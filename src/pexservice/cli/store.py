"""`pexservice store`: the schema on a PostgreSQL server, for replicas of whatever machine is served."""

from collections.abc import Callable
from copy import copy
from pathlib import Path
from typing import Any

import click

from pexservice.cli import environment, options
from pexservice.cli.loading import Load
from pexservice.cli.looping import looped
from pexservice.cli.options import Command, CommandGroup
from pexservice.config import StoreUrl, parse_store
from pexservice.core.judging import Place
from pexservice.core.machine import Machine
from pexservice.limits import DEFAULT
from pexservice.process.beginning import in_a_line

ReadBegin = Callable[[Path], Place[Any]]
"""Reads from a file where a machine begins. Raises Fatal."""

_url = click.argument("url", metavar="URL", envvar="PEXSERVICE_STORE", callback=options.read(parse_store))


@click.command("init", cls=Command)
@_url
@click.option(
    "--one-server",
    is_flag=True,
    help="There is no standby: who loses the server loses what is there. Without it, replicas refuse one that has no "
    "synchronous standby.",
)
@click.pass_obj
def init(load: Load, /, url: StoreUrl, begin: Place[Any] | None = None, *, one_server: bool) -> None:
    """Make the schema.

    It is made by the user of the URL, to whom it belongs. Refused if it is there already. Without URL, the variable
    PEXSERVICE_STORE says it.
    """
    options.check_password(click.get_current_context(), "url", url)
    environment.check_assertions()
    machine = load().machine
    place = begin or Place(0, machine.initial)
    is_enough = looped(lambda: _init(url, machine, place, is_one_server=one_server))
    click.echo(f"The schema is made. Sequence {place.sequence}, {in_a_line(machine.describe(place.state))}.")
    if not is_enough:
        click.echo("Replicas do not start until synchronous_standby_names of the server names a standby.", err=True)


@click.command(cls=Command)
@_url
@click.pass_obj
def check(load: Load, /, url: StoreUrl) -> None:
    """Check the schema and the server's settings, as a replica does at its start.

    It changes nothing, and ends with the status that a replica would end with. Without URL, the variable
    PEXSERVICE_STORE says it.
    """
    options.check_password(click.get_current_context(), "url", url)
    machine = load().machine
    place, standby = looped(lambda: _check(url, machine))
    click.echo(f"A replica may start. Sequence {place.sequence}, {in_a_line(machine.describe(place.state))}. {standby}")


async def _init(url: StoreUrl, machine: Machine[Any, Any], place: Place[Any], *, is_one_server: bool) -> bool:
    from pexservice.stores.choice import check_extra  # noqa: PLC0415 - imports are start-up time.

    check_extra()
    from pexservice.stores.postgres import schema  # noqa: PLC0415

    return await schema.init(url, machine, place, is_one_server=is_one_server, tell=_tell)


def _tell(words: str) -> None:
    click.echo(words, err=True)


async def _check(url: StoreUrl, machine: Machine[Any, Any]) -> tuple[Place[Any], str]:
    from pexservice.stores.choice import check_extra  # noqa: PLC0415

    check_extra()
    from pexservice.stores.postgres import schema  # noqa: PLC0415

    return await schema.check(url, machine, DEFAULT)


def store_commands(read_begin: ReadBegin | None) -> CommandGroup:
    """Return the group of them. With `read_begin`, `init` has an option to begin where a file says."""
    its_init = copy(init)
    if read_begin is not None:
        importing = click.Option(
            ["--import", "begin"],
            metavar="FILE",
            callback=options.read(lambda text: read_begin(options.path(text))),
            help="Begin where a data file of the original stands, as 'journal export --original --last 1' writes one, "
            "too.",
        )
        its_init.params = [*init.params, importing]
    return CommandGroup(
        "store",
        {"init": its_init, "check": check},
        help="Make or check the schema on a PostgreSQL server.\n\nReplicas are then served with --store URL.",
    )
