"""A service of several processes: what clients and operators see of it is what they see of one."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import Final

import pytest

from pexservice.trial.linearizability import check
from support.client import Client, message
from support.crew import metrics, nursery, shares, workers
from support.process import Service, run, serving, wait_until
from support.stream import Stream
from torture.load import Load, place_of

WORKERS: Final = ("--workers", "3")

_MODULES_OF_SEVERAL: Final = """
import sys
import pexservice.process.service
names = ("crew", "worker", "leading", "joint", "acceptor", "nursery", "together", "counts", "stores.shared")
print([module for module in sys.modules if module.startswith("pexservice.") and module.endswith(names)])
"""


@pytest.fixture(scope="module")
def crewed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving(tmp_path_factory.mktemp("data"), *WORKERS) as running:
        yield running


def test_steps_and_reads_through_all_workers_are_one_history(crewed: Service) -> None:
    """Whichever worker is asked, a step is one of a single order, and a read is not older than any answer before it."""
    before = place_of(crewed)
    with Load(crewed, Random(1), clients=12) as load:
        load.wait(2_000)
    load.require_answered()
    check(load.history, before, place_of(crewed))


def test_connections_are_spread_evenly(crewed: Service) -> None:
    """No worker has more than half more than its share, whether they come one by one or at once."""
    for pause_s in (0.002, 0):
        with ExitStack() as stack:
            for _ in range(48):
                stack.enter_context(crewed.connect())
                time.sleep(pause_s)
            wait_until(lambda: sum(shares(crewed)) == 49)  # With the one that asks.
            assert max(shares(crewed)) <= 1.5 * 48 / 3 + 1
        wait_until(lambda: sum(shares(crewed)) == 1)


def test_watchers_are_bounded_over_all_workers(tmp_path: Path) -> None:
    """So that they leave half of the connections to others, however they are spread."""
    with serving(tmp_path, "--workers", "2", "--max-connections", "20") as service, ExitStack() as stack:
        statuses = []
        for _ in range(16):
            client = stack.enter_context(service.connect())
            client.send(message("GET", "/events", "Accept: text/event-stream"))
            statuses.append(int(client.socket.recv(1 << 16).split(maxsplit=2)[1]))
        assert set(statuses) == {200, 503}
        assert statuses.count(200) <= 10


def test_whoever_is_asked_all_watchers_are_told(crewed: Service) -> None:
    """A step that one worker took is an event of all; and watchers, and who serves, are told of all of them."""
    with ExitStack() as stack:
        streams = [stack.enter_context(Stream(crewed.connect())) for _ in range(9)]
        with crewed.connect() as client:
            at = client.ask("POST", "/next").sequence
        for stream in streams:
            stream.until(at)
            assert b'"processes": 3' in stream.received
        wait_until(lambda: metrics(crewed)["pex_watchers"] == 9)
        with crewed.connect() as client:
            assert b"3 processes serve" in client.ask("GET", "/", "Accept: text/html").body
    wait_until(lambda: metrics(crewed)["pex_watchers"] == 0)


def test_metrics_are_those_of_the_service(crewed: Service) -> None:
    """Counts are of all workers, whichever is asked."""
    before = metrics(crewed)
    for _ in range(9):
        with crewed.connect() as client:
            client.ask("POST", "/next")
    wait_until(lambda: sum(shares(crewed)) == 1)
    after = metrics(crewed)
    assert after['pex_steps_total{step="next"}'] == before['pex_steps_total{step="next"}'] + 9
    assert after["pex_connections_accepted_total"] >= before["pex_connections_accepted_total"] + 11
    assert after["pex_sequence_total"] == before["pex_sequence_total"] + 9
    assert after["process_resident_memory_bytes"] > 2**23


def test_status_tells_how_many_serve(crewed: Service) -> None:
    """Of all processes of the service."""
    url = f"http://127.0.0.1:{crewed.port}"
    assert json.loads(run("status", "--url", url, "--json").stdout)["workers"] == 3
    assert "\nworkers:       3\n" in run("status", "--url", url).stdout


def test_memory_is_shared(tmp_path: Path) -> None:
    """Four workers and the others take no more than 64 MiB together, as installed: without what only tests need.

    `structlog` imports `rich` where that is there, and with it five megabytes.
    """
    (tmp_path / "rich.py").write_text("raise ImportError")
    with serving(tmp_path / "data", "--workers", "4", PYTHONPATH=str(tmp_path)) as service:
        with Load(service, Random(1), clients=8) as load:
            load.wait(1_000)
        pids = [service.pid, nursery(service), *workers(service)]
        shares_kib = [
            int(line.split()[1])
            for pid in pids
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            if line.startswith("Pss:")
        ]
        assert sum(shares_kib) <= 64 * 1024


def test_a_unix_socket_is_served_by_all(tmp_path: Path) -> None:
    """And its file is removed in the end."""
    path = tmp_path / "socket"
    with serving(tmp_path / "data", "--uds", str(path), *WORKERS) as service:
        with ThreadPoolExecutor(6) as pool:
            assert sorted(pool.map(lambda _: _step(service), range(30))) == list(range(1, 31))
        assert service.stop() == 0
        assert not path.exists()


def _step(service: Service) -> int:
    with service.connect() as client:
        return client.ask("POST", "/next").sequence


def test_the_listener_for_probes_answers_until_the_end(tmp_path: Path) -> None:
    """It is not a worker's, so it tells of a stop that is under way."""
    with serving(tmp_path, "--admin-bind", "127.0.0.1:0", *WORKERS) as service:
        port = int(service.logged("listening")["admin"].rpartition(":")[2])
        with Client(("127.0.0.1", port)) as admin, service.connect() as client:
            assert client.ask("GET", "/metrics").status == 404
            client.ask("POST", "/next")
            assert admin.ask("GET", "/readyz").status == 200
            assert b"\npex_sequence_total 1.0\n" in admin.ask("GET", "/metrics").body
            client.send(b"GET /current HTTP/1.1\r\n")
            service.send_signal(signal.SIGTERM)
            service.logged("draining")
            assert json.loads(admin.ask("GET", "/readyz").body)["type"].endswith(":draining")
            client.send(b"Host: test\r\n\r\n")
            assert client.read().status == 200
            assert client.is_ended()  # As the answer says, or a moment later if its worker had yet to hear of the stop.
        assert service.wait() == 0


def test_connections_are_bounded_for_all(tmp_path: Path) -> None:
    """Beyond the bound idle ones are closed, at once or within a second."""
    with serving(tmp_path, "--max-connections", "24", *WORKERS) as service, ExitStack() as stack:
        clients = [stack.enter_context(service.connect()) for _ in range(24)]
        for client in clients:
            client.ask("GET", "/current")
        time.sleep(1.5)  # Past the sweep: they are idle.
        with service.connect() as client:
            assert client.ask("POST", "/next").status == 200
        wait_until(lambda: sum(shares(service)) <= 24)
        assert metrics(service)["pex_connections_evicted_total"] >= 1


def test_a_key_is_known_to_all_workers(crewed: Service) -> None:
    """Whichever is asked again, the step was taken once, and the answer is the first one's; also in a race."""
    before = crewed.sequence()

    def ask(_: int) -> tuple[int, str | None]:
        with crewed.connect() as client:
            answer = client.ask("POST", "/next", 'Idempotency-Key: "one-of-all"')
            assert answer.status == 200
            return answer.sequence, answer.get("idempotency-replayed")

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(ask, range(60)))
    assert {sequence for sequence, _ in answers} == {before + 1}
    assert sorted(map(str, (replayed for _, replayed in answers))) == ["None", *["true"] * 59]
    with crewed.connect() as client:
        assert client.ask("POST", "/previous", 'Idempotency-Key: "one-of-all"').status == 422
    assert crewed.sequence() == before + 1
    wait_until(lambda: metrics(crewed)["pex_steps_replayed_total"] >= 59)


def test_a_condition_is_judged_by_the_state_of_all(crewed: Service) -> None:
    """A tag that one worker gave is stale once another took a step; of many who ask with it, one steps."""
    with crewed.connect() as client:
        tag = client.ask("GET", "/current")["etag"]

    def ask(_: int) -> int:
        with crewed.connect() as client:
            return client.ask("POST", "/next", f"If-Match: {tag}").status

    with ThreadPoolExecutor(12) as pool:
        assert sorted(pool.map(ask, range(24))) == [200, *[412] * 23]


def test_tokens_are_asked_for_by_every_worker(tmp_path: Path) -> None:
    """They come with the order to start, since a worker reads no file."""
    tokens = tmp_path / "tokens"
    tokens.write_text("0123456789abcdefghijklmn\n")
    tokens.chmod(0o600)
    with serving(tmp_path / "data", "--token-file", str(tokens), *WORKERS) as service:
        for _ in range(6):
            with service.connect() as client:
                assert client.ask("POST", "/next").status == 401
                assert client.ask("POST", "/next", "Authorization: Bearer 0123456789abcdefghijklmn").status == 200


def test_what_waits_is_shared_out(tmp_path: Path) -> None:
    """So fewer steps than workers may not be."""
    wrong = run("serve", "--data-dir", str(tmp_path), "--workers", "3", "--max-pending", "2")
    assert (wrong.returncode, "contradict each other" in wrong.stderr) == (2, True)


@pytest.mark.parametrize("count", ["0", "33", "many", "-1", ""])
def test_a_wrong_number_of_workers_is_wrong_usage(tmp_path: Path, count: str) -> None:
    """It says what may be."""
    wrong = run("serve", "--data-dir", str(tmp_path), "--workers", count)
    assert wrong.returncode == 2
    assert "--workers" in wrong.stderr


def test_one_worker_is_one_process(tmp_path: Path) -> None:
    """With none of the others' code: the default costs nothing."""
    found = subprocess.run([sys.executable, "-c", _MODULES_OF_SEVERAL], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"
    with serving(tmp_path, "--workers", "1") as service:
        assert service.sequence() == 0
        assert not Path(f"/proc/{service.pid}/task/{service.pid}/children").read_text()
