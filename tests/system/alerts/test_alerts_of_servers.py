"""Alerts on a server that keeps the walk for replicas."""

import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from pexservice.walk.machine import WALK
from support import postgres
from support.messages import NEXT
from support.postgres import Server
from support.process import serving, wait_until
from support.prometheus import scraping
from system.alerts.faults import stepping

pytestmark = pytest.mark.skipif(not postgres.is_there(), reason="needs PostgreSQL, and root")


@pytest.fixture
def server() -> Iterator[Server]:
    with postgres.server() as made:
        yield made


def test_a_server_that_is_away(tmp_path: Path, server: Server) -> None:
    """PexServerAway: it is stopped, with nobody waiting, and comes back."""
    url = server.database(WALK)
    with serving(None, "--store", url) as service, scraping(tmp_path / "prometheus", service.port) as seen:
        seen.await_firing(set(), among=set())
        server.stop()
        seen.await_firing({"PexServerAway"}, among={"PexServerAway"})
        server.start()
        seen.await_firing(set(), among={"PexServerAway"})


def test_a_step_whose_outcome_nobody_tells(tmp_path: Path, server: Server) -> None:
    """PexServerAway, and PexStuck beside it: the server hangs with a group that was sent."""
    url = server.database(WALK)
    both = {"PexServerAway", "PexStuck"}
    with (
        serving(None, "--store", url) as service,
        scraping(tmp_path / "prometheus", service.port) as seen,
        service.connect() as client,
    ):
        seen.await_firing(set(), among=set())
        server.signal(signal.SIGSTOP)
        try:
            client.send(NEXT)
            seen.await_firing(both, among=both)
        finally:
            server.signal(signal.SIGCONT)
        answer = client.read()
        assert (answer.status, answer.sequence) == (200, 1)
        seen.await_firing(set(), among=both)


def test_a_standby_that_is_lost(tmp_path: Path, server: Server) -> None:
    """PexStandbyMissing: of two standbys, one goes; steps go on, and it comes back."""
    url = server.database(WALK, is_one_server=False)
    with ExitStack() as stack:
        standbys = [Server(), Server()]
        for number, standby in enumerate(standbys):
            stack.callback(standby.remove)
            standby.make_standby(server, f"standby{number}")
        server.ask("ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (standby0, standby1)'")
        server.ask("SELECT pg_reload_conf()")
        names = "SELECT current_setting('synchronous_standby_names')"
        wait_until(lambda: "standby1" in server.ask(names))
        service = stack.enter_context(serving(None, "--store", url))
        seen = stack.enter_context(scraping(tmp_path / "prometheus", service.port))
        stack.enter_context(stepping(service, 1))
        seen.await_firing(set(), among=set())
        assert seen.values("pex_store_standbys") == [2]
        standbys[1].stop()
        seen.await_firing({"PexStandbyMissing"}, among={"PexStandbyMissing"})
        standbys[1].start()
        seen.await_firing(set(), among={"PexStandbyMissing"})
