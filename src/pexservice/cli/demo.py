"""`pexservice demo`: see it killed, and what became of every answer."""

import sys

import click

from pexservice.cli import output
from pexservice.cli.options import Command, read, whole
from pexservice.limits import DEFAULT, DEMO_KILLS_MAX


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
def demo(kills: int, workers: int) -> None:
    """Kill a service under load, again and again, and count what it lost.

    In a temporary directory, which is removed, and on a free port of this machine. It takes less than a minute. Every
    answer is then judged: ends with status 1 if a step that was answered is not there, or one was taken twice.
    """
    from pexservice.trial.demo import run  # noqa: PLC0415 - imports are start-up time, also of `serve`.
    from pexservice.trial.screen import Screen  # noqa: PLC0415

    verdict = run(Screen(sys.stdout, is_live=output.is_screen(sys.stdout)), kills, workers)
    if not verdict.is_kept:
        raise click.exceptions.Exit(1)
