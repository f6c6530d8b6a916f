"""Alerts on clients that ask for more than there is."""

from contextlib import ExitStack
from pathlib import Path
from typing import Final

from support.client import message
from support.messages import NEXT
from support.process import serving, wait_until
from support.prometheus import scraping
from system.alerts.faults import or_skipped, stepping
from torture.crowd import allow_descriptors, narrow, stand_at
from torture.disks.fuse import Disk
from torture.vitals import gauges

_NON_READERS: Final = 800
"""The kernel takes some 60 KiB for each, and the rest of 205 KiB is left to us: nine tenths of what may be unsent."""


def test_more_steps_than_the_disk_takes(tmp_path: Path, slow_disk: tuple[Path, Disk]) -> None:
    """PexQueueNearlyFull: nearly as many steps wait as may."""
    path, disk = slow_disk
    with (
        serving(path / "data", "--max-pending", "16") as service,
        scraping(tmp_path / "prometheus", service.port) as seen,
        stepping(service, 15),
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
    with or_skipped():
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
