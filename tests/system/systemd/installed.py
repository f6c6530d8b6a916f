"""The service as it is installed in the host, and those who use it."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from system.systemd.booted import HANG_S, Host

_CHECKOUT: Final = Path(__file__).parents[3]
_CLONE: Final = Path("srv/pexservice")
_WHEELS: Final = Path("srv/wheels")
_PYTHON: Final = "3.11"
"""Of the Debian release in the host."""
CLIENTS: Final = 8
_REFUSED: Final = 7
"""The exit status of curl."""


@dataclass(frozen=True)
class Seen:
    """What a load saw."""

    answers: int
    unlike: int
    """Different sequences among the answers."""
    highest: int
    pause_s_max: float
    """The longest time in which nobody was answered."""
    failures: dict[str, int]

    @property
    def refused(self) -> int:
        """Connections that were refused."""
        return self.failures.get("refused", 0)

    @property
    def in_flight(self) -> int:
        """Requests whose connection ended before their answer."""
        return self.failures.get("in flight", 0)

    @property
    def words(self) -> str:
        """All of it, for people."""
        return (
            f"{self.answers:,} answers, {self.refused} refused, {self.in_flight} lost in flight, "
            f"longest pause {self.pause_s_max:.2f} s"
        )

    def check(self, *, lost_max: int) -> None:
        """Check that nothing failed, but for so many requests at most that were in flight."""
        assert set(self.failures) <= {"in flight"}, self
        assert self.in_flight <= lost_max, self


@dataclass
class Load:
    """A load, and what it saw once it has ended."""

    seen: Seen = field(init=False)


class Installed:
    """The service on a host, from a fresh clone of this checkout's last commit."""

    def __init__(self, host: Host, directory: Path) -> None:
        self.host = host
        self.clone = host.root / _CLONE
        subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", _CHECKOUT, self.clone], check=True)
        shutil.copytree(wheels(directory), host.root / _WHEELS)
        shutil.copy(Path(__file__).with_name("callers.py"), host.root / "srv/callers.py")
        self.told = self.make("all")
        """What it said when it was installed."""
        self.step()

    def step(self) -> None:
        """Take a step, which must be answered."""
        sequence = self.sequence()
        assert self.ask("/next", "--request", "POST")
        assert self.sequence() == sequence + 1

    def make(self, target: str) -> str:
        """Run `make` in the clone, without a network."""
        return self.host.run(*self.making(target))

    def making(self, target: str) -> list[str]:
        """Return the command for it."""
        variables = ("PIP_NO_INDEX=1", f"PIP_FIND_LINKS=/{_WHEELS}")
        return [*variables, "make", "--directory", f"/{_CLONE}", "--no-print-directory", target]

    def shell(self, script: str) -> str:
        """Run the commands of a page."""
        return self.host.run("bash", "-euo", "pipefail", "-c", script)

    @contextmanager
    def drop_in(self, unit: str, text: str) -> Iterator[None]:
        """Have what `systemctl edit` would leave during the block; who wants it to take effect restarts the unit."""
        path = self.host.root / f"etc/systemd/system/{unit}.d/override.conf"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        self.host.run("systemctl", "daemon-reload")
        try:
            yield
        finally:
            shutil.rmtree(path.parent)
            self.host.run("systemctl", "daemon-reload")

    @contextmanager
    def options(self, *lines: str) -> Iterator[None]:
        """Have these lines in its options during the block, likewise."""
        path = self.host.root / "etc/pexservice.env"
        old = path.read_text()
        path.write_text(old + "".join(f"{line}\n" for line in lines))
        try:
            yield
        finally:
            path.write_text(old)

    def show(self, name: str, unit: str = "pexservice.service") -> str:
        """Return a property of a unit."""
        return self.host.run("systemctl", "show", "--value", "--property", name, unit)

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Return as soon as a condition holds, for what can only be seen by asking."""
        deadline_s = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < deadline_s, f"it did not come to hold; the log ends with\n{self.log(20)}"
            time.sleep(0.05)

    def await_steps(self, since: int, count: int) -> None:
        """Return once so many more steps were taken since a sequence."""
        self.wait_until(lambda: self.sequence() >= since + count)

    def is_active(self) -> bool:
        """Tell whether it says that it is ready."""
        return self.show("ActiveState") == "active"

    def ask(self, path: str, *options: str) -> str:
        """Ask with curl, and return the body."""
        return self.host.run("curl", "--silent", "--fail", "--max-time", "30", *options, f"http://127.0.0.1:8081{path}")

    def sequence(self) -> int:
        """Return how many steps were taken."""
        answer = self.ask("/current", "--header", "Accept: application/vnd.pexservice+json")
        return int(json.loads(answer)["sequence"])

    def log(self, lines: int, *options: str) -> str:
        """Return the last lines of its journal."""
        return self.host.run(
            "journalctl", "--unit=pexservice.service", f"--lines={lines}", "--no-pager", "--output=cat", *options
        )

    def signal(self, name: str) -> None:
        """Send a signal to the service."""
        self.host.run("systemctl", "kill", f"--signal={name}", "pexservice.service")

    def newest_segment(self) -> Path:
        """Return the newest segment of its data, as a path outside."""
        return max((self.host.root / "var/lib/private/pexservice").glob("journal-*.csv"))

    def check_halted(self, reason: str, priorities: str) -> str:
        """Check that it failed, says why, does not start over and over, and that clients learn of it at once."""
        self.wait_until(lambda: self.show("ActiveState", "pexservice.socket") == "inactive")
        assert self.show("ActiveState") == "failed"
        line = self.log(20, f"--priority={priorities}")
        assert reason in line, line
        started = self.show("ExecMainStartTimestampMonotonic")
        deadline_s = time.monotonic() + 2
        while time.monotonic() < deadline_s:
            ended = self.host.attempt("curl", "--silent", "http://127.0.0.1:8081/current")
            assert ended.returncode == _REFUSED, "curl was not refused"
        assert self.show("ExecMainStartTimestampMonotonic") == started
        return f"failed with {self.show('ExecMainStatus')}, once; clients refused"

    @contextmanager
    def under_load(self) -> Iterator[Load]:
        """Have steps taken during the block, and then check that none is lost and none was counted twice."""
        before = self.sequence()
        program = self.host.command("python3", "/srv/callers.py")
        loading = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert loading.stdin is not None
        assert loading.stdout is not None
        load = Load()
        try:
            assert loading.stdout.readline() == "under way\n"
            yield load
            out, _ = loading.communicate(timeout=HANG_S)
        finally:
            loading.kill()
            loading.wait()
            loading.stdin.close()
            loading.stdout.close()
        load.seen = seen = Seen(**json.loads(out))
        assert seen.unlike == seen.answers, "a sequence was answered twice"
        after = self.sequence()
        assert seen.highest <= after, f"{seen.highest} was answered, and is now {after}"
        assert before + seen.answers <= after <= before + seen.answers + seen.in_flight, (before, seen, after)


def wheels(directory: Path) -> Path:
    """Return a directory with what the lock file names, for the Python in the host."""
    path = directory / "wheels"
    lock = _CHECKOUT / "requirements/run.txt"
    stamp = path / lock.name
    if not stamp.exists() or stamp.read_bytes() != lock.read_bytes():
        shutil.rmtree(path, ignore_errors=True)
        options = ["--quiet", "--require-hashes", "--only-binary=:all:", f"--python-version={_PYTHON}"]
        program = [
            os.fspath(_CHECKOUT / ".venv/bin/pip"),
            "download",
            *options,
            f"--dest={path}",
            f"--requirement={lock}",
        ]
        subprocess.run(program, check=True)
        shutil.copy(lock, stamp)
    return path
