"""A disk that fails under the service: it must not answer what it cannot know to be durable, and must end with 74.

The errors are the kernel's own. A block device gives EIO and ext4 makes of it what it does. write(2) has long
succeeded, into the page cache, when the device refuses the bytes, so both kinds of error come to light with the sync.
ext4 may then give up its journal and become read-only; or the next sync succeeds, though the bytes are in the cache
only, which is why the service must never ask again. Then the device is healed, and the next start, on the cache as it
is or after a fresh mount, must have every step that was answered.
"""

import errno
import os
import time
from contextlib import ExitStack
from pathlib import Path
from select import select
from shutil import rmtree
from typing import Final

from pexservice.core.judging import Place
from pexservice.trial.linearizability import check
from pexservice.trial.operation import Operation
from support.process import Service
from torture.attack import Attack, Bench, require
from torture.disks.block_device import block_device
from torture.disks.lossy_files import lossy_files
from torture.disks.mounting import make_ext4, mounted
from torture.disks.recovering import prove_by_start, recovered_place
from torture.load import Load

_BEGIN: Final = Place(0, 0)
_DEVICE_BYTES: Final = 16 << 20
"""Room for the load, and made anew in milliseconds."""
_FOR_EVER: Final = 1 << 30
_FIRST_MAX: Final = 6
"""Operations that go well before the first that fails: a commit on ext4 is three writes and two flushes."""
_ANSWERS_MAX: Final = 100
"""Before the fault, and after the next start."""
_END_S: Final = 10
"""Under load it meets its disk every millisecond."""
_CYCLES: Final = 10
"""In one round of the two smaller attacks."""


def fail_device(bench: Bench) -> int:
    """Do one round: EIO on write and on sync, once and for ever."""
    kinds = [(kind, count) for kind in ("write", "sync") for count in (_FOR_EVER, 1)]
    for kind, count in kinds:
        with block_device(bench.directory, size_bytes=_DEVICE_BYTES) as (disk, device):
            make_ext4(device, block_bytes=bench.rng.choice([1024, 4096]))
            options = f"errors={bench.rng.choice(['continue', 'remount-ro'])}"
            with mounted(device, bench.directory / "mounted", options) as path:
                with bench.serving(path / "data") as service, Load(service, bench.rng) as load:
                    load.wait(bench.rng.randrange(_ANSWERS_MAX))
                    disk.tell("fail", kind, bench.rng.randrange(_FIRST_MAX), count)
                    require(disk.has_failed(), f"it uses its disk no more: {service.log}")
                    _expect_end(service)
                disk.tell("heal")
                history = load.history
                if bench.rng.random() < 0.5:
                    history += _started_again(bench, path / "data")
            _prove_healed(bench, device, history)
    return len(kinds)


def turn_read_only(bench: Bench) -> int:
    """Do one round: the file system becomes read-only under load, and is so until the machine is restarted.

    By a file system of our own. The kernel refuses to remount one while a segment is open for writing; and when ext4
    does it because of an error that it found, a sync that is under way may report success for what is lost (seen on
    Linux 6.18 without this service: 3 times in 20).
    """
    backing = bench.directory / "disk"
    backing.mkdir()
    place = _BEGIN
    for _ in range(_CYCLES):
        with lossy_files(bench.directory / "mounted", backing, bench.rng) as disk:
            with bench.serving(disk.path / "data") as service, Load(service, bench.rng) as load:
                load.wait(bench.rng.randrange(_ANSWERS_MAX))
                disk.tell("fail", bench.rng.randrange(_FIRST_MAX), errno.EROFS)
                _expect_end(service)
            disk.tell("drop")
        recovered = recovered_place(backing / "data")
        check(load.history, place, recovered)
        place = recovered
    prove_by_start(bench, backing / "data", place)
    return _CYCLES


def remove_directory(bench: Bench) -> int:
    """Do one round: the data directory is removed under load, and later restored from what was in it."""
    for cycle in range(_CYCLES):
        data_dir, restored = bench.directory / f"data{cycle}", bench.directory / f"restored{cycle}"
        with bench.serving(data_dir) as service, ExitStack() as stack:
            with Load(service, bench.rng) as load:
                load.wait(bench.rng.randrange(_ANSWERS_MAX))
                files = {path.name: stack.enter_context(path.open("rb")) for path in data_dir.glob("*.csv")}
                rmtree(data_dir)
                removed_s = time.monotonic()
                _expect_end(service)
            late = [each for each in load.history if each.step and each.is_taken and each.invoked_s > removed_s]
            require(not late, f"{len(late)} steps asked for after the removal were answered, first {late[:1]}")
            restored.mkdir()
            for name, file in files.items():
                (restored / name).write_bytes(file.read())
        place = recovered_place(restored)
        check(load.history, _BEGIN, place)
        prove_by_start(bench, restored, place)
    return _CYCLES


def _expect_end(service: Service) -> None:
    process = os.pidfd_open(service.pid)
    has_ended = bool(select([process], [], [], _END_S)[0])
    os.close(process)
    require(has_ended, f"it goes on for {_END_S} s without its disk: {service.log}")
    status = service.wait()
    require(status == 74, f"it ended with {status}, not with 74 as for a failed journal: {service.log}")


def _started_again(bench: Bench, data_dir: Path) -> list[Operation]:
    """Start the service on a disk that was healed and not mounted anew, or see it refuse; return what it was asked."""
    with bench.serving(data_dir) as service:
        if not service.where:
            require(service.wait() in {73, 74}, f"it did not start: {service.log}")
            return []
        with Load(service, bench.rng) as load:
            load.wait(bench.rng.randrange(_ANSWERS_MAX))
        load.require_answered()
        status = service.stop()
        require(status == 0, f"it stopped with {status}: {service.log}")
        return load.history


def _prove_healed(bench: Bench, device: Path, history: list[Operation]) -> None:
    with mounted(device, bench.directory / "mounted") as path:
        place = recovered_place(path / "data")
        check(history, _BEGIN, place)
        prove_by_start(bench, path / "data", place)


_LOST: Final = "^was answered and is lost"
_UNNOTICED: Final = "^it goes on for .* without its disk"
EIO: Final = Attack("EIO from the device", fail_device, 50, 1, "trust-failed-sync", f"{_LOST}|{_UNNOTICED}", 200)
READ_ONLY: Final = Attack("read-only remount", turn_read_only, 5, 1, "trust-failed-sync", f"{_LOST}|{_UNNOTICED}", 50)
_GOES_ON: Final = f"{_UNNOTICED}|steps asked for after the removal were answered"
"""With a history to be written, it does notice in the end."""
REMOVED: Final = Attack("data directory removed", remove_directory, 5, 1, "ignore-removal", _GOES_ON, 50)
