"""A cluster of PostgreSQL with the settings that it comes with, made once and started for each load.

PostgreSQL refuses to run as root, so then it is the package's user who runs it, and the cluster is that user's. Each
load begins with a table of its own; the log that PostgreSQL has preallocated stays, as it would where it is used.
"""

import os
import pwd
import shutil
from pathlib import Path
from typing import Final

from benchmarks.peers import Program, Unavailable
from benchmarks.processes import run

_USER: Final = "postgres"
"""Whom Debian's package makes."""
_INSTALLED: Final = Path("/usr/lib/postgresql")
"""Where that has a folder for each version; its programs are in no PATH."""
_INITDB_S: Final = 60


def cluster(directory: Path) -> Program:
    """Return the server of a cluster in `directory`, new if there is none; its socket is there, too.

    Raises Unavailable, processes.Failed.
    """
    programs = max(_INSTALLED.glob("*/bin"), key=lambda path: int(path.parent.name), default=None)
    if programs is None:
        raise Unavailable("PostgreSQL is not installed (Debian: postgresql)")
    as_user = _become(directory)
    data = directory / "data"
    if not (data / "PG_VERSION").exists():
        shutil.rmtree(data, ignore_errors=True)
        initdb = [str(programs / "initdb"), "--username", _USER, "--auth", "trust", "--pgdata", str(data)]
        run([*as_user, *initdb], timeout_s=_INITDB_S)
    serve = [str(programs / "postgres"), "-D", str(data), "-c", "listen_addresses=", "-k", str(directory)]
    return Program([*as_user, *serve])


def _become(directory: Path) -> list[str]:
    """Make the directory, and return what to put before a command for it to run as whoever owns that."""
    directory.mkdir(exist_ok=True)
    if os.geteuid() != 0:
        return []
    try:
        user = pwd.getpwnam(_USER)
    except KeyError as error:
        raise Unavailable("PostgreSQL does not run as root, and there is no user postgres") from error
    os.chown(directory, user.pw_uid, user.pw_gid)
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
