"""A PostgreSQL server of a test's own, in a temporary directory, from the packages of the distribution."""

import os
import shutil
import socket
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

USER: Final = "postgres"
_BINARIES: Final = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))


def is_there() -> bool:
    """Tell whether a server can be started: PostgreSQL is installed, and we may become its user."""
    return bool(_BINARIES) and os.geteuid() == 0


@contextmanager
def serving(machine: str) -> Generator[str, None, None]:
    """Run a server with the schema for a machine; give its address."""
    top = Path(mkdtemp(prefix="pex-postgres-"))
    shutil.chown(top, USER, USER)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data = top / "data"
    _run("initdb", "-D", data, "-A", "trust", "-U", USER, "--no-sync", at=top)
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={top} -c max_connections=40"
    _run("pg_ctl", "start", "-w", "-D", data, "-l", top / "log", "-o", options, at=top)
    try:
        dsn = f"postgresql://{USER}@127.0.0.1:{port}/postgres"
        schema = (files("pexservice.stores.postgres") / "schema.sql").read_text()
        _run("psql", "-q", "-v", "ON_ERROR_STOP=1", dsn, at=top, text=schema)
        _run("psql", "-q", dsn, at=top, text=f"INSERT INTO pexservice.setup VALUES (true, 1, '{machine}')")
        yield dsn
    finally:
        _run("pg_ctl", "stop", "-m", "immediate", "-D", data, at=top)
        shutil.rmtree(top)


def _run(program: str, *arguments: str | Path, at: Path, text: str = "") -> None:
    done = (
        subprocess.run(
            [_BINARIES[-1] / program, *arguments],
            cwd=at,
            user=USER,
            group=USER,
            extra_groups=[],
            input=text,
            text=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
        if program != "pg_ctl"
        else subprocess.run(
            [_BINARIES[-1] / program, *arguments],
            cwd=at,
            user=USER,
            group=USER,
            extra_groups=[],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=60,
            check=False,
        )
    )
    assert done.returncode == 0, done.stderr
