"""Where the commands of the box office begin: `python -m tickets serve`, and all the others."""

from pexservice.__main__ import main


def _run() -> None:
    from pexservice.cli.frame import command_line, run  # noqa: PLC0415 - signals are heard before anything is imported.

    from .app import APPLICATION  # noqa: PLC0415

    run(command_line("tickets", APPLICATION.version, "Sell each seat once, durably."), lambda: APPLICATION)


main(_run)
