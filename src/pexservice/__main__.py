"""Where every command begins, as `pexservice` and as `python -m pexservice`."""

import gc
import os
import signal
import sys
from collections.abc import Callable

from pexservice.process import signals


def _walk() -> None:
    from pexservice.cli import main as run  # noqa: PLC0415 - see `main`.

    run()


def main(run: Callable[[], None] = _walk) -> None:
    """Run a command line, which `run` imports first. Never returns."""
    signals.end_at_once()  # Before any other import: those take time, in which a signal would not be heard.
    try:
        try:
            _begin(run)
        except Exception:
            signals.raise_heard()
            raise
    except KeyboardInterrupt:
        signals.end_by(signal.SIGINT)


def _begin(run: Callable[[], None]) -> None:
    gc.disable()  # PERF: 6 ms of a start's 110; what imports make stays. It is enabled once they are done.

    from pexservice.errors import ending  # noqa: PLC0415
    from pexservice.process.beginning import begin, ensure_room  # noqa: PLC0415

    begin()
    try:
        ensure_room()
        run()
    except Exception as error:
        end = ending(error)
        if end is None:
            raise
        sys.stderr.write(f"{_program()}: {end}\n")
        os._exit(end.exit_status)  # To end in order would take more of it.


def _program() -> str:
    """Return what was started, before it could say how it is called: of a package, the name of its folder."""
    folder, name = os.path.split(sys.argv[0])
    return os.path.basename(folder) if name == "__main__.py" else name  # noqa: PTH119 - pathlib would take memory.


if __name__ == "__main__":
    main()
