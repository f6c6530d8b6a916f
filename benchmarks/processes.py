"""Other programs: run, started, ended. No other module runs any.

A program that serves is a context, and is ended with it, by its process id. A program that ends by itself has a time
limit. What a program prints while it serves goes to a file, to be shown if it does not come up.
"""

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from os import environ
from pathlib import Path
from typing import Final

_STOP_S: Final = 15
"""More than pexservice takes to drain; then it is killed."""
_SHOWN_CHARACTERS: Final = 400
"""Of what a program said that failed."""


class Failed(Exception):
    """Raised when a program ended badly or not at all; says what it was and what it printed last."""


def run(arguments: Sequence[str], *, timeout_s: float, variables: Mapping[str, str] | None = None) -> str:
    """Run a program that ends by itself and return what it printed. Raises Failed."""
    try:
        done = subprocess.run(  # noqa: S603 - the programs are our own, or named by us.
            arguments,
            env=_environment(variables or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=True,
        )
    except FileNotFoundError as error:
        raise Failed(f"{arguments[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise Failed(f"{' '.join(arguments)} did not end within {timeout_s:g} s") from error
    except subprocess.CalledProcessError as error:
        said = (error.stderr or error.stdout).strip()[-_SHOWN_CHARACTERS:]
        raise Failed(f"{' '.join(arguments)} ended with {error.returncode}: {said}") from error
    return done.stdout


@contextmanager
def serving(arguments: Sequence[str], log: Path, variables: Mapping[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a program until the end of the block. Everything it prints goes to the file `log`."""
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - as above.
            arguments, env=_environment(variables), stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def last_words(log: Path) -> str:
    """Return the end of what a program printed."""
    return log.read_text("utf-8", "replace").strip()[-_SHOWN_CHARACTERS:]


def _environment(variables: Mapping[str, str]) -> dict[str, str]:
    inherited = {name: value for name, value in environ.items() if not name.startswith("PEXSERVICE_")}
    return inherited | dict(variables)
