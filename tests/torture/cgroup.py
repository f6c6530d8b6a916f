"""A memory cgroup to run the service in.

A process counts against the group from its first page on only if it is in it before it becomes the service. So a shell
puts itself into the group and then turns into the command.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from torture.attack import Unsupported

_ENTER: Final = 'echo $$ > "$0" && exec "$@"'
_EMPTYING_S_MAX: Final = 5
"""How long the kernel may take to let go of processes that have ended."""


@dataclass(frozen=True)
class Files:
    """What the files of one version of cgroups are called."""

    limit: str
    limit_with_swap: str
    """What to write to so that swap does not stand in for memory, where the kernel has it."""
    peak: str
    kills: str


V1: Final = Files(
    "memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "memory.max_usage_in_bytes", "memory.oom_control"
)
V2: Final = Files("memory.max", "memory.swap.max", "memory.peak", "memory.events")


@dataclass(frozen=True)
class MemoryGroup:
    """A group of processes that share a limit of memory."""

    directory: Path
    files: Files

    @property
    def wrapper(self) -> list[str]:
        """What to put before a command so that it runs in the group."""
        return ["sh", "-c", _ENTER, str(self.directory / "cgroup.procs")]

    @property
    def peak_bytes(self) -> int:
        """The most that the group ever held, page cache included."""
        return int((self.directory / self.files.peak).read_text("ascii"))

    @property
    def kills(self) -> int:
        """How many processes of the group the OOM killer struck."""
        lines = (self.directory / self.files.kills).read_text("ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))


@contextmanager
def memory_group(limit_bytes: int) -> Iterator[MemoryGroup]:
    """Make a group until the end of the block, by which its processes must have ended. Raises Unsupported."""
    mounted_at, files = _controller()
    directory = mounted_at / f"torture-{os.getpid()}-{time.monotonic_ns()}"
    try:
        if files is V2:
            (mounted_at / "cgroup.subtree_control").write_text("+memory", "ascii")
        directory.mkdir()
    except OSError as error:
        raise Unsupported(f"no memory cgroup can be made in {mounted_at}: {error.strerror}") from error
    try:
        (directory / files.limit).write_text(str(limit_bytes), "ascii")
        if (directory / files.limit_with_swap).exists():
            (directory / files.limit_with_swap).write_text("0" if files is V2 else str(limit_bytes), "ascii")
        if not (directory / files.peak).exists():
            raise Unsupported(f"the kernel has no {files.peak}")
        yield MemoryGroup(directory, files)
    finally:
        _remove(directory)


def _controller() -> tuple[Path, Files]:
    """Return where the memory controller is mounted, and what its files are called. Raises Unsupported."""
    for line in Path("/proc/self/mounts").read_text("utf-8").splitlines():
        _, mounted_at, kind, options, *_ = line.split()
        if kind == "cgroup" and "memory" in options.split(","):
            return Path(mounted_at), V1
        if kind == "cgroup2" and "memory" in (Path(mounted_at) / "cgroup.controllers").read_text("ascii").split():
            return Path(mounted_at), V2
    raise Unsupported("no memory controller of cgroups is mounted")


def _remove(directory: Path) -> None:
    until_s = time.monotonic() + _EMPTYING_S_MAX
    while time.monotonic() < until_s:
        with suppress(OSError):  # Busy, until the last of its processes is gone.
            directory.rmdir()
            return
        time.sleep(0.01)
    directory.rmdir()
