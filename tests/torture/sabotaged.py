"""`python -m torture.sabotaged NAME[,NAME] serve ...`: the service lacking safeguards. See `sabotage.py`."""

import sys

from pexservice.__main__ import main


def run() -> None:
    """Begin as the service does, and then lack them."""
    from pexservice.cli import main as run_command  # noqa: PLC0415 - as `pexservice.__main__` does.
    from torture.sabotage import sabotaged  # noqa: PLC0415

    with sabotaged(*sys.argv.pop(1).split(",")):
        run_command()


if __name__ == "__main__":
    main(run)
