"""How the service ends, and what must not end it."""

import json
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from pexservice.limits import DEFAULT
from support.messages import NEXT
from support.process import HANG_S, command, run, serving, slow_to_recover, wait_until
from support.unheard import answering


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    """With standard error on a full disk, steps are taken, and a stop ends with 0."""
    shell = ["bash", "-c", 'exec "$@" 2>/dev/full', "bash"]
    with answering(tmp_path, program=[*shell, *command("pexservice")]) as (process, client):
        assert client.ask("POST", "/next").status == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(HANG_S) == 0


def test_a_stop_ends_a_client_that_never_rests(tmp_path: Path) -> None:
    """A client that keeps sending, whatever it is answered, gets all answers up to one that says close."""
    with serving(tmp_path) as service, service.connect() as client:
        client.socket.settimeout(0.02)
        sent = 0
        buffer = b""
        stopped_s = 0.0
        while True:
            if sent == 20:
                service.send_signal(signal.SIGTERM)
                stopped_s = time.monotonic()
            with suppress(OSError):
                client.send(NEXT * 2)
                sent += 2
            try:
                piece = client.socket.recv(1 << 16)
            except TimeoutError:
                continue
            except ConnectionResetError:
                break
            if not piece:
                break
            buffer += piece
        assert service.wait() == 0
        assert time.monotonic() - stopped_s < DEFAULT.drain_timeout_s / 2
        received = buffer.count(b"HTTP/1.1 200 OK")
        assert buffer.count(b"Connection: close") == 1
        assert buffer.rpartition(b"HTTP/1.1 ")[2].count(b"Connection: close") == 1
    with serving(tmp_path) as service, service.connect() as client:
        assert client.ask("GET", "/current").sequence == received


def test_a_stop_does_not_wait_for_recovery(tmp_path: Path) -> None:
    """While the journal is read, a service that listens refuses with 503, and a stop ends it with 0 at once."""
    program = [sys.executable, "-c", slow_to_recover(60)]
    with serving(tmp_path, program=program) as service:
        with service.connect() as client:
            refused = client.ask("POST", "/next")
            assert (refused.status, json.loads(refused.body)["type"]) == (503, "urn:pexservice:problem:recovering")
            assert client.ask("GET", "/readyz").status == 503
            assert client.ask("GET", "/livez").status == 200
            metrics = client.ask("GET", "/metrics").body.decode()
            assert 'pex_unready{reason="recovering"} 1.0' in metrics
            assert "pex_sequence_total" not in metrics
            shown = run("status", PEXSERVICE_URL=f"http://127.0.0.1:{service.port}")
            assert shown.returncode == 1
            assert "reading its journal" in shown.stdout
        began_s = time.monotonic()
        assert service.stop() == 0
        assert time.monotonic() - began_s < DEFAULT.drain_timeout_s / 2


def test_who_stops_while_it_recovers_does_not_become_ready(tmp_path: Path) -> None:
    """Also once the journal is read, while a client is still in the middle of a request."""
    program = [sys.executable, "-c", slow_to_recover(2)]
    with serving(tmp_path, "--admin-bind", "127.0.0.1:0", program=program) as service, service.connect() as client:
        client.send(NEXT[:9])
        with service.connect_admin() as admin:
            assert admin.ask("GET", "/readyz").status == 503
            service.send_signal(signal.SIGTERM)
            wait_until(lambda: b"pex_sequence_total" in admin.ask("GET", "/metrics").body)
            refused = admin.ask("GET", "/readyz")
            assert (refused.status, json.loads(refused.body)["type"]) == (503, "urn:pexservice:problem:draining")
        client.send(NEXT[9:])
        assert client.read().closes
        assert service.wait() == 0


_DEFECTIVE = """
from pexservice.core.queue import Queue
from pexservice.cli import main
Queue.cut = lambda self, *_: 1 / 0
main()
"""


def test_a_defect_ends_with_70_and_no_traceback(tmp_path: Path) -> None:
    """An error that nobody foresaw is one line that says where it was raised, and the status says it is ours."""
    program = [sys.executable, "-c", _DEFECTIVE]
    with serving(tmp_path, program=program) as service, service.connect() as client:
        client.send(NEXT)
        assert client.is_ended()
        assert service.wait() == 70
        assert "ZeroDivisionError at <string>:4 in <lambda>, called at pexservice/core/engine.py:" in service.log
        assert "Traceback" not in service.log


def test_a_stop_closes_first_what_has_been_idle_for_long(tmp_path: Path) -> None:
    """So the pool of a proxy, which takes the connection used last, is empty below by the time it gets there."""
    with serving(tmp_path) as service, service.connect() as cold, service.connect() as warm:
        assert cold.ask("POST", "/next").status == 200
        time.sleep(DEFAULT.drain_cold_s + 2 * DEFAULT.sweep_period_s)  # By then the service has seen that it is idle.
        assert warm.ask("POST", "/next").status == 200
        service.send_signal(signal.SIGTERM)
        assert cold.is_ended()
        last = warm.ask("POST", "/next")
        assert (last.sequence, last.closes) == (3, True)
        assert warm.is_ended()
        assert service.wait() == 0


@pytest.mark.parametrize("timeout", ["500ms", "999ms"])
def test_a_drain_may_be_shorter_than_idle_connections_get_otherwise(tmp_path: Path, timeout: str) -> None:
    """What was answered by then is there, and nobody else is waited for; with next to no time at all it is refused."""
    with serving(tmp_path, "--drain-timeout", timeout) as service, service.connect() as client:
        assert client.ask("POST", "/next").sequence == 1
        assert service.stop() == 0
    ended = run("serve", "--drain-timeout", "99ms", "--data-dir", str(tmp_path))
    assert (ended.returncode, "it must be 100ms or more" in ended.stderr) == (2, True)
