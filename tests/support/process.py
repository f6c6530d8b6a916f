"""The real service as a separate process, and the other commands, for tests that look at it from outside."""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from support.client import Client

_TESTS: Final = Path(__file__).parents[1]
HANG_S: Final = 60
"""Nothing that these tests wait for takes long; beyond this it hangs."""
_SLOW_TO_RECOVER: Final = """
import time
from pexservice.cli import main
from pexservice.stores.journal import holding
look = holding.look
holding.look = lambda *of, **more: (time.sleep({delay_s}), look(*of, **more))[1]
main()
"""


def command(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module as a program."""
    return [sys.executable, "-m", module, *arguments]


def environment(**more: str) -> dict[str, str]:
    """Return the environment of this process, but without proxies, and of options for the service those given."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PEXSERVICE_") and not name.lower().endswith("_proxy")
    }
    return inherited | {"PYTHONPATH": str(_TESTS)} | more


def run(
    *arguments: str, wrapper: Sequence[str] = (), program: Sequence[str] = (), **more: str
) -> subprocess.CompletedProcess[str]:
    """Run a command of `pexservice`, or of another program, that ends by itself; `more` are environment variables."""
    return subprocess.run(
        [*wrapper, *(program or command("pexservice")), *arguments],
        env=environment(**more),
        capture_output=True,
        text=True,
        timeout=HANG_S,
        check=False,
    )


def wait_until(condition: Callable[[], bool]) -> None:
    """Return as soon as a condition holds, for what can only be seen by asking."""
    deadline_s = time.monotonic() + HANG_S
    while not condition():
        assert time.monotonic() < deadline_s, "it never came to hold"
        time.sleep(0.01)


def free_port() -> int:
    """Return a port of the loopback interface on which nothing listens, for what has to know it beforehand.

    It is none of those that the system gives to clients: it stays free while what listens there is away.
    """
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def slow_to_recover(delay_s: float) -> str:
    """Return the source of a service of which recovery takes so much longer."""
    return _SLOW_TO_RECOVER.format(delay_s=delay_s)


class Service:
    """A `pexservice serve`, its log as it comes, and where it listens, once it does."""

    def __init__(self, program: Sequence[str], variables: Mapping[str, str], user: int | None) -> None:
        self.lines: list[str] = []
        self.where = ""
        self._started = threading.Event()
        self._process = subprocess.Popen(
            program,
            env=environment(**variables),
            user=user,
            close_fds=False,  # Python opens none that is inherited, unless a test wants it to be.
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # So that a wrapper and the service end together.
        )
        self._reading = threading.Thread(target=self._read_log)
        self._reading.start()

    def await_start(self) -> None:
        """Return once it listens, or has ended because it could not start."""
        assert self._started.wait(HANG_S), self.lines

    def await_recovery(self) -> None:
        """Return once it has recovered, or has ended: until then it answers, but with 503."""
        if self.where:
            wait_until(lambda: not self._is_recovering())

    def _is_recovering(self) -> bool:
        try:
            with self.connect() as client:
                return b':recovering"' in client.ask("GET", "/current").body
        except ConnectionError:
            return False

    def _read_log(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self.lines.append(line)
            if '"listening"' in line:
                self.where = json.loads(line)["where"]
                self._started.set()
        self._started.set()

    @property
    def pid(self) -> int:
        """The id of the process, or of its wrapper."""
        return self._process.pid

    @property
    def port(self) -> int:
        """The port that it listens on."""
        assert self.where, f"it did not start: {self.log}"
        return int(self.where.rpartition(":")[2])

    @property
    def log(self) -> str:
        """Everything logged so far."""
        return "".join(self.lines)

    def logged(self, event: str) -> dict[str, Any]:
        """Return the first log line about an event, once it is there."""
        for _ in range(HANG_S * 100):
            is_complete = not self._reading.is_alive()
            for line in self.lines:
                if line.startswith("{") and json.loads(line)["event"] == event:
                    found: dict[str, Any] = json.loads(line)
                    return found
            if is_complete:
                break
            self._reading.join(0.01)
        raise AssertionError(f"{event!r} was not logged: {self.log}")

    def connect(self) -> Client:
        """Return a new connection. Close it, or use it as a context manager."""
        if self.where.startswith("unix:"):
            return Client(self.where.removeprefix("unix:"))
        return Client(("127.0.0.1", self.port))

    def connect_admin(self) -> Client:
        """Return a connection to the listener for probes and metrics."""
        return Client(("127.0.0.1", int(self.logged("listening")["admin"].rpartition(":")[2])))

    def sequence(self) -> int:
        """Return how many steps were taken, asked on a connection of its own."""
        with self.connect() as another:
            return another.ask("GET", "/current").sequence

    def send_signal(self, number: int) -> None:
        """Send a signal to the process."""
        os.kill(self._process.pid, number)

    def wait(self) -> int:
        """Return the exit status, once it has ended and its log is read: minus the signal if one ended it."""
        status = self._process.wait(HANG_S)
        self._reading.join(HANG_S)
        return status

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit status."""
        self.send_signal(number)
        return self.wait()

    def clean_up(self) -> None:
        """End the process, whatever it does."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self.wait()
        assert self._process.stderr is not None
        self._process.stderr.close()


@contextmanager
def serving(
    data_dir: Path | None,
    *arguments: str,
    program: Sequence[str] = tuple(command("pexservice")),
    wrapper: Sequence[str] = (),
    user: int | None = None,
    **variables: str,
) -> Iterator[Service]:
    """Run the service until the end of the block, on a free port of the loopback interface, or a Unix socket.

    Without a directory, `arguments` or `variables` say which store. It may have ended by itself at the beginning of
    the block, if it could not start.
    """
    port = [] if "--uds" in arguments else ["--port", "0"]
    where = [] if data_dir is None else ["--data-dir", str(data_dir)]
    options = [*port, *where, "--log-format", "json", *arguments]
    with started([*wrapper, *program, "serve", *options], user=user, **variables) as service:
        yield service


@contextmanager
def started(program: Sequence[str], *, user: int | None = None, **variables: str) -> Iterator[Service]:
    """Run a whole command that serves until the end of the block. It must log in JSON."""
    service = Service(program, variables, user)
    try:
        service.await_start()
        yield service
    finally:
        service.clean_up()
