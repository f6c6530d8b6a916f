"""A booted host: a copy of a Debian root with systemd as process 1 of its own namespaces.

Units, sandbox, watchdog and socket are the real ones and need no virtual machine. Its network is a loopback interface
that nobody else has.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_SUITE: Final = "bookworm"
_PACKAGES: Final = ("curl", "dbus", "make", "python3", "python3-venv", "systemd", "systemd-sysv")
_PATH: Final = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_BOOT: Final = Path(__file__).with_name("boot")
_CGROUPS: Final = Path("/sys/fs/cgroup")
_SIGRTMIN_POWEROFF: Final = signal.SIGRTMIN + 4
"""Powers off at once: systemd(1), SIGNALS."""
HANG_S: Final = 120
"""Nothing in the host takes so long."""


def base(directory: Path) -> Path:
    """Return a Debian root, made in some minutes if it is not there yet. Never boot it itself."""
    root = directory / "base"
    if not root.exists():
        making = directory / "base.new"
        shutil.rmtree(making, ignore_errors=True)
        include = f"--include={','.join(_PACKAGES)}"
        subprocess.run(["debootstrap", "--variant=minbase", include, _SUITE, making], check=True)
        making.rename(root)
    return root


class Host:
    """A host that runs."""

    def __init__(self, root: Path, pid: int) -> None:
        self.root = root
        namespaces = ("--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd")
        self._enter = ["nsenter", f"--target={pid}", *namespaces, "--", "env", "-i", _PATH]

    def command(self, *words: str) -> list[str]:
        """Return the command that runs a command inside; it may begin with environment variables."""
        return [*self._enter, *words]

    def attempt(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command inside, which may fail."""
        return subprocess.run(self.command(*words), capture_output=True, text=True, timeout=HANG_S, check=False)

    def run(self, *words: str) -> str:
        """Run a command inside, which must not fail, and return what it printed."""
        ended = self.attempt(*words)
        assert ended.returncode == 0, f"{' '.join(words)}: {ended.returncode}\n{ended.stdout}{ended.stderr}"
        return ended.stdout.strip()


@contextmanager
def booted(directory: Path) -> Iterator[Host]:
    """Boot a copy of the Debian root in `directory`, until the end of the block; then it is gone."""
    root = directory / f"root-{os.getpid()}"
    subprocess.run(["cp", "--archive", "--reflink=auto", base(directory), root], check=True)
    try:
        with _own_cgroups() as join, (directory / "console.log").open("w") as console:
            unshare = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--uts", "--ipc", "--net", "--cgroup"]
            outer = subprocess.Popen(
                ["bash", "-c", f'{join}\nexec "$@"', "bash", *unshare, _BOOT, root],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
            )
            try:
                host = Host(root, _first_process(outer.pid))
                _await_boot(host)
                yield host
            finally:
                with suppress(FileNotFoundError, ProcessLookupError, AssertionError):
                    os.kill(_first_process(outer.pid), _SIGRTMIN_POWEROFF)
                try:
                    outer.wait(30)
                except subprocess.TimeoutExpired:
                    outer.kill()
                    outer.wait()
    finally:
        shutil.rmtree(root)


def _first_process(outer: int) -> int:
    """Return the id of process 1 inside, once it is systemd: before, its root is still that of this machine."""
    deadline_s = time.monotonic() + 10
    while time.monotonic() < deadline_s:
        children = Path(f"/proc/{outer}/task/{outer}/children").read_text().split()
        if children and Path(f"/proc/{children[0]}/comm").read_text().strip() == "systemd":
            return int(children[0])
        time.sleep(0.01)
    raise AssertionError("the host did not start: see console.log")


def _await_boot(host: Host) -> None:
    deadline_s = time.monotonic() + 60
    state = ""
    while state not in {"running", "degraded"}:
        assert time.monotonic() < deadline_s, f"the host is {state!r} after a minute: see console.log"
        state = host.attempt("systemctl", "is-system-running").stdout.strip()
        time.sleep(0.1)


@contextmanager
def _own_cgroups() -> Iterator[str]:
    """Make a control group for the host in each hierarchy; gives the shell lines that join them."""
    if (_CGROUPS / "cgroup.controllers").exists():
        hierarchies = [_CGROUPS]
    else:
        hierarchies = [each for each in _CGROUPS.iterdir() if each.is_dir() and not each.is_symlink()]
    groups = [hierarchy / f"pexservice-{os.getpid()}" for hierarchy in hierarchies]
    for group in groups:
        group.mkdir()
        for name in ("cpuset.cpus", "cpuset.mems"):  # Empty in a new group of version 1, which then takes no process.
            if (group.parent / name).exists() and (group / name).exists():
                (group / name).write_text((group.parent / name).read_text())
    try:
        yield "\n".join(f"echo $$ > {group}/cgroup.procs" for group in groups)
    finally:
        for group in groups:
            subprocess.run(["find", group, "-depth", "-type", "d", "-exec", "rmdir", "{}", "+"], check=False)
