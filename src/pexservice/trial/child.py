"""A service of our own, to be killed: `pexservice serve` as a child, started again and again on one directory.

It never outlives us: whatever ends this process, SIGKILL included, the kernel then kills the child.
"""

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Self

from pexservice.errors import AddressUnavailable, ServiceEnded, reason

HOST: Final = "127.0.0.1"
SERVE: Final = (sys.executable, "-P", "-m", "pexservice")
_STOPPING: Final = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
_PR_SET_PDEATHSIG: Final = 1
"""prctl(2)."""
_OURS: Final = ("PEXSERVICE_", "LISTEN_", "NOTIFY_", "WATCHDOG_", "PG")
"""Variables that would tell the child what is meant for somebody else."""
_PATIENCE_S: Final = 10.0
"""For a killed process to be gone: no longer than a disk makes it wait."""


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Hear signals that stop only after the block, so that what it starts is known to whoever has to end it.

    What is started in it has them blocked, too, so let it begin with `hear_signals`.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def hear_signals() -> None:
    """Unblock what `uninterrupted` blocks, in what is started."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)


class Child:
    """One service at a time, at one address. Use as a context manager: at its end nothing runs."""

    def __init__(self, options: Sequence[str], program: Sequence[str] = SERVE, **variables: str) -> None:
        """Take the options that say what it serves, and variables for what an option may not show."""
        self.port = free_port()
        where = ["--host", HOST, "--port", str(self.port), "--log-format", "json", "--log-level", "error"]
        self._command = [*program, "serve", *options, *where]
        inherited = {name: text for name, text in os.environ.items() if not name.startswith(_OURS)}
        self._environment = inherited | variables
        self._parent = os.getpid()
        self._prctl = ctypes.CDLL(None, use_errno=True).prctl
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Where it listens, whenever it does."""
        return [(HOST, self.port)]

    def start(self) -> None:
        """Start it; whether it came up is told by its answers, or by `check`. Raises AddressUnavailable."""
        try:
            with uninterrupted():
                self._process = subprocess.Popen(  # noqa: S603 - our own program.
                    self._command,
                    env=self._environment,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    process_group=0,  # Ctrl-C is for us: the child is ended by us.
                    preexec_fn=self._end_with_parent,  # noqa: PLW1509 - there is no other thread.
                )
        except OSError as error:
            raise AddressUnavailable(f"cannot start {self._command[0]}: {reason(error)}.") from error

    def check(self) -> None:
        """Raise what ended the service, if it ended by itself."""
        if self._process is None or self._process.poll() is None:
            return
        status = self._process.returncode
        raise ServiceEnded(status, self._last_words())

    def kill(self) -> None:
        """Kill it, with a signal that it cannot hear, and return once it is gone."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_PATIENCE_S)
        assert self._process.stderr is not None
        self._process.stderr.close()
        self._process = None

    def kill_one_of(self, choose: Callable[[Sequence[int]], int]) -> None:
        """Kill one of its workers in the same way: the service goes on, and replaces it."""
        assert self._process is not None, "it was started"
        workers = [pid for nursery in _below(self._process.pid) for pid in _below(nursery)]
        if workers:  # Else it ended by itself, which `check` tells.
            with suppress(ProcessLookupError):
                os.kill(choose(workers), signal.SIGKILL)

    def _last_words(self) -> str:
        assert self._process is not None
        assert self._process.stderr is not None
        lines = self._process.stderr.read().decode("utf-8", "replace").strip().splitlines()
        words = lines[-1] if lines else "it did not say why."
        with suppress(ValueError, KeyError, TypeError):
            return str(json.loads(words)["error"])
        return words

    def _end_with_parent(self) -> None:
        hear_signals()
        self._prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != self._parent:  # It ended before it was asked for, and nobody would tell.
            os.kill(os.getpid(), signal.SIGKILL)


def _below(pid: int) -> list[int]:
    """Return the children of a process; none, if it is gone."""
    try:
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()]
    except OSError:
        return []


def free_port() -> int:
    """Return a port on which nothing listens: it has to be the same after each kill. Raises AddressUnavailable."""
    try:
        with socket.create_server((HOST, 0)) as server:
            port: int = server.getsockname()[1]
            return port
    except OSError as error:
        raise AddressUnavailable(f"no port of {HOST} is to be had: {reason(error)}.") from error
