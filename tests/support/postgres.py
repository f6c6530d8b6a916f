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

from pexservice.config import Settings, StoreUrl
from pexservice.core.judging import Place
from pexservice.core.machine import Machine
from pexservice.limits import DEFAULT, Limits
from support.network import Host
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
    """A server, or a standby of another, in a directory of its own, and on a host of its own if it is given one."""

    def __init__(self, host: Host | None = None) -> None:
        self.top = Path(mkdtemp(prefix="pex-postgres-"))
        shutil.chown(self.top, USER, USER)
        self.address = host.address if host else "127.0.0.1"
        self._wrapper = host.wrapper if host else []
        self.port = free_port()
        self.data = self.top / "data"

    @property
    def url(self) -> str:
        """Its URL, without a database."""
        return f"postgresql://{USER}@{self.address}:{self.port}"

    def make(self, *options: str, **settings: str) -> None:
        """Make a new cluster, with options of `initdb`, and start it."""
        self._run("initdb", "-D", self.data, "-A", "trust", "-U", USER, "--no-sync", *options)
        with (self.data / "pg_hba.conf").open("a", encoding="ascii") as rules:
            rules.write("host all all samenet trust\nhost replication all samenet trust\n")
        self.start(**settings)

    def make_standby(self, primary: "Server", name: str) -> None:
        """Make a standby that streams from another under a name, and start it."""
        source = f"host={primary.address} port={primary.port} user={USER} application_name={name}"
        self._run("pg_basebackup", "-D", self.data, "-R", "--no-sync", "-c", "fast", "-d", source)
        self.start()

    def start(self, **settings: str) -> None:
        """Start it. Given settings hold until the next start."""
        given = {"port": str(self.port), "listen_addresses": self.address, "unix_socket_directories": str(self.top)}
        given |= {"max_connections": "60", "wal_receiver_status_interval": "1s"}
        given |= {"wal_retrieve_retry_interval": "200ms"} | settings  # Else a standby is back after 5 s only.
        options = " ".join(f"-c {name}={value}" for name, value in given.items())
        self._run("pg_ctl", "start", "-w", "-D", self.data, "-l", self.top / "log", "-o", options)

    @property
    def is_up(self) -> bool:
        """Whether it runs, or did when it was killed."""
        return (self.data / "postmaster.pid").exists()

    def stop(self, mode: str = "fast") -> None:
        """Stop it: fast, or immediate, which is like a crash."""
        self._run("pg_ctl", "stop", "-m", mode, "-D", self.data)

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
        self._run("pg_ctl", "promote", "-w", "-D", self.data)

    def ask(self, statement: str, database: str = "postgres") -> str:
        """Return what a statement gives, as psql writes it."""
        url = f"{self.url}/{database}"
        return self._run("psql", "-AtX", "-v", "ON_ERROR_STOP=1", url, text=statement)

    def database(self, machine: Machine[Any, Any], *, is_one_server: bool = True) -> str:
        """Return the URL of a new database with the schema for a machine."""
        from pexservice.stores.postgres import schema  # noqa: PLC0415 - needs asyncpg.

        name = f"test{next(_NUMBERS)}"
        self.ask(f"CREATE DATABASE {name}")
        begin = Place(0, machine.initial)
        url = f"{self.url}/{name}"
        asyncio.run(schema.init(StoreUrl(url), machine, begin, is_one_server=is_one_server))
        return url

    def remove(self) -> None:
        """Stop it, if it runs, and remove all of it."""
        with suppress(AssertionError):
            self.stop("immediate")
        shutil.rmtree(self.top, ignore_errors=True)

    def _run(self, program: str, *arguments: str | Path, text: str = "") -> str:
        is_daemon = program == "pg_ctl"  # What it starts would hold a pipe open.
        as_user = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]
        done = subprocess.run(
            [*self._wrapper, *as_user, BINARIES[-1] / program, *arguments],
            cwd=self.top,
            **({"stdin": subprocess.DEVNULL} if is_daemon else {"input": text}),
            text=True,
            stdout=subprocess.DEVNULL if is_daemon else subprocess.PIPE,
            stderr=subprocess.DEVNULL if is_daemon else subprocess.PIPE,
            timeout=_TIMEOUT_S,
            check=False,
        )
        if done.returncode:
            path = self.top / "log"
            log = path.read_text("utf-8", "replace")[-2000:] if path.exists() else ""
            raise AssertionError((program, done.stderr, log))
        return done.stdout.strip() if done.stdout else ""


@cache
def shared() -> Server:
    """Return the server of this process, for tests that do it no harm; each takes a database of its own."""
    server = Server()
    atexit.register(server.remove)
    server.make(fsync="on")
    return server


async def opened(machine: Machine[Any, Any], url: str, limits: Limits = DEFAULT) -> Any:
    """Return a store as a replica has it."""
    from pexservice.stores.postgres.holding import HeldServer  # noqa: PLC0415 - needs asyncpg.

    return await (await HeldServer.hold(machine, Settings(store=StoreUrl(url), limits=limits))).open()


async def ask(url: str, statement: str) -> Any:
    """Return the rows of a statement, over a connection of its own."""
    import asyncpg  # noqa: PLC0415

    connection = await asyncpg.connect(url)
    try:
        return await connection.fetch(statement)
    finally:
        await connection.close()


@contextmanager
def server(**settings: str) -> Iterator[Server]:
    """Run a server for a test that harms it."""
    made = Server()
    try:
        made.make(**settings)
        yield made
    finally:
        made.remove()
