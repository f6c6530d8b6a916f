"""Each alert fires by the fault that it is about, alone, and clears when that is over.

The fault is real: a killed process, a file system without room, a disk that dawdles, clients that flood. The service is
real, and so are Prometheus and the rules, but for their clock (`watching/prometheus.py`).
"""

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

import pytest

from pexservice.limits import MIB
from support.client import message
from support.messages import NEXT
from support.process import Service, command, free_port, serving, wait_until
from system.watching.prometheus import scraping
from torture.attack import Unsupported
from torture.crowd import allow_descriptors, narrow, stand_at
from torture.disks.block_device import block_device
from torture.disks.fuse import Disk
from torture.disks.mounting import make_ext4, mounted
from torture.vitals import gauges

pytestmark = pytest.mark.alerts

_ROOMY_BYTES: Final = 640 * MIB
"""A file system on which PexDiskSpaceLow keeps quiet. Most of it is never touched, and takes no memory."""
_NON_READERS: Final = 800
"""The kernel takes some 60 KiB for each, and the rest of 205 KiB is left to us: nine tenths of what may be unsent."""


@contextmanager
def _clients(service: Service, count: int) -> Iterator[None]:
    """Have clients step, each again as soon as it is answered, until the end of the block."""
    is_over = threading.Event()

    def step() -> None:
        with suppress(OSError), service.connect() as client:
            while not is_over.is_set():
                client.ask("POST", "/next")

    threads = [threading.Thread(target=step) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        is_over.set()
        for thread in threads:
            thread.join()


@contextmanager
def _or_skipped() -> Iterator[None]:
    """Skip the test if this machine cannot do what the block does."""
    try:
        yield
    except Unsupported as error:
        pytest.skip(str(error))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Give a function that mounts, or changes, a file system with the limits that it is given, and returns its path."""
    path = tmp_path / "disk"
    path.mkdir()

    def limit(limits: str) -> Path:
        options = f"remount,{limits}" if path.is_mount() else limits
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path)], check=True)
        return path

    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    yield limit
    subprocess.run(["umount", "--lazy", str(path)], check=True)


@pytest.fixture
def slow_disk(tmp_path: Path) -> Iterator[tuple[Path, Disk]]:
    """Give a directory on an ext4, and the disk below it, which takes as long for a flush as it is told to."""
    with ExitStack() as stack:
        with _or_skipped():
            disk, device = stack.enter_context(block_device(tmp_path, size_bytes=_ROOMY_BYTES))
        make_ext4(device, block_bytes=4096)
        yield stack.enter_context(mounted(device, tmp_path / "mounted")), disk


def _step(service: Service) -> int:
    with service.connect() as client:
        return client.ask("POST", "/next").status


def test_a_service_that_is_killed(tmp_path: Path) -> None:
    """PexDown: it does not answer a scrape."""
    port = str(free_port())
    with serving(tmp_path / "data", "--port", port) as service, scraping(tmp_path / "prometheus", service.port) as seen:
        seen.await_firing(set(), among=set())
        service.stop(signal.SIGKILL)
        seen.await_firing({"PexDown"}, among={"PexDown"})
        with serving(tmp_path / "data", "--port", port):
            seen.await_firing(set(), among={"PexDown"})


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed; make test-deps brings it")
def test_a_service_that_does_not_become_ready(tmp_path: Path) -> None:
    """PexNotReady: the disk takes its time to give what the journal holds."""
    with serving(tmp_path / "data") as service:
        assert _step(service) == 200
        service.stop(signal.SIGKILL)
    slow = ["strace", "-D", "-f", "-qq", "-o", str(tmp_path / "trace"), "-e", "inject=fdatasync:delay_enter=20s:when=1"]
    with (
        serving(tmp_path / "data", wrapper=slow) as service,
        scraping(tmp_path / "prometheus", service.port) as seen,
    ):
        seen.await_firing({"PexNotReady"}, among={"PexNotReady"})
        assert not seen.values("pex_sequence_total")
        seen.await_firing(set(), among={"PexNotReady"})
        assert seen.values("pex_sequence_total") == [1]


def test_a_full_disk(tmp_path: Path, small_disk: Callable[[str], Path]) -> None:
    """PexJournalFull: steps are refused for want of room."""
    path = small_disk(f"size={_ROOMY_BYTES}")
    with serving(path / "data") as service, scraping(tmp_path / "prometheus", service.port) as seen:
        seen.await_firing(set(), among=set())
        used_bytes = _used_bytes(path)
        small_disk(f"size={used_bytes}")
        while _step(service) == 200:
            pass
        seen.await_firing({"PexJournalFull"}, among={"PexJournalFull"})
        small_disk(f"size={_ROOMY_BYTES}")
        seen.await_firing(set(), among={"PexJournalFull"})
        assert _step(service) == 200


def _used_bytes(path: Path) -> int:
    found = os.statvfs(path)
    return (found.f_blocks - found.f_bfree) * found.f_frsize


def test_a_disk_that_fills_up(tmp_path: Path, small_disk: Callable[[str], Path]) -> None:
    """PexDiskSpaceLow: the file system of the journal has little space left."""
    path = small_disk(f"size={_ROOMY_BYTES}")
    with serving(path / "data") as service, scraping(tmp_path / "prometheus", service.port) as seen:
        seen.await_firing(set(), among=set())
        small_disk(f"size={16 * MIB}")
        seen.await_firing({"PexDiskSpaceLow"}, among={"PexDiskSpaceLow"})
        small_disk(f"size={_ROOMY_BYTES}")
        seen.await_firing(set(), among={"PexDiskSpaceLow"})


def test_a_disk_without_room_for_a_new_file(tmp_path: Path, small_disk: Callable[[str], Path]) -> None:
    """PexHistoryPutOff: without an inode for the history, the ring, of 64 lines, fills up."""
    path = small_disk(f"size={_ROOMY_BYTES}")
    program = command("torture.sabotaged", "small-segments")
    with (
        serving(path / "data", program=program) as service,
        scraping(tmp_path / "prometheus", service.port) as seen,
    ):
        seen.await_firing(set(), among=set())
        found = os.statvfs(path)
        small_disk(f"nr_inodes={found.f_files - found.f_ffree}")
        for _ in range(55):
            assert _step(service) == 200
        seen.await_firing({"PexHistoryPutOff"}, among={"PexHistoryPutOff"})
        small_disk("nr_inodes=1000")
        assert _step(service) == 200
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
        _clients(service, 1),
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


def test_more_steps_than_the_disk_takes(tmp_path: Path, slow_disk: tuple[Path, Disk]) -> None:
    """PexQueueNearlyFull: nearly as many steps wait as may."""
    path, disk = slow_disk
    with (
        serving(path / "data", "--max-pending", "16") as service,
        scraping(tmp_path / "prometheus", service.port) as seen,
        _clients(service, 15),
    ):
        seen.await_firing(set(), among=set())
        disk.tell("delay", 0.4)
        seen.await_firing({"PexQueueNearlyFull"}, among={"PexQueueNearlyFull"})
        disk.tell("delay", 0)
        seen.await_firing(set(), among={"PexQueueNearlyFull"})


def test_more_steps_than_may_wait(tmp_path: Path) -> None:
    """PexRefusing: steps beyond the queue are turned away."""
    with (
        serving(tmp_path / "data", "--max-pending", "5") as service,
        scraping(tmp_path / "prometheus", service.port) as seen,
        service.connect() as client,
    ):
        seen.await_firing(set(), among=set())
        client.send(NEXT * 200)
        assert 503 in [client.read().status for _ in range(200)]
        seen.await_firing({"PexRefusing"}, among={"PexRefusing"})
        seen.await_firing(set(), among={"PexRefusing"})


def test_nearly_all_connections(tmp_path: Path) -> None:
    """PexConnectionsNearlyAll: of twenty connections, nineteen are taken, that of Prometheus included."""
    with (
        serving(tmp_path / "data", "--max-connections", "20") as service,
        scraping(tmp_path / "prometheus", service.port) as seen,
    ):
        seen.await_firing(set(), among=set())
        with ExitStack() as stack:
            for _ in range(18):
                assert stack.enter_context(service.connect()).ask("GET", "/current").status == 200
            seen.await_firing({"PexConnectionsNearlyAll"}, among={"PexConnectionsNearlyAll"})
        seen.await_firing(set(), among={"PexConnectionsNearlyAll"})


def test_a_flood_of_connections(tmp_path: Path) -> None:
    """PexConnectionsClosed: beyond the bound, idle connections have to go."""
    with (
        serving(tmp_path / "data", "--max-connections", "20") as service,
        scraping(tmp_path / "prometheus", service.port) as seen,
    ):
        seen.await_firing(set(), among=set())
        with ExitStack() as stack:
            for _ in range(30):
                assert stack.enter_context(service.connect()).ask("GET", "/current").status == 200
        seen.await_firing({"PexConnectionsClosed"}, among={"PexConnectionsClosed"})
        seen.await_firing(set(), among={"PexConnectionsClosed"})


def test_clients_that_do_not_read(tmp_path: Path) -> None:
    """PexUnsentNearlyFull: values of 208,988 digits that nobody takes, until the clients are given up."""
    with _or_skipped():
        allow_descriptors(_NON_READERS)
    stand_at(tmp_path / "data", 1_000_000)
    with (
        serving(tmp_path / "data") as service,
        scraping(tmp_path / "prometheus", service.port) as seen,
        service.connect() as watcher,
    ):
        seen.await_firing(set(), among=set())
        with narrow(service, _NON_READERS) as clients:
            for number, client in enumerate(clients):
                client.sendall(message("GET", "/next"))
                if number % 20 == 0:  # Steps that wait count as unsent, at their full size.
                    wait_until(lambda: gauges(watcher).steps_waiting == 0)
            seen.await_firing({"PexUnsentNearlyFull"}, among={"PexUnsentNearlyFull"})
        seen.await_firing(set(), among={"PexUnsentNearlyFull"})


def test_a_service_that_starts_again_and_again(tmp_path: Path) -> None:
    """PexRestarting: it is killed three times, and started again each time."""
    port = str(free_port())
    with ExitStack() as stack:
        service = stack.enter_context(serving(tmp_path / "data", "--port", port))
        seen = stack.enter_context(scraping(tmp_path / "prometheus", service.port))
        seen.await_firing(set(), among=set())
        for _ in range(3):
            service.stop(signal.SIGKILL)
            service = stack.enter_context(serving(tmp_path / "data", "--port", port))
            seen.await_scrape()
        seen.await_firing({"PexRestarting"}, among={"PexRestarting"})
        seen.await_firing(set(), among={"PexRestarting"})


def test_a_process_that_gets_no_time(tmp_path: Path) -> None:
    """PexLoopLate: it is stopped most of the time."""
    with serving(tmp_path / "data") as service, scraping(tmp_path / "prometheus", service.port) as seen:
        seen.await_firing(set(), among=set())
        while (firing := seen.firing()) != {"PexLoopLate"}:
            assert not firing
            service.send_signal(signal.SIGSTOP)
            time.sleep(0.6)
            service.send_signal(signal.SIGCONT)
            time.sleep(0.2)
        seen.await_firing(set(), among={"PexLoopLate"})


def test_durability_that_was_weakened(tmp_path: Path) -> None:
    """PexNotDurable: it runs with --durability interval."""
    options = ["--port", str(free_port())]
    with ExitStack() as stack:
        service = stack.enter_context(serving(tmp_path / "data", *options, "--durability", "interval"))
        seen = stack.enter_context(scraping(tmp_path / "prometheus", service.port))
        seen.await_firing({"PexNotDurable"}, among={"PexNotDurable"})
        service.stop()
        stack.enter_context(serving(tmp_path / "data", *options))
        seen.await_firing(set(), among={"PexNotDurable"})
