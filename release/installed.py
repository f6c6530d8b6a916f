"""The wheel, installed into an empty environment and used.

What users install is proved, not the checkout. The environment has the locked dependencies and the wheel, and
everything runs outside of the checkout, so a file that is missing from the wheel cannot be found by accident.
"""

import subprocess
import venv
from dataclasses import dataclass
from os import environ
from pathlib import Path
from typing import Final

from release.building import Unfit
from support.process import started

_INSTALL_S: Final = 600
"""A handful of packages; a slow network."""
_STEPS: Final = 10


@dataclass(frozen=True, slots=True)
class Environment:
    """A virtual environment with the wheel in it."""

    directory: Path

    @classmethod
    def install(cls, wheel: Path, requirements: Path, directory: Path) -> "Environment":
        """Make a new one of the locked requirements and the wheel."""
        venv.create(directory, with_pip=True)
        made = cls(directory)
        pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        made.python(*pip, "--require-hashes", "--requirement", str(requirements))
        made.python(*pip, "--no-deps", "--no-index", str(wheel))
        made.python("-m", "pip", "check")
        return made

    def python(self, *arguments: str) -> str:
        """Run its interpreter and return what it printed."""
        return self._run("python", *arguments)

    def pexservice(self, *arguments: str) -> str:
        """Run the installed command and return what it printed."""
        return self._run("pexservice", *arguments)

    def program(self, name: str) -> str:
        """Return the path of one of its programs."""
        return str(self.directory / "bin" / name)

    def _run(self, program: str, *arguments: str) -> str:
        done = subprocess.run(  # noqa: S603 - programs that were just installed.
            [self.program(program), *arguments],
            cwd=self.directory,
            env={name: value for name, value in environ.items() if name != "PYTHONPATH"},
            stdout=subprocess.PIPE,
            text=True,
            timeout=_INSTALL_S,
            check=True,
        )
        return done.stdout


def use(installed: Environment, version: str, data_dir: Path) -> None:
    """Serve, step, restart, verify. Raises Unfit if anything is not as it must be."""
    _require("version", installed.pexservice("version"), f"pexservice {version}\n")
    where = installed.python("-c", "import pexservice; print(pexservice.__file__)").strip()
    _require("a module of the environment", Path(where).is_relative_to(installed.directory), expected=True)
    options = ["serve", "--port", "0", "--data-dir", str(data_dir), "--log-format", "json"]
    program = [installed.program("pexservice"), *options]
    with started(program) as service, service.connect() as client:
        _require("answers", {client.ask("POST", "/next").status for _ in range(_STEPS)}, {200})
        for path in ("/", "/metrics", "/openapi.json"):  # Their parts are files of the package, or imported late.
            _require(path, client.ask("GET", path).status, 200)
        _require("exit status", service.stop(), 0)
    with started(program) as service, service.connect() as client:
        answer = client.ask("GET", "/current")
        _require("after a restart", (answer.sequence, answer.body), (_STEPS, b"55\n"))
        _require("exit status", service.stop(), 0)
    verified = installed.pexservice("journal", "verify", "--data-dir", str(data_dir))
    _require("journal verify", f"Sequence {_STEPS}, position {_STEPS}." in verified, expected=True)


def _require(what: str, found: object, expected: object) -> None:
    if found != expected:
        raise Unfit(f"the installed wheel fails: {what} is {found!r}, not {expected!r}")
