"""The servers of deploy/replicas/compose.yaml by its own scripts, without Docker.

What the image of PostgreSQL does before it hands over is done here by a few lines: a new cluster, the user, a password
for whoever comes over the network, and the scripts of `docker-entrypoint-initdb.d` while nobody else can connect.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

import yaml

from support.postgres import BINARIES, USER
from support.process import HANG_S, free_port, wait_until

DIRECTORY: Final = Path(__file__).parents[3] / "deploy/replicas"
PASSWORD: Final = "correct-horse"
_ENTRYPOINT: Final = """#!/bin/sh
set -eu
[ "$1" = postgres ]
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  echo "$POSTGRES_PASSWORD" > "$TOP/password"
  initdb --pgdata "$PGDATA" --username "$POSTGRES_USER" --pwfile "$TOP/password" \\
    --auth-local trust --auth-host scram-sha-256 --no-sync
  echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
  alone="-c listen_addresses= -c unix_socket_directories=$TOP -p $OWN_PORT"
  pg_ctl --pgdata "$PGDATA" --options "$alone" --wait start
  unset PGHOSTADDR
  export PGHOST="$TOP" PGPORT="$OWN_PORT"
  createdb --username "$POSTGRES_USER" "$POSTGRES_DB"
  . "$PRIMARY_SCRIPT"
  pg_ctl --pgdata "$PGDATA" --mode fast --wait stop
fi
exec postgres -p "$OWN_PORT" -c listen_addresses=127.0.0.1 -c "unix_socket_directories=$TOP"
"""


class Composed:
    """One of the two servers, with its data in a volume of its own."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.port = free_port()
        self.top = Path(mkdtemp(prefix="pex-compose-"))
        self._make_volume()
        shutil.chown(self.top, USER, USER)
        entrypoint = self.top / "docker-entrypoint.sh"
        entrypoint.write_text(_ENTRYPOINT)
        entrypoint.chmod(0o755)
        for each in ("server", "primary.sh"):  # The checkout may be nobody else's to read.
            shutil.copy(DIRECTORY / each, self.top / each)
        self._process: subprocess.Popen[bytes] | None = None

    def up(self, primary: "Composed") -> None:
        """Start it, as compose does with PRIMARY as named."""
        environment = yaml.safe_load((DIRECTORY / "compose.yaml").read_text())["services"][self.name]["environment"]
        variables = _filled(environment, primary.name) | {
            "PATH": f"{self.top}:{BINARIES[-1]}:{os.environ['PATH']}",
            "TOP": str(self.top),
            "PGDATA": str(self.top / "data"),
            "PGHOSTADDR": "127.0.0.1",  # Instead of the names, which Docker would tell.
            "PGPORT": str(primary.port),
            "OWN_PORT": str(self.port),
            "PRIMARY_SCRIPT": str(self.top / "primary.sh"),
        }
        with (self.top / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self.top / "server"],
                cwd=self.top,
                env=variables,
                user=USER,
                group=USER,
                extra_groups=[],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def log(self) -> str:
        """Return what it said."""
        return (self.top / "log").read_text("utf-8", "replace")

    def await_up(self) -> None:
        """Return once it answers."""
        ready = [str(BINARIES[-1] / "pg_isready"), "--quiet", "--host", "127.0.0.1", "--port", str(self.port)]

        def answers() -> bool:
            assert self._process is not None
            assert self._process.poll() is None, self.log()
            return subprocess.run(ready, check=False).returncode == 0

        wait_until(answers)

    def promote(self) -> None:
        """Run what the page says to run in the container of a standby."""
        program = [str(BINARIES[-1] / "pg_ctl"), "promote", "--pgdata", str(self.top / "data")]
        done = subprocess.run(program, user=USER, group=USER, extra_groups=[], cwd=self.top, check=False)
        assert done.returncode == 0, self.log()

    def kill(self) -> None:
        """End it without a word."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)  # At once, its children too.
            self._process.wait(HANG_S)
            self._process = None

    def remove_volume(self) -> None:
        """Remove its data; the next start finds a new volume."""
        shutil.rmtree(self.top / "data")
        self._make_volume()

    def _make_volume(self) -> None:
        (self.top / "data").mkdir(0o700)
        shutil.chown(self.top / "data", USER, USER)

    def remove(self) -> None:
        """Remove all of it."""
        self.kill()
        with suppress(FileNotFoundError, ProcessLookupError):  # One that was to be alone, if a script failed.
            os.kill(int((self.top / "data/postmaster.pid").read_text().split()[0]), signal.SIGQUIT)
        shutil.rmtree(self.top, ignore_errors=True)


@contextmanager
def both() -> Iterator[tuple[Composed, Composed]]:
    """Give the two servers, of which none runs yet."""
    servers = Composed("db1"), Composed("db2")
    try:
        yield servers
    finally:
        for each in servers:
            each.remove()


def url(servers: tuple[Composed, Composed]) -> str:
    """Return the URL of compose.yaml, with where the names lead here."""
    text: str = yaml.safe_load((DIRECTORY / "compose.yaml").read_text())["services"]["replica1"]["environment"][
        "PEXSERVICE_STORE"
    ]
    for each in servers:
        assert each.name in text
        text = text.replace(each.name, f"127.0.0.1:{each.port}")
    return text


def _filled(environment: Mapping[str, str], primary: str) -> dict[str, str]:
    """Return variables as compose fills them in."""
    given = {"PGPASSWORD:?write it into deploy/replicas/.env": PASSWORD, "PRIMARY:-db1": primary}
    filled = dict(environment)
    for written, value in given.items():
        filled = {name: text.replace(f"${{{written}}}", value) for name, text in filled.items()}
    assert "$" not in "".join(filled.values())
    return filled
