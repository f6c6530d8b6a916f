"""`pexservice demo`: see it killed, and what became of every answer."""

import sys

import click

from pexservice.cli import output
from pexservice.cli.options import Command, contradict, given, read, whole
from pexservice.limits import DEFAULT, DEMO_KILLS_MAX, DEMO_REPLICAS_MAX


@click.command(cls=Command)
@click.option(
    "--kills",
    metavar="COUNT",
    default=20,
    show_default=True,
    type=str,
    callback=read(whole(0, DEMO_KILLS_MAX)),
    help="How often to kill it.",
)
@click.option(
    "--workers",
    metavar="COUNT",
    default=1,
    show_default=True,
    type=str,
    callback=read(whole(1, DEFAULT.workers_max)),
    help="Processes that serve. With several, every other kill is of one of them alone.",
)
@click.option(
    "--replicas",
    metavar="COUNT",
    default=1,
    show_default=True,
    type=str,
    callback=read(whole(1, DEMO_REPLICAS_MAX)),
    help="Services that share a walk, on a PostgreSQL server of their own, which must be installed. Likewise.",
)
@click.pass_context
def demo(ctx: click.Context, kills: int, workers: int, replicas: int) -> None:
    """Kill a service under load, again and again, and count what it lost.

    In a temporary directory, which is removed, and on a free port of this machine. It takes less than a minute. Every
    answer is then judged: ends with status 1 if a step that was answered is not there, or one was taken twice.
    """
    contradict(ctx, "workers", "replicas", "a replica has no workers.")
    from pexservice.trial.demo import run  # noqa: PLC0415 - imports are start-up time, also of `serve`.
    from pexservice.trial.screen import Screen  # noqa: PLC0415

    screen = Screen(sys.stdout, is_live=output.is_screen(sys.stdout))
    verdict = run(screen, kills, replicas, part="replica") if given(ctx, "replicas") else run(screen, kills, workers)
    if not verdict.is_kept:
        raise click.exceptions.Exit(1)
