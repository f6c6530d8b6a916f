"""What the figures depend on: the machine, its disk, and the versions of everything."""

import os
import platform
import re
import tempfile
import time
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.figures import Machine
from benchmarks.processes import Failed, run

_SYNCS: Final = 100
"""Some 20 ms on a fast disk, 1 s on a slow one."""
_ROW_BYTES: Final = 60
"""A row of the journal."""
_VERSION: Final = re.compile(r"\d+\.\d+[.\w-]*")
_ASKED: Final = {
    "Go": ["go", "version"],
    "gcc": ["gcc", "--version"],
    "nginx": ["nginx", "-v"],
    "Redis": ["redis-server", "--version"],
    "ab": ["ab", "-V"],
    "wrk": ["sh", "-c", "wrk -v; true"],
}
_PACKAGES: Final = ("pexservice", "uvloop", "httptools", "uvicorn", "fastapi", "redis", "hiredis")


def sync_us(data: Path) -> float:
    """Return the median time of an fdatasync after an append, in the directory, without anything else: us."""
    row = b"0" * _ROW_BYTES
    times_s = []
    with tempfile.TemporaryFile(dir=data, buffering=0) as file:
        for _ in range(_SYNCS):
            file.write(row)
            began_s = time.perf_counter()
            os.fdatasync(file.fileno())
            times_s.append(time.perf_counter() - began_s)
    return median(times_s) * 1e6


def describe(data: Path) -> Machine:
    """Return what this machine is, and the file system of the directory."""
    return Machine(
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        commit=_printed(["git", "describe", "--always", "--dirty", "--exclude=*"]).strip() or "unknown",
        cpu=_field(Path("/proc/cpuinfo"), "model name") or platform.machine(),
        cores=os.cpu_count() or 1,
        memory_bytes=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        kernel=platform.release(),
        file_system=_printed(["findmnt", "--noheadings", "--output", "FSTYPE", "--target", str(data)]).strip(),
        versions={"Python": platform.python_version()} | _tools() | _packages(),
    )


def _tools() -> dict[str, str]:
    found = {name: _VERSION.search(_printed(arguments)) for name, arguments in _ASKED.items()}
    return {name: version[0] for name, version in found.items() if version}


def _packages() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _printed(arguments: list[str]) -> str:
    """Return what a program prints, to either stream; nothing if it cannot."""
    try:
        return run(["sh", "-c", 'exec "$@" 2>&1', "sh", *arguments], timeout_s=10)
    except Failed:
        return ""


def _field(path: Path, name: str) -> str:
    for line in path.read_text("utf-8").splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return ""
