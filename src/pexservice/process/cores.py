"""How many processors there are for this process, and how many workers make the most of them."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

_CORES_MIN: Final = 4
"""Below it the split costs more than it gives: docs/workers.md has the figures."""
_CGROUPS: Final = Path("/sys/fs/cgroup")
_OWN: Final = Path("/proc/self/cgroup")


def workers(most: int) -> int:
    """Return how many workers to have: one process below four processors, else one worker less than there are."""
    available = cores()
    return 1 if available < _CORES_MIN else min(available - 1, most)


def cores(root: Path = _CGROUPS, own: Path = _OWN) -> int:
    """Return how many processors this process may keep busy: by its affinity, and by the limits of control groups."""
    return max(1, int(min([len(os.sched_getaffinity(0)), *_quotas(root, own)])))


def _quotas(root: Path, own: Path) -> list[float]:
    """Return the limits of a group and of those above it, in processors: cgroups(7), cpu.max or cpu.cfs_quota_us."""
    found = []
    lines = []
    with suppress(OSError):
        lines = own.read_text("utf-8", "replace").splitlines()
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers not in {"", "cpu", "cpu,cpuacct", "cpuacct,cpu"}:
            continue
        base = root / controllers if controllers else root
        group = base / path.lstrip("/")
        for directory in (group, *group.parents):
            if not directory.is_relative_to(base):
                break
            found += _quota(directory)
    return found


def _quota(directory: Path) -> list[float]:
    with suppress(OSError, ValueError, ZeroDivisionError):
        quota, period = (directory / "cpu.max").read_text("ascii").split()
        return [int(quota) / int(period)]
    with suppress(OSError, ValueError, ZeroDivisionError):
        quota_us, period_us = (
            int((directory / f"cpu.cfs_{each}_us").read_text("ascii")) for each in ("quota", "period")
        )
        return [quota_us / period_us] if quota_us > 0 else []
    return []
