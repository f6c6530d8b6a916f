"""A disk that takes its time, 0.1 to 30 s for a sync, and a file system that is frozen for a snapshot.

A slow disk is not a broken one. Steps wait, up to the bound, and the rest are refused as not applied; reads go on at
once, since nothing else waits for the disk; no answer comes before its sync; and nobody gives up. Somebody else syncs
files of the same file system all the while: what it then writes for them, others wait for who only begin a write.
"""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Final

from pexservice.core.judging import Place
from pexservice.trial.linearizability import NOT_APPLIED, check
from pexservice.trial.operation import PATHS, Operation, new_connection
from pexservice.walk.steps import NEXT
from support.client import message
from support.process import Service
from torture.attack import Attack, Bench, require
from torture.disks.block_device import block_device
from torture.disks.mounting import make_ext4, mounted
from torture.load import Load, place_of, record

_DEVICE_BYTES: Final = 16 << 20
_FASTEST_S: Final = 0.05
_SLOWEST_S: Final = 15.0
"""For a flush; ext4 flushes twice in a sync."""
_PENDING_MAX: Final = 12
_BURST: Final = 30
_READ_S_MAX: Final = 2.0
"""A read that takes longer waited for the disk. Generous: the machine is busy."""
_FROZEN_S: Final = 3.0
"""Long enough for a read that waits for it to be noticed."""


def run(bench: Bench) -> int:
    """Slow the disk down under load, ask for more than may wait, speed it up, freeze it, and kill the service."""
    flush_s = _FASTEST_S * (_SLOWEST_S / _FASTEST_S) ** (bench.index / (bench.rounds - 1))
    with block_device(bench.directory, size_bytes=_DEVICE_BYTES) as (disk, device):
        make_ext4(device, block_bytes=1024)
        with mounted(device, bench.directory / "mounted") as path, _neighbour(path):
            with bench.serving(path / "data", "--max-pending", str(_PENDING_MAX)) as service:
                with Load(service, bench.rng, clients=4) as load, service.connect() as client:
                    load.wait(50)
                    disk.tell("delay", flush_s)
                    number = new_connection()
                    burst = [Operation(NEXT, time.monotonic(), connection=number) for _ in range(_BURST)]
                    client.send(message("POST", PATHS[NEXT]) * _BURST)
                    _read_at_once(service, until_s=burst[0].invoked_s + 3 * flush_s)
                    disk.tell("delay", 0)
                    sped_up_s = time.monotonic()
                    for operation in burst:
                        record(operation, client.read())
                    with _frozen(path):
                        _read_at_once(service, until_s=time.monotonic() + _FROZEN_S)
                is_refused = any(operation.status == NOT_APPLIED for operation in burst)
                require(is_refused, f"{_PENDING_MAX} steps may wait, and none of {_BURST} was refused")
                _check_waited([*load.history, *burst], burst[0].invoked_s, sped_up_s, flush_s)
                load.require_answered()
                service.stop(9)
            with bench.serving(path / "data") as service:
                check([*load.history, *burst], Place(0, 0), place_of(service))
    return 1


@contextmanager
def _neighbour(path: Path) -> Iterator[None]:
    """Have somebody make small files on the same file system, and sync them, all the time."""
    over, file = Event(), path / "neighbour"

    def sync() -> None:
        while not over.is_set():
            with file.open("wb") as opened:
                opened.write(b"x")
                opened.flush()
                os.fsync(opened.fileno())
            file.unlink()

    thread = Thread(target=sync)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def _frozen(path: Path) -> Iterator[None]:
    subprocess.run(["fsfreeze", "--freeze", path], check=True)
    try:
        yield
    finally:
        subprocess.run(["fsfreeze", "--unfreeze", path], check=True)


def _read_at_once(service: Service, until_s: float) -> None:
    """Read again and again; nothing that is asked may take the time that the disk takes."""
    while time.monotonic() < until_s:
        began_s = time.monotonic()
        place_of(service)
        took_s = time.monotonic() - began_s
        require(took_s < _READ_S_MAX, f"a read took {took_s:.1f} s while the disk was slow or frozen")
        time.sleep(0.02)


def _check_waited(history: list[Operation], slowed_s: float, sped_up_s: float, flush_s: float) -> None:
    taken = [operation for operation in history if operation.step and operation.is_taken]
    for operation in taken:
        if slowed_s <= operation.invoked_s and operation.answered_s < sped_up_s:
            took_s = operation.answered_s - operation.invoked_s
            require(took_s >= flush_s, f"answered after {took_s:.3f} s, when a flush took {flush_s:.3f} s: {operation}")


ATTACK: Final = Attack(
    "a disk that takes 0.1 to 30 s",
    run,
    rounds=30,
    rounds_short=3,
    sabotage="no-sync",
    noticed="^answered after .* when a flush took",
    cycles=30,
    pace="waiting",
)
