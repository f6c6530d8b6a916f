"""A PostgreSQL server of our own, to keep one walk for replicas: in a temporary directory, with a password.

It never outlives us: whatever ends this process, SIGKILL included, the kernel then tells the server to end.
"""

import asyncio
import ctypes
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Self

from pexservice.config import StoreUrl
from pexservice.core.judging import Place
from pexservice.errors import AddressUnavailable, CannotCreate, MissingExtra, NotPermitted, reason
from pexservice.stores.choice import check_extra
from pexservice.trial.child import HOST, free_port, hear_signals, uninterrupted
from pexservice.walk.machine import WALK

_DEBIAN: Final = Path("/usr/lib/postgresql")
"""Where Debian keeps the programs, by version; others have them on the path."""
_OWNER: Final = "postgres"
"""As whom it runs if we are root, as whom it would not: the packages make this user."""
_USER: Final = "pex"
_PR_SET_PDEATHSIG: Final = 1
"""prctl(2)."""
_PATIENCE_S: Final = 30.0
"""For it to be made, to be ready, and to be gone."""
_TURN_S: Final = 0.02
_READY_LINE: Final = 7
"""Of its file of its process: whether it takes connections. `pg_ctl` waits for that, too."""


class Server:
    """A server that runs within the block, whose schema is made. Raises Fatal where there is none to be had."""

    def __init__(self, directory: Path) -> None:
        check_extra()
        self._programs = _programs()
        self._owner = _owner()
        self._top = directory
        self._data = directory / "data"
        self._port = free_port()
        self._password = secrets.token_urlsafe(24)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self._make()
            self._start()
            asyncio.run(_init(StoreUrl(self.url)))
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Its URL, with the password: for the environment of replicas, and for nobody's eyes."""
        return f"postgresql://{_USER}:{self._password}@{HOST}:{self._port}/postgres"

    def check(self) -> None:
        """Raise AddressUnavailable if it ended by itself."""
        if self._process is not None and self._process.poll() is not None:
            raise AddressUnavailable(f"the PostgreSQL server ended: {self._last_words()}.")

    def stop(self) -> None:
        """End it at once, with the processes that serve its clients: nobody needs it any more."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGQUIT)
        try:
            self._process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._process = None

    def _make(self) -> None:
        self._top.mkdir()
        secret = self._top / "password"
        secret.touch(0o600)
        secret.write_text(self._password, "ascii")
        for path in (self._top, secret):
            if self._owner:
                shutil.chown(path, _OWNER)
        options = ("--username", _USER, "--pwfile", secret, "--auth", "scram-sha-256")
        plain = ("--encoding", "UTF8", "--locale", "C", "--no-sync", "--no-instructions")
        with uninterrupted():
            made = self._popen("initdb", "--pgdata", self._data, *options, *plain)
        try:
            status = made.wait(_PATIENCE_S)
        finally:
            made.kill()
        if status:
            raise CannotCreate(f"the PostgreSQL server cannot be made: {self._last_words()}.")

    def _start(self) -> None:
        settings = {"port": self._port, "listen_addresses": HOST, "unix_socket_directories": ""}
        given = [text for name, value in settings.items() for text in ("-c", f"{name}={value}")]
        with uninterrupted():
            self._process = self._popen("postgres", "-D", self._data, *given)
        deadline_s = time.monotonic() + _PATIENCE_S
        while not self._is_ready():
            self.check()
            if time.monotonic() > deadline_s:
                raise AddressUnavailable(f"the PostgreSQL server was not ready within {_PATIENCE_S:.0f} s.")
            time.sleep(_TURN_S)

    def _is_ready(self) -> bool:
        with suppress(OSError, IndexError):
            lines = (self._data / "postmaster.pid").read_text("utf-8").splitlines()
            return lines[_READY_LINE].strip() == "ready"
        return False

    def _popen(self, program: str, *arguments: str | Path) -> subprocess.Popen[bytes]:
        prctl = ctypes.CDLL(None, use_errno=True).prctl

        def end_with_parent() -> None:
            hear_signals()
            prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT, 0, 0, 0)

        try:
            with (self._top / "log").open("ab") as log:
                return subprocess.Popen(  # noqa: S603 - the server's own programs.
                    [self._programs / program, *arguments],
                    cwd=self._top,
                    env={"PATH": os.defpath, "LC_ALL": "C"},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    process_group=0,  # Ctrl-C is for us: the server is ended by us.
                    preexec_fn=end_with_parent,  # noqa: PLW1509 - there is no other thread.
                    **self._owner,
                )
        except OSError as error:
            message = f"cannot run {program} of PostgreSQL in {self._top}: {reason(error)}. Does TMPDIR permit it?"
            raise CannotCreate(message) from error

    def _last_words(self) -> str:
        with suppress(OSError):
            lines = (self._top / "log").read_text("utf-8", "replace").strip().splitlines()
            if lines:
                return lines[-1].removesuffix(".")
        return "it did not say why"


async def _init(url: StoreUrl) -> None:
    """Make the schema for a walk that begins, on a server without a standby. Raises Fatal."""
    from pexservice.stores.postgres import schema  # noqa: PLC0415 - needs asyncpg.

    await schema.init(url, WALK, Place(0, WALK.initial), is_one_server=True)


def _programs() -> Path:
    """Return the directory of the newest server's programs. Raises MissingExtra."""
    versions = sorted(_DEBIAN.glob("*/bin/initdb"), key=lambda path: (len(path.parts[-3]), path.parts[-3]))
    on_path = shutil.which("initdb")
    if versions:
        return versions[-1].parent
    if on_path is not None:
        return Path(on_path).resolve().parent
    message = (
        "replicas need a PostgreSQL server, and none is installed here (Debian, Ubuntu: apt-get install postgresql)."
    )
    raise MissingExtra(message)


def _owner() -> dict[str, Any]:
    """Return what makes a process of ours one of the user who runs the server. Raises NotPermitted."""
    if os.geteuid() != 0:
        return {}
    try:
        entry = pwd.getpwnam(_OWNER)
    except KeyError as error:
        message = f"a PostgreSQL server does not run as root, and there is no user {_OWNER} here. Be another user."
        raise NotPermitted(message) from error
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
