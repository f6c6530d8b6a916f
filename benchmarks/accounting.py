"""What processes and cores did, as the kernel accounts for it.

The total comes from the processor clock of each process (clock_getcpuclockid(3)), which counts nanoseconds and includes
threads that have ended; /proc/PID/stat, in hundredths of a second, only tells how it divides into user and system. What
the kernel does for a process in threads of its own appears only as busy time of the core.
"""

import os
import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.figures import Accounts
from benchmarks.placement import Placement

_TICK_S: Final = 1 / os.sysconf("SC_CLK_TCK")
_PROC: Final = Path("/proc")
_CLOCK_OF_PROCESS: Final = 2
"""CPUCLOCK_SCHED of the kernel: the lowest three bits of a clock that belongs to a process."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The accounts as they stand at one time."""

    at_s: float
    cpu_s: float
    user_s: float
    system_s: float
    server_core_idle_s: float
    load_core_idle_s: float
    all_idle_s: float
    """Of all cores, added up."""
    load_cpu_s: float
    """Of programs that this process ran and that ended, of which a load generator is one."""


def family(pids: Sequence[int]) -> list[int]:
    """Return processes with their children, and the children of those, as they are now."""
    found = list(pids)
    for pid in found:
        for path in (_PROC / str(pid) / "task").glob("*/children"):
            found += map(int, path.read_text("ascii").split())
    return found


def read(pids: Sequence[int], placement: Placement) -> Reading:
    """Read the accounts of the processes of a peer, together, and of the cores."""
    fields = [(_PROC / str(pid) / "stat").read_text("ascii").rpartition(")")[2].split() for pid in pids]
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Reading(
        at_s=time.monotonic(),
        cpu_s=sum(time.clock_gettime((~pid << 3) | _CLOCK_OF_PROCESS) for pid in pids),
        user_s=sum(int(each[11]) for each in fields) * _TICK_S,
        system_s=sum(int(each[12]) for each in fields) * _TICK_S,
        server_core_idle_s=_idle_s(placement.server_cpu),
        load_core_idle_s=_idle_s(placement.load_cpu),
        all_idle_s=_idle_s(),
        load_cpu_s=children.ru_utime + children.ru_stime,
    )


def between(before: Reading, after: Reading, pids: Sequence[int]) -> Accounts:
    """Return what was done between two readings."""
    user_s, system_s = after.user_s - before.user_s, after.system_s - before.system_s
    cpu_s, wall_s = after.cpu_s - before.cpu_s, after.at_s - before.at_s
    user_share = user_s / (user_s + system_s) if user_s + system_s else 0.0
    return Accounts(
        user_s=cpu_s * user_share,
        system_s=cpu_s * (1 - user_share),
        server_core_s=wall_s - (after.server_core_idle_s - before.server_core_idle_s),
        load_core_s=wall_s - (after.load_core_idle_s - before.load_core_idle_s),
        all_cores_s=wall_s * (os.cpu_count() or 1) - (after.all_idle_s - before.all_idle_s),
        load_cpu_s=after.load_cpu_s - before.load_cpu_s,
        wall_s=wall_s,
        memory_peak_bytes=sum(map(_memory_peak_bytes, pids)),
    )


def _idle_s(cpu: int | str = "") -> float:
    """Return for how long a core was idle, or all of them."""
    for line in (_PROC / "stat").read_text("ascii").splitlines():
        name, *fields = line.split()
        if name == f"cpu{cpu}":
            idle, waiting_for_disk = int(fields[3]), int(fields[4])
            return (idle + waiting_for_disk) * _TICK_S
    raise LookupError(f"there is no cpu{cpu} in /proc/stat")


def _memory_peak_bytes(pid: int) -> int:
    for line in (_PROC / str(pid) / "status").read_text("utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise LookupError(f"there is no VmHWM in /proc/{pid}/status")
