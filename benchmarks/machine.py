"""What the figures depend on: the machine, its disk, and the versions of everything."""

import mmap
import os
import platform
import re
import sqlite3
import tempfile
import time
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Final

from benchmarks.figures import Device, Machine
from benchmarks.processes import Failed, run

_WRITES: Final = 500
"""Some 70 ms on a fast disk, 5 s on a slow one."""
_BLOCK_BYTES: Final = 4096
"""A line of the ring."""
_BLOCKS: Final = 256
_VERSION: Final = re.compile(r"\d+\.\d+[.\w-]*")
_ASKED: Final = {
    "Go": ["go", "version"],
    "gcc": ["gcc", "--version"],
    "nginx": ["nginx", "-v"],
    "Redis": ["redis-server", "--version"],
    "PostgreSQL": ["psql", "--version"],
    "ab": ["ab", "-V"],
    "wrk": ["sh", "-c", "wrk -v; true"],
}
_PACKAGES: Final = ("pexservice", "uvloop", "httptools", "uvicorn", "fastapi", "redis", "hiredis", "asyncpg")


def device(data: Path) -> Device:
    """Return what one write of a block straight to the device takes until it is flushed, with nothing else under way.

    The file was written before, as a ring is. Where the file system has no direct writes, they go through the cache.
    """
    block = mmap.mmap(-1, _BLOCK_BYTES)  # Memory that begins at a page.
    times_s = []
    with tempfile.NamedTemporaryFile(dir=data) as file:
        file.write(bytes(_BLOCK_BYTES * _BLOCKS))
        file.flush()
        os.fsync(file.fileno())
        fd = _open_direct(file.name)
        try:
            for index in range(_WRITES):
                began_s = time.perf_counter()
                os.pwritev(fd, [block], index % _BLOCKS * _BLOCK_BYTES, os.RWF_DSYNC)
                times_s.append(time.perf_counter() - began_s)
        finally:
            os.close(fd)
    times_s.sort()
    return Device(times_s[_WRITES // 2] * 1e6, times_s[_WRITES * 99 // 100] * 1e6)


def _open_direct(name: str) -> int:
    try:
        return os.open(name, os.O_WRONLY | os.O_DIRECT)
    except OSError:
        return os.open(name, os.O_WRONLY)


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
        versions={"Python": platform.python_version(), "SQLite": sqlite3.sqlite_version} | _tools() | _packages(),
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
