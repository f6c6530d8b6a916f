"""`pexservice bench`: load a running service, and check its count."""

import sys
from pathlib import Path
from typing import Any

import click

from pexservice.cli import output
from pexservice.cli.asking import Address
from pexservice.cli.options import Command, path, read, whole
from pexservice.errors import CannotCreate, reason
from pexservice.limits import BENCH_CONNECTIONS_MAX, BENCH_REQUESTS_MAX

_HTTP_PORT = 80


@click.command(cls=Command)
@click.argument("url", default="http://127.0.0.1:8081", envvar="PEXSERVICE_URL", callback=read(Address.of_url))
@click.option(
    "--requests",
    metavar="COUNT",
    default=20_000,
    show_default=True,
    type=str,
    callback=read(whole(1, BENCH_REQUESTS_MAX)),
    help="How many steps to ask for; wrk goes on for 5 s instead.",
)
@click.option(
    "--connections",
    metavar="COUNT",
    default=10,
    show_default=True,
    type=str,
    callback=read(whole(1, BENCH_CONNECTIONS_MAX)),
    help="How many at a time.",
)
@click.option(
    "--with",
    "wanted",
    type=click.Choice(["auto", "ab", "wrk", "own"]),
    default="auto",
    show_default=True,
    help="What drives the load: auto takes ab or wrk if one is installed, else clients of its own.",
)
@click.option("--svg", metavar="FILE", callback=read(path), help="Write the plots to a file, too.")
@click.option("--remote", is_flag=True, help="Load an address that is not this machine's. Ask its owner first.")
@click.pass_context
def bench(  # noqa: PLR0913, PLR0917 - the options of a command.
    ctx: click.Context, url: Address, requests: int, connections: int, wanted: Any, svg: Path | None, *, remote: bool
) -> None:
    """Load the service at URL with steps, and check that it counted each one.

    URL is http://127.0.0.1:8081 unless told. The steps are real: the walk goes on by as many. Prints a table like that
    of ab, and plots; takes a minute at most. Ends with status 1 if the sequence did not advance by exactly the answers.
    """
    from pexservice.trial import bench as trial  # noqa: PLC0415 - imports are start-up time, also of `serve`.
    from pexservice.trial import svg as plots  # noqa: PLC0415
    from pexservice.trial.screen import Screen  # noqa: PLC0415
    from pexservice.trial.target import addresses, is_of_this_machine, reached  # noqa: PLC0415

    if url.is_tls:
        message = "bench speaks http, and not https: name the address of the service itself, behind the proxy."
        raise click.UsageError(message, ctx)
    connections = min(connections, requests)
    found = addresses(url.host, url.port or _HTTP_PORT)
    if not remote and not all(map(is_of_this_machine, found)):
        message = f"{url.shown} is not this machine's, and a load may harm it. If it is yours to load, say --remote."
        raise click.UsageError(message, ctx)
    tool = trial.chosen(wanted)
    target = reached(found, url.port or _HTTP_PORT, url.prefix)
    screen = Screen(sys.stdout, is_live=output.is_screen(sys.stdout))
    account, watch = trial.run(screen, target, tool, requests, connections)
    trial.report(screen, target, account, watch.samples)
    if svg is not None:
        try:
            svg.write_text(plots.load(account.outcome, watch.samples, f"pexservice at {target.url}"), "utf-8")
        except OSError as error:
            raise CannotCreate(f"cannot write the plots to {svg}: {reason(error)}.") from error
    if not account.is_kept:
        raise click.exceptions.Exit(1)
