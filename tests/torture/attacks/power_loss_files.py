"""Power loss, file by file: every write and every name that was not synced is lost, kept or torn.

What POSIX does not promise must not be needed (`disks/lossy_tree.py`). A round is a chain of power cuts on one
directory, so that each start works on what the cuts before it left behind: lines in flight, a ring and segments half
made. A third of the cuts fall within the operations of a start, the others under load. Sometimes the disk
fails first and recovers, with its power on: the next start then reads what was written and never synced.
"""

import errno
import signal
from contextlib import nullcontext
from pathlib import Path
from typing import Final

from pexservice.core.judging import Place
from pexservice.trial.linearizability import check
from pexservice.trial.operation import Operation
from torture.attack import Attack, Bench, require
from torture.disks.fuse import Disk
from torture.disks.lossy_files import lossy_files
from torture.disks.recovering import prove_by_start, recovered_place
from torture.load import Load

CYCLES: Final = 10
"""Power cuts in one round."""
_START_OPERATIONS: Final = 30
"""About as many as a start takes to lock its directory, settle, write history, and make a small ring."""
_LOAD_OPERATIONS_MAX: Final = 400
"""A group is two, a write and a sync: some tenths of a second."""
_HISTORY_MAX: Final = "4KiB"
"""So that with small segments the oldest are removed."""


def lose_power(bench: Bench) -> int:
    """Do one round."""
    backing = bench.directory / "disk"
    backing.mkdir()
    data_dir = Path("walks", "data")  # To make the names that lead there durable is the service's task, too.
    place = Place(0, 0)
    for _ in range(CYCLES):
        history: list[Operation] = []
        with lossy_files(bench.directory / "mounted", backing, bench.rng) as disk:
            if bench.rng.random() < 0.3:
                history += _until_failure(bench, disk, data_dir)
                disk.tell("mend")
            history += _until_failure(bench, disk, data_dir)
            disk.tell("drop")
        recovered = recovered_place(backing / data_dir)
        check(history, place, recovered)
        place = recovered
    prove_by_start(bench, backing / data_dir, place)
    return CYCLES


def _until_failure(bench: Bench, disk: Disk, data_dir: Path) -> list[Operation]:
    """Start the service, ask it things until the disk fails, and kill it; return what it was asked."""
    operations_max = bench.rng.choice([_START_OPERATIONS, _LOAD_OPERATIONS_MAX, _LOAD_OPERATIONS_MAX])
    disk.tell("fail", bench.rng.randrange(operations_max), errno.EIO)
    small = bench.rng.random() < 0.5
    options = ["--history-max-bytes", _HISTORY_MAX]
    with bench.serving(disk.path / data_dir, *options, small_segments=small, small_ring=not small) as service:
        is_started = bool(service.where)
        with Load(service, bench.rng) if is_started else nullcontext() as load:
            require(disk.has_failed(), f"it uses its disk no more: {service.log}")
            service.stop(signal.SIGKILL)
    return load.history if load else []


ATTACK: Final = Attack(
    "power loss, file by file",
    lose_power,
    rounds=50,
    rounds_short=1,
    sabotage="no-sync",
    noticed="^was answered and is lost|would (be refused|end) with 65|^a start would find",
    cycles=500,
)
