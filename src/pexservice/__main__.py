"""Where every command begins, as `pexservice` and as `python -m pexservice`."""

import sys

from pexservice.process.beginning import begin


def main() -> None:
    """Run the command line. Never returns."""
    begin()
    from pexservice.errors import scarcity  # noqa: PLC0415 - nothing before signals are heard.

    try:
        from pexservice.cli import main as run  # noqa: PLC0415

        run()
    except Exception as error:
        scarce = scarcity(error)
        if scarce is None:
            raise
        sys.stderr.write(f"pexservice: {scarce}\n")
        sys.exit(scarce.exit_status)


if __name__ == "__main__":
    main()
