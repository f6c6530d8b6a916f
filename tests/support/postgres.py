"""PostgreSQL servers of a test's own, in temporary directories, from the packages of the distribution."""

import asyncio
import atexit
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from itertools import count
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Final

from pexservice.config import StoreUrl
from pexservice.core.judging import Place
from pexservice.core.machine import Machine
from pexservice.limits import DEFAULT, Limits
from support.process import free_port
from support.strict import skips_fail

USER: Final = "postgres"
BINARIES: Final = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
_NUMBERS: Final = count(1)
_TIMEOUT_S: Final = 60


def is_there() -> bool:
    """Tell whether a server can be started, or has to be: PostgreSQL is installed, and we may become its user."""
    return (bool(BINARIES) and os.geteuid() == 0) or skips_fail()


class Server:
    """A server, or a standby of another, in a directory of its own."""

    def __init__(self) -> None:
        self.top = Path(mkdtemp(prefix="pex-postgres-"))
        shutil.chown(self.top, USER, USER)
        self.port = free_port()
        self.data = self.top / "data"

    @property
    def url(self) -> str:
        """Its URL, without a database."""
        return f"postgresql://{USER}@127.0.0.1:{self.port}"

    def make(self, **settings: str) -> None:
        """Make a new cluster, and start it."""
        _run("initdb", "-D", self.data, "-A", "trust", "-U", USER, "--no-sync", at=self.top)
        self.start(**settings)

    def make_standby(self, primary: "Server", name: str) -> None:
        """Make a standby that streams from another under a name, and start it."""
        source = f"host=127.0.0.1 port={primary.port} user={USER} application_name={name}"
        _run("pg_basebackup", "-D", self.data, "-R", "--no-sync", "-c", "fast", "-d", source, at=self.top)
        self.start()

    def start(self, **settings: str) -> None:
        """Start it. Given settings hold until the next start."""
        given = {"port": str(self.port), "listen_addresses": "127.0.0.1", "unix_socket_directories": str(self.top)}
        given |= {"max_connections": "60", "wal_receiver_status_interval": "1s"} | settings
        options = " ".join(f"-c {name}={value}" for name, value in given.items())
        _run("pg_ctl", "start", "-w", "-D", self.data, "-l", self.top / "log", "-o", options, at=self.top)

    def stop(self, mode: str = "fast") -> None:
        """Stop it: fast, or immediate, which is like a crash."""
        _run("pg_ctl", "stop", "-m", mode, "-D", self.data, at=self.top)

    def kill(self) -> None:
        """Kill it, and the processes that serve its clients, so that none of these goes on."""
        self.signal(signal.SIGKILL)
        # The next one takes these for those of a server that runs, until somebody has waited for this process.
        for left in self.top.glob(".s.PGSQL.*"):
            left.unlink()

    def signal(self, number: int) -> None:
        """Send a signal to it, and to the processes that serve its clients."""
        pid = int((self.data / "postmaster.pid").read_text("ascii").split()[0])
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
        for each in (pid, *map(int, children)):
            with suppress(ProcessLookupError):
                os.kill(each, number)

    def promote(self) -> None:
        """Make a standby a primary."""
        _run("pg_ctl", "promote", "-w", "-D", self.data, at=self.top)

    def ask(self, statement: str, database: str = "postgres") -> str:
        """Return what a statement gives, as psql writes it."""
        return _run("psql", "-AtX", "-v", "ON_ERROR_STOP=1", f"{self.url}/{database}", at=self.top, text=statement)

    def database(self, machine: Machine[Any, Any], *, is_one_server: bool = True) -> str:
        """Return the URL of a new database with the schema for a machine."""
        from pexservice.stores.postgres import schema  # noqa: PLC0415 - needs asyncpg.

        name = f"test{next(_NUMBERS)}"
        self.ask(f"CREATE DATABASE {name}")
        begin = Place(0, machine.initial)
        url = f"{self.url}/{name}"
        asyncio.run(schema.init(StoreUrl(url), machine, begin, DEFAULT, is_one_server=is_one_server))
        return url

    def remove(self) -> None:
        """Stop it, if it runs, and remove all of it."""
        with suppress(AssertionError):
            self.stop("immediate")
        shutil.rmtree(self.top, ignore_errors=True)


@cache
def shared() -> Server:
    """Return the server of this process, for tests that do it no harm; each takes a database of its own."""
    server = Server()
    atexit.register(server.remove)
    server.make(fsync="on")
    return server


async def opened(machine: Machine[Any, Any], url: str, limits: Limits = DEFAULT) -> Any:
    """Return a store as a replica has it."""
    from pexservice.stores.postgres.address import hosts  # noqa: PLC0415 - needs asyncpg.
    from pexservice.stores.postgres.session import Session  # noqa: PLC0415
    from pexservice.stores.postgres.store import PostgresStore  # noqa: PLC0415

    session, chores = (Session(hosts(StoreUrl(url)), machine.name, limits) for _ in range(2))
    return await PostgresStore.open(machine, session, chores, limits)


@contextmanager
def server(**settings: str) -> Iterator[Server]:
    """Run a server for a test that harms it."""
    made = Server()
    try:
        made.make(**settings)
        yield made
    finally:
        made.remove()


def _run(program: str, *arguments: str | Path, at: Path, text: str = "") -> str:
    is_daemon = program == "pg_ctl"  # What it starts would hold a pipe open.
    done = subprocess.run(
        [BINARIES[-1] / program, *arguments],
        cwd=at,
        user=USER,
        group=USER,
        extra_groups=[],
        **({"stdin": subprocess.DEVNULL} if is_daemon else {"input": text}),
        text=True,
        stdout=subprocess.DEVNULL if is_daemon else subprocess.PIPE,
        stderr=subprocess.DEVNULL if is_daemon else subprocess.PIPE,
        timeout=_TIMEOUT_S,
        check=False,
    )
    if done.returncode:
        log = (at / "log").read_text("utf-8", "replace")[-2000:] if (at / "log").exists() else ""
        raise AssertionError((program, done.stderr, log))
    return done.stdout.strip() if done.stdout else ""
