"""A real service with a listener of its own for probes and metrics."""

import json
import socket
import sys
from contextlib import ExitStack
from pathlib import Path
from select import select
from typing import Final

import pytest

from pexservice.limits import DEFAULT
from support.messages import NEXT
from support.process import HANG_S, run, serving, slow_to_recover

ADMIN: Final = ("/livez", "/readyz", "/metrics")
WALK: Final = ("/", "/current", "/next", "/previous", "/reset", "/openapi.json")
BIND: Final = ("--admin-bind", "127.0.0.1:0")


def test_each_listener_has_its_own_paths(tmp_path: Path) -> None:
    """Probes and metrics are on the one alone, all else on the other; neither names what it does not have."""
    with serving(tmp_path, *BIND) as service, service.connect() as client, service.connect_admin() as admin:
        assert [admin.ask("GET", path).status for path in ADMIN + WALK] == [200] * 3 + [404] * 6
        assert [admin.ask("POST", path).status for path in WALK] == [404] * 6
        assert [client.ask("GET", path).status for path in ADMIN] == [404] * 3
        assert client.ask("GET", "/current").sequence == 0
        assert [client.ask("GET", path).status for path in WALK] == [200] * 6
        pages = [client.ask("GET", "/", f"Accept: {form}").body.decode() for form in ("text/html", "text/plain")]
        assert not any(path in page for path in ADMIN for page in pages)
        assert set(json.loads(client.ask("GET", "/openapi.json").body)["paths"]) == {*WALK, "/events"}
        allowed = [each.ask("OPTIONS", "*")["allow"] for each in (client, admin)]
        assert allowed == ["GET, HEAD, POST, OPTIONS", "GET, HEAD, OPTIONS"]
        assert b"pex_sequence_total 3.0" in admin.ask("GET", "/metrics").body


def test_it_answers_when_all_connections_are_taken(tmp_path: Path) -> None:
    """Neither clients that take every place of the main listener, nor idle ones of its own, keep a probe waiting."""
    with serving(tmp_path, *BIND, "--max-connections", "2") as service, ExitStack() as stack:
        for _ in range(2):
            busy = stack.enter_context(service.connect())
            busy.send(NEXT + NEXT[:9])
            assert busy.read().status == 200
        with pytest.raises(ConnectionError):
            stack.enter_context(service.connect()).ask("GET", "/current")
        idle = [stack.enter_context(service.connect_admin()) for _ in range(DEFAULT.admin_connections_max)]
        assert stack.enter_context(service.connect_admin()).ask("GET", "/readyz").status == 200
        evicted, _, _ = select([client.socket for client in idle], [], [], HANG_S)
        assert len(evicted) == 1


def test_it_answers_during_a_long_recovery(tmp_path: Path) -> None:
    """Alive, not ready, and without counts of a walk that is not known yet."""
    with serving(tmp_path, *BIND, program=[sys.executable, "-c", slow_to_recover(60)]) as service:
        with service.connect_admin() as admin:
            assert [admin.ask("GET", path).status for path in ADMIN] == [200, 503, 200]
        assert service.stop() == 0


def test_it_answers_during_a_drain(tmp_path: Path) -> None:
    """Until the last answer is given the process is alive and not ready; then its connections end, and it with 0."""
    with serving(tmp_path, *BIND) as service, service.connect() as client, service.connect_admin() as admin:
        client.send(NEXT[:9])  # The drain waits for the rest of it.
        assert admin.ask("GET", "/readyz").status == 200
        service.send_signal(15)
        service.logged("draining")
        refused = admin.ask("GET", "/readyz")
        assert (refused.status, json.loads(refused.body)["type"]) == (503, "urn:pexservice:problem:draining")
        with service.connect_admin() as another:
            assert [another.ask("GET", path).status for path in ADMIN] == [200, 503, 200]
        client.send(NEXT[9:])
        assert client.read().status == 200
        assert client.is_ended()
        assert admin.is_ended()
        assert service.wait() == 0


def test_an_address_that_cannot_be_had_ends_with_69(tmp_path: Path) -> None:
    """As for the main listener; nothing is written."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        ended = run("serve", "--port", "0", "--data-dir", str(tmp_path), "--admin-bind", where)
    assert (ended.returncode, f"cannot listen on {where}" in ended.stderr) == (69, True)
    assert not list(tmp_path.glob("journal-*"))


def test_it_listens_on_ipv6(tmp_path: Path) -> None:
    """An address in brackets is one of IPv6, in the option and in the log."""
    with serving(tmp_path, PEXSERVICE_ADMIN_BIND="[::1]:0") as service:
        assert service.logged("listening")["admin"].startswith("http://[::1]:")


@pytest.mark.parametrize(
    ("arguments", "warns"),
    [
        ([], False),
        (["--host", "localhost"], False),
        (["--host", "::1"], False),
        (["--host", "::ffff:127.0.0.2"], False),
        (["--uds", "socket"], False),
        (["--host", "0.0.0.0"], True),
        (["--host", "::"], True),
        (["--host", "::", "--token-file", "token"], False),
        (["--admin-bind", "0.0.0.0:0"], False),
    ],
)
def test_an_open_service_that_others_reach_is_warned_of(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    warns: bool,  # noqa: FBT001
) -> None:
    """Where anyone on the network could step, the log says what to do; reading alone is no reason to."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "token").write_text("v7Jd3mQ0Zr8yKxT1Lw5nBc")
    with serving(tmp_path / "data", *arguments) as service:
        service.stop()
        assert ("whoever reaches this address can step" in service.log) == warns


def test_status_is_asked_of_the_admin_listener(tmp_path: Path) -> None:
    """There it shows its screen; of the main listener it says where to ask."""
    with serving(tmp_path, *BIND) as service:
        shown = run("status", "--url", service.logged("listening")["admin"])
        assert (shown.returncode, "ok" in shown.stdout) == (0, True)
        sent_on = run("status", "--url", service.where)
        assert (sent_on.returncode, "--admin-bind" in sent_on.stderr) == (69, True)
