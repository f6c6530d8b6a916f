"""A disk that fills up: short writes, ENOSPC and EFBIG.

A full disk says so with a short write first and an error next. The ring has its space, so steps go on until it is full
of what the history has no room for; then they are refused as not applied, and reads answered; and when there is space
again, all goes on by itself. Two ways to fill it: a file size limit cuts a segment at any byte, a small file system
refuses blocks, new files and names as well.
"""

import os
import resource
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from random import Random
from typing import Final

from pexservice.core.judging import Place
from pexservice.stores.journal.ring import RING_NAME
from pexservice.trial.linearizability import NOT_APPLIED, check
from pexservice.trial.operation import Operation
from support.process import Service
from torture.attack import Attack, Bench, Unsupported, require
from torture.load import Load, place_of

_CYCLES: Final = 5
_TMPFS_BYTES: Final = 1 << 20
"""Room for two small rings: at a start the new one is made beside the old one."""
_PAGE_BYTES: Final = 4096
_HISTORY_MAX: Final = "32KiB"
"""So that small segments, a page each, leave room."""
_UNTIL_S_MAX: Final = 20


def run_limited(bench: Bench) -> int:
    """Limit the file size to a few bytes more than there are, lift the limit, and so on; kill, and start again."""
    data_dir = bench.directory / "data"
    history: list[Operation] = []
    with bench.serving(data_dir, small_ring=True) as service:
        ring_bytes = (data_dir / RING_NAME).stat().st_size
        for _ in range(_CYCLES):
            with Load(service, bench.rng, clients=4) as load:
                load.wait(20)
                # Below the size of the ring the limit would be no lack of space, but a disk that fails.
                _await(lambda: _newest(data_dir).stat().st_size > ring_bytes, "the segment is longer than the ring")
                _limit_file_size(service, _newest(data_dir).stat().st_size + bench.rng.randint(0, 200))
                _await(partial(_is_refused, load.history), "a step was refused at the limit")
                require(place_of(service).sequence > 0, "reads are answered at the limit")
                _limit_file_size(service, resource.RLIM_INFINITY)
                _await(lambda: _readiness(service) == 200, "steps are taken again without the limit")
                time.sleep(bench.rng.uniform(0, 0.1))
            load.require_answered()
            history += load.history
        service.stop(9)
    with bench.serving(data_dir) as service:
        check(history, Place(0, 0), place_of(service))
    return _CYCLES


def run_small(bench: Bench) -> int:
    """Fill a small file system, make room, and so on; kill, and start again."""
    history: list[Operation] = []
    with _tmpfs(bench.directory / "disk") as disk:
        ballast = disk / "ballast"
        ballast.touch()
        options = ["--history-max-bytes", _HISTORY_MAX]
        small = bench.rng.random() < 0.5
        with bench.serving(disk / "data", *options, small_segments=small, small_ring=not small) as service:
            for _ in range(_CYCLES):
                with Load(service, bench.rng, clients=4) as load:
                    load.wait(20)
                    _fill(ballast, bench.rng)
                    _await(partial(_is_refused, load.history), "a step was refused when full")
                    _await(lambda: _readiness(service) == NOT_APPLIED, "/readyz tells that no steps are taken")
                    place_of(service)
                    os.truncate(ballast, 0)
                    _await(lambda: _readiness(service) == 200, "steps are taken again when there is room")
                load.require_answered()
                history += load.history
            service.stop(9)
        with bench.serving(disk / "data", small_ring=True) as service:
            check(history, Place(0, 0), place_of(service))
    return _CYCLES


def _newest(data_dir: Path) -> Path:
    return max(data_dir.glob("journal-*.csv"))


def _limit_file_size(service: Service, size_bytes: int) -> None:
    _, hard = resource.prlimit(service.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(service.pid, resource.RLIMIT_FSIZE, (size_bytes, hard))


def _is_refused(history: list[Operation]) -> bool:
    return any(operation.status == NOT_APPLIED for operation in history[-8:])


def _readiness(service: Service) -> int:
    with service.connect() as client:
        return client.ask("GET", "/readyz").status


def _await(is_met: Callable[[], bool], promise: str) -> None:
    deadline_s = time.monotonic() + _UNTIL_S_MAX
    while not is_met():
        require(time.monotonic() < deadline_s, f"not within {_UNTIL_S_MAX} s: {promise}")
        time.sleep(0.005)


@contextmanager
def _tmpfs(directory: Path) -> Iterator[Path]:
    directory.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_TMPFS_BYTES}", "tmpfs", str(directory)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        raise Unsupported("the right to mount a tmpfs")
    try:
        yield directory
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)


def _fill(ballast: Path, rng: Random) -> None:
    """Take all space but perhaps a page or two."""
    left = rng.randint(0, 2) * _PAGE_BYTES
    with ballast.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(_PAGE_BYTES)) == _PAGE_BYTES:
                pass
        except OSError:
            file.truncate(max(0, file.tell() - left))


_NOTICED: Final = "^not within .*: a step was refused"
LIMITED: Final = Attack("short writes at a file size limit", run_limited, 10, 1, "trust-short-write", _NOTICED, 50)
SMALL: Final = Attack("a full file system", run_small, 10, 1, "trust-short-write", _NOTICED, 50)
