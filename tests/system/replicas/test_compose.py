"""What deploy/replicas/compose.yaml starts, by its own scripts and configuration: real servers, replicas and nginx."""

import json
import re
import shutil
from contextlib import ExitStack
from pathlib import Path

import pytest

from support import postgres
from support.client import Answer, Client
from support.process import Service, run, serving, wait_until
from support.show import Show
from system.proxy.proxies import nginx_of
from system.replicas import composed

pytestmark = [
    pytest.mark.skipif(not postgres.is_there(), reason="needs PostgreSQL, and root"),
    pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed; make test-deps brings it"),
]


def _site(replicas: list[Service]) -> str:
    """Return the configuration of nginx, with where the names lead here."""
    text = (composed.DIRECTORY / "nginx.conf").read_text()
    for number, replica in enumerate(replicas, 1):
        assert f"replica{number}:8081" in text
        text = text.replace(f"replica{number}:8081", f"127.0.0.1:{replica.port}")
    return text


def _ask(port: int, method: str, path: str) -> Answer:
    with Client(("127.0.0.1", port)) as client:
        return client.ask(method, path)


def _step_until_taken(port: int, key: str) -> Answer:
    """Ask for a step as a client does that asks again with its key."""
    answers: list[Answer] = []

    def is_taken() -> bool:
        with Client(("127.0.0.1", port)) as client:
            answers.append(client.ask("POST", "/next", f"Idempotency-Key: {key}"))
        return answers[-1].status == 200

    wait_until(is_taken)
    return answers[-1]


def test_it_serves_and_lives_through_the_loss_of_a_replica_and_of_the_primary(tmp_path: Path, show: Show) -> None:
    """From nothing: servers, schema, replicas, nginx. Then what the page says for a primary that is lost, and back."""
    variables = {"PGPASSWORD": composed.PASSWORD}
    with ExitStack() as stack:
        db1, db2 = servers = stack.enter_context(composed.both())
        for server in servers:
            server.up(db1)
        for server in servers:
            server.await_up()
        url = composed.url(servers)
        refused = run("store", "check", url)
        assert (refused.returncode, "password" in refused.stderr) == (77, True), refused.stderr
        made = run("store", "init", PEXSERVICE_STORE=url, **variables)
        assert made.returncode == 0, made.stderr
        assert "Groups wait for ANY 1 (db1, db2)." in run("store", "check", url, **variables).stdout
        replicas = [stack.enter_context(serving(None, user=None, PEXSERVICE_STORE=url, **variables)) for _ in range(3)]
        port = stack.enter_context(nginx_of(tmp_path / "nginx", _site(replicas)))
        assert [_ask(port, "POST", "/next").sequence for _ in range(30)] == list(range(1, 31))
        for replica in replicas:
            with replica.connect() as client:
                counted = re.search(rb"^pex_store_groups (\d+)", client.ask("GET", "/metrics").body, re.MULTILINE)
            assert counted is not None
            assert int(counted[1]) >= 5, "nginx asks all of them"

        replicas[0].stop(9)
        assert [_ask(port, "GET", "/current").status for _ in range(20)] == [200] * 20, "a read goes to another"
        assert _step_until_taken(port, "a").sequence == 31

        db1.kill()
        db2.promote()
        db1.remove_volume()
        db1.up(db2)
        assert _step_until_taken(port, "b").sequence == 32
        db1.await_up()
        db2.kill()
        db1.promote()
        db2.remove_volume()
        db2.up(db1)
        answer = _step_until_taken(port, "c")
        assert (answer.sequence, json.loads(answer.body)) == (33, 3_524_578)
        show("30 steps by three replicas; one killed, two failovers as the page says, each server copied anew")
