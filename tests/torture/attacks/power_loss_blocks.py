"""Power loss, block by block: the disk below an ext4 as a power cut would have left it at any instant of a load.

One load, many deaths. The service runs on a disk that records every write and flush; from the record the disk is made
again as it was at some point, but for what the last flush did not cover, each write of which is kept, lost or torn.
Record and history tell the time by the same clock, so it is known what had been answered before each cut: at least that
must be there, at most what had been asked, and it must be a place that the walk went through.

Each of these disks is mounted, so that ext4 replays its own journal first. Some are recovered by a start of the
service, the others by the same code in this process, which takes a twentieth of the time.
"""

from math import inf
from pathlib import Path
from typing import Final

from pexservice.core.judging import Place
from pexservice.trial.linearizability import check
from pexservice.trial.operation import Operation
from torture.attack import Attack, Bench, require
from torture.disks.block_device import block_device
from torture.disks.mounting import make_ext4, mounted
from torture.disks.recovering import prove_by_start, recovered_place
from torture.disks.write_log import images, unpack
from torture.load import Load, place_of

IMAGES: Final = 50
"""Power cuts in one round."""
STARTED: Final = 5
"""So many of them are recovered by a start."""
_DEVICE_BYTES: Final = 16 << 20
"""Room for the load and two small rings, and made anew in milliseconds."""
_STARTS: Final = 2
"""Of the service, one after the other, on the disk that is recorded."""
_START_RECORDS: Final = 60
"""What a start writes, generously: a third of the cuts fall there."""
_ANSWERS: Final = 300
"""Given between a start and its stop. A commit is some five records on ext4."""


def lose_power(bench: Bench) -> int:
    """Do one round."""
    history: list[Operation] = []
    starts: list[int] = []
    with block_device(bench.directory, size_bytes=_DEVICE_BYTES) as (disk, device):
        make_ext4(device, block_bytes=bench.rng.choice([1024, 4096]))
        with mounted(device, bench.directory / "mounted") as path:
            for _ in range(_STARTS):
                starts.append(int(disk.tell("log")))
                history += _load(bench, path / "data")
            end = int(disk.tell("log"))
    records = unpack((bench.directory / "log").read_bytes(), end)
    cuts = [min(end, bench.rng.choice(starts) + bench.rng.randrange(_START_RECORDS)) for _ in range(IMAGES // 3)]
    cuts += [bench.rng.randint(starts[0], end) for _ in range(IMAGES - len(cuts) - 1)]
    cuts = sorted([*cuts, end])
    started = set(bench.rng.sample(range(IMAGES), STARTED))
    for index, image in enumerate(images(records, _DEVICE_BYTES, cuts, bench.rng)):
        file = bench.directory / "image"
        file.unlink(missing_ok=True)  # The system may still look at the one before.
        file.write_bytes(image)
        with mounted(file, bench.directory / "mounted", "loop") as path:
            place = recovered_place(path / "data")
            _judge(history, place, records[cuts[index]].time_s if cuts[index] < end else inf)
            if index in started:
                prove_by_start(bench, path / "data", place)
    return IMAGES


def _load(bench: Bench, data_dir: Path) -> list[Operation]:
    """Start the service, ask it things, and stop it; return what it was asked, all of it answered."""
    with bench.serving(data_dir, small_segments=True) as service:
        begin = place_of(service)
        with Load(service, bench.rng) as load:
            load.wait(_ANSWERS)
        load.require_answered()
        check(load.history, begin, place_of(service))
        require(service.stop() == 0, f"it did not stop in order: {service.log}")
    return load.history


def _judge(history: list[Operation], place: Place[int], cut_s: float) -> None:
    """Compare what a disk recovered to with what the clients knew when its power was cut."""
    positions = {operation.place.sequence: operation.place.state for operation in history if operation.place}
    positions[0] = 0
    answered = [each.place.sequence for each in history if each.place and each.answered_s < cut_s]
    asked = sum(operation.step is not None and operation.invoked_s < cut_s for operation in history)
    least = max(answered, default=0)
    require(least <= place.sequence, f"step {least} had been answered and is lost: the walk is at {place}")
    require(place.sequence <= asked, f"{asked} steps had been asked for, but the walk is at {place}")
    is_passed = positions[place.sequence] == place.state
    require(is_passed, f"the walk never was at {place}, but at position {positions[place.sequence]} after that step")


ATTACK: Final = Attack(
    "power loss, block by block",
    lose_power,
    rounds=40,
    rounds_short=1,
    sabotage="no-sync",
    noticed="^step .* had been answered and is lost|would (be refused|end) with 65|^a start would find",
    cycles=2_000,
)
