"""What clients of a replica see while its server hangs: who waits, who is turned away, and what a stop does."""

import signal
import time
from collections.abc import Iterator

import pytest

from pexservice.limits import DEFAULT
from pexservice.walk.machine import WALK
from support import postgres
from support.client import message
from support.messages import NEXT
from support.postgres import Server
from support.process import serving, wait_until

pytestmark = pytest.mark.skipif(not postgres.is_there(), reason="needs PostgreSQL, and root")

_PATIENCE_S = DEFAULT.store_away_s + DEFAULT.store_call_s + DEFAULT.store_connect_s + DEFAULT.heal_period_s + 2
"""The bound on what was not sent, and some for a busy machine."""


@pytest.fixture
def server() -> Iterator[Server]:
    with postgres.server() as made:
        yield made
        made.signal(signal.SIGCONT)


def test_who_was_sent_waits_and_all_others_are_told_in_time(server: Server) -> None:
    """The step that may be taken is answered once that is known. One behind it, and a read, get 503 within a bound."""
    url = server.database(WALK)
    with (
        serving(None, "--store", url) as service,
        service.connect() as sent,
        service.connect() as behind,
        service.connect() as reading,
    ):
        server.signal(signal.SIGSTOP)
        began_s = time.monotonic()
        sent.send(message("POST", "/next", "Idempotency-Key: sent"))
        time.sleep(0.2)
        behind.send(NEXT)
        reading.send(message("GET", "/current"))
        for client in (behind, reading):
            refused = client.read()
            assert (refused.status, refused["retry-after"], b"server-away" in refused.body) == (503, "2", True)
        assert time.monotonic() - began_s < _PATIENCE_S
        asked_s = time.monotonic()
        assert behind.ask("POST", "/next").status == 503
        assert time.monotonic() - asked_s < 1
        server.signal(signal.SIGCONT)
        answer = sent.read()
        assert (answer.status, answer.sequence) == (200, 1)
        wait_until(lambda: behind.ask("GET", "/readyz").status == 200)
        again = behind.ask("POST", "/next", "Idempotency-Key: sent")
        assert (again.sequence, again["idempotency-replayed"]) == (1, "true")


def test_a_stop_does_not_wait_for_a_server_without_end(server: Server) -> None:
    """It takes as long as a drain may; the step is unknown to its client, and taken once if asked for again."""
    url = server.database(WALK)
    with serving(None, "--store", url, "--drain-timeout", "1s") as service, service.connect() as client:
        server.signal(signal.SIGSTOP)
        client.send(message("POST", "/next", "Idempotency-Key: sent"))
        time.sleep(0.5)
        began_s = time.monotonic()
        status = service.stop()
        assert time.monotonic() - began_s < 10
        with pytest.raises(ConnectionResetError):
            client.read()
        assert (status, "1 steps were unanswered" in service.log) == (74, True), service.log
    server.signal(signal.SIGCONT)
    with serving(None, "--store", url) as service, service.connect() as client:
        assert client.ask("POST", "/next", "Idempotency-Key: sent").sequence == 1
        assert client.ask("GET", "/current").sequence == 1
