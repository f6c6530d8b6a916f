"""Alerts on a disk that is full, slow or hangs."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from pexservice.limits import MIB
from support.messages import NEXT
from support.process import command, serving
from support.prometheus import scraping
from system.alerts.faults import ROOMY_BYTES, step, stepping, used_bytes
from torture.disks.fuse import Disk


def test_a_service_that_does_not_become_ready(tmp_path: Path, slow_disk: tuple[Path, Disk]) -> None:
    """PexNotReady: the disk takes its time to give what the journal holds."""
    path, disk = slow_disk
    with serving(path / "data") as service:
        assert step(service) == 200
        service.stop(signal.SIGKILL)
    disk.tell("delay", 8)
    with (
        serving(path / "data") as service,
        scraping(tmp_path / "prometheus", service.port) as seen,
    ):
        seen.await_firing({"PexNotReady"}, among={"PexNotReady"})
        assert not seen.values("pex_sequence_total")
        disk.tell("delay", 0)
        seen.await_firing(set(), among={"PexNotReady"})
        assert seen.values("pex_sequence_total") == [1]


def test_a_full_disk(tmp_path: Path, small_disk: Callable[[str], Path]) -> None:
    """PexJournalFull: steps are refused for want of room."""
    path = small_disk(f"size={ROOMY_BYTES}")
    with serving(path / "data") as service, scraping(tmp_path / "prometheus", service.port) as seen:
        seen.await_firing(set(), among=set())
        needed_bytes = used_bytes(path)
        small_disk(f"size={needed_bytes}")
        while step(service) == 200:
            pass
        seen.await_firing({"PexJournalFull"}, among={"PexJournalFull"})
        small_disk(f"size={ROOMY_BYTES}")
        seen.await_firing(set(), among={"PexJournalFull"})
        assert step(service) == 200


def test_a_disk_that_fills_up(tmp_path: Path, small_disk: Callable[[str], Path]) -> None:
    """PexDiskSpaceLow: the file system of the journal has little space left."""
    path = small_disk(f"size={ROOMY_BYTES}")
    with serving(path / "data") as service, scraping(tmp_path / "prometheus", service.port) as seen:
        seen.await_firing(set(), among=set())
        small_disk(f"size={16 * MIB}")
        seen.await_firing({"PexDiskSpaceLow"}, among={"PexDiskSpaceLow"})
        small_disk(f"size={ROOMY_BYTES}")
        seen.await_firing(set(), among={"PexDiskSpaceLow"})


def test_a_disk_without_room_for_a_new_file(tmp_path: Path, small_disk: Callable[[str], Path]) -> None:
    """PexHistoryPutOff: without an inode for the history, the ring, of 64 lines, fills up."""
    path = small_disk(f"size={ROOMY_BYTES}")
    program = command("torture.sabotaged", "small-segments")
    with (
        serving(path / "data", program=program) as service,
        scraping(tmp_path / "prometheus", service.port) as seen,
    ):
        seen.await_firing(set(), among=set())
        found = os.statvfs(path)
        small_disk(f"nr_inodes={found.f_files - found.f_ffree}")
        for _ in range(55):
            assert step(service) == 200
        seen.await_firing({"PexHistoryPutOff"}, among={"PexHistoryPutOff"})
        small_disk("nr_inodes=1000")
        assert step(service) == 200
        seen.await_firing(set(), among={"PexHistoryPutOff"})


@pytest.mark.parametrize("durability", ["fsync", "interval"])
def test_a_slow_disk(tmp_path: Path, slow_disk: tuple[Path, Disk], durability: str) -> None:
    """PexSlowSyncs: syncs take half a second and more, whether steps wait for them or not."""
    path, disk = slow_disk
    standing = {"PexNotDurable"} if durability == "interval" else set()
    options = ["--durability", durability, *(["--sync-interval", "100ms"] if durability == "interval" else [])]
    with (
        serving(path / "data", *options) as service,
        scraping(tmp_path / "prometheus", service.port) as seen,
        stepping(service, 1),
    ):
        seen.await_firing(standing, among=standing)
        disk.tell("delay", 0.3)
        seen.await_firing(standing | {"PexSlowSyncs"}, among=standing | {"PexSlowSyncs"})
        disk.tell("delay", 0)
        seen.await_firing(standing, among=standing | {"PexSlowSyncs"})


def test_a_disk_that_hangs(tmp_path: Path, slow_disk: tuple[Path, Disk]) -> None:
    """PexStuck: steps wait, and not one is committed."""
    path, disk = slow_disk
    with (
        serving(path / "data") as service,
        scraping(tmp_path / "prometheus", service.port) as seen,
        service.connect() as client,
    ):
        seen.await_firing(set(), among=set())
        disk.tell("delay", 8)  # ext4 flushes twice in a sync.
        client.send(NEXT)
        seen.await_firing({"PexStuck"}, among={"PexStuck"})
        disk.tell("delay", 0)
        assert client.read().status == 200
        seen.await_firing(set(), among={"PexStuck"})
