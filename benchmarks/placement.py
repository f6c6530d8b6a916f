"""Which core runs what, and within how much memory.

With the server alone on one core its cost is not mixed with that of the load, and its throughput is that of one core.
The second set-up is the smallest machine of the original: one core and 512 MiB for everything.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

TWO_CORES: Final = "two cores"
ONE_CORE: Final = "one core"
"""The names of the set-ups."""
_CGROUPS: Final = Path("/sys/fs/cgroup")
_MEMORY_BYTES: Final = 512 << 20
"""The memory of the smallest machine that the original was tested on."""
_JOIN: Final = 'echo $$ > "$0/cgroup.procs" && exec "$@"'
"""A shell that moves itself into the group of its first argument and becomes the rest."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the server and the load run."""

    name: str
    server_cpu: int
    load_cpu: int
    cgroup: Path | None = None

    def server(self, arguments: Sequence[str]) -> list[str]:
        """Return the command that runs a peer in its place, with the process id of the peer itself."""
        return [*self._joining(), "taskset", "--cpu-list", str(self.server_cpu), *arguments]

    def load(self, arguments: Sequence[str]) -> list[str]:
        """Return the command that runs a load generator in its place."""
        return [*self._joining(), "taskset", "--cpu-list", str(self.load_cpu), *arguments]

    def _joining(self) -> list[str]:
        return ["sh", "-c", _JOIN, str(self.cgroup)] if self.cgroup else []


@contextmanager
def placements(skipped: list[str]) -> Iterator[list[Placement]]:
    """Give the set-ups that this machine allows, and add to `skipped` why one is not as it should be.

    Within the block this process keeps to the core of the load.
    """
    allowed = os.sched_getaffinity(0)
    server_cpu, *others = sorted(allowed)
    found = []
    if others:
        os.sched_setaffinity(0, {others[0]})
        found.append(Placement(TWO_CORES, server_cpu, others[0]))
    else:
        skipped.append("server and load on a core each: this machine gives one core")
    cgroup = _make_cgroup()
    if cgroup is None:
        skipped.append("the limit of 512 MiB for everything on one core: it needs root and a writable memory cgroup")
    found.append(Placement(ONE_CORE, server_cpu, server_cpu, cgroup))
    try:
        yield found
    finally:
        os.sched_setaffinity(0, allowed)
        if cgroup is not None:
            with suppress(OSError):  # Something in it still ends.
                cgroup.rmdir()


def _make_cgroup() -> Path | None:
    """Return a new control group with the memory limit, of version 1 or 2, or None if that cannot be had."""
    name = f"pexservice-benchmarks-{os.getpid()}"
    for parent, limit in ((_CGROUPS / "memory", "memory.limit_in_bytes"), (_CGROUPS, "memory.max")):
        cgroup = parent / name
        try:
            cgroup.mkdir()
        except OSError:
            continue
        try:
            with suppress(OSError):  # Version 2 wants it, where nobody has said it yet.
                (parent / "cgroup.subtree_control").write_text("+memory", "ascii")
            (cgroup / limit).write_text(str(_MEMORY_BYTES), "ascii")
        except OSError:
            cgroup.rmdir()
        else:
            return cgroup
    return None
