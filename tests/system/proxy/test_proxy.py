"""pexservice behind nginx and Caddy, with the configurations of deploy/proxy."""

import re
import shutil
import signal
import socket
import subprocess
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest

from support.activation import activated
from support.client import Client, message
from support.much import Much
from support.process import serving, wait_until
from system.proxy.breaking import breaking
from system.proxy.proxies import Proxy, caddy, nginx
from torture.crowd import stand_at

_LOAD_S = 900
_CLIENTS = 32
_UNDER_LOAD = 30_000
"""Steps behind which the service is restarted: a third of the short form, and a second or ten of any load."""


def _unless(*programs: str) -> pytest.MarkDecorator:
    missing = [each for each in programs if shutil.which(each) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


PROXIES = [
    pytest.param(nginx, marks=_unless("nginx"), id="nginx"),
    pytest.param(caddy, marks=_unless("caddy"), id="caddy"),
]


@pytest.mark.timeout(2 * _LOAD_S)
@_unless("ab", "timeout")
@pytest.mark.parametrize("options", [(), ("--workers", "2")], ids=["one process", "workers"])
@pytest.mark.parametrize("proxy", PROXIES)
def test_a_restart_behind_a_proxy_loses_nothing(
    tmp_path: Path, proxy: Proxy, options: tuple[str, ...], much: Much
) -> None:
    """With a socket that outlives the service, each of many requests gets 200 over a restart, and took one step."""
    data, requests = tmp_path / "data", much.of(100_000, 1_000_000)
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=4096))
        port = stack.enter_context(proxy(tmp_path / "proxy", "{}:{}".format(*listener.getsockname())))
        with activated(data, listener, *options) as service:
            loads = [
                stack.enter_context(_load(port, method, path, requests // 2))
                for method, path in (("GET", "next"), ("POST", "previous"))
            ]
            wait_until(lambda: service.sequence() > _UNDER_LOAD)
            assert service.stop(signal.SIGTERM) == 0
        with activated(data, listener, *options) as service:
            began = service.logged("recovered")["sequence"]
            outcomes = [_outcome(load) for load in loads]
            assert _UNDER_LOAD < began < requests, "the restart was not in the middle"
            assert outcomes == [Counter(complete=requests // 2)] * 2, _errors(tmp_path)
            assert service.sequence() == requests
    if (statuses := tmp_path / "proxy" / "statuses.log").exists():
        assert Counter(statuses.read_text().split()) == {"200": requests}


def _load(port: int, method: str, path: str, requests: int) -> "subprocess.Popen[str]":
    url = f"http://127.0.0.1:{port}/{path}"
    options = ["-q", "-k", "-l", "-c", str(_CLIENTS), "-n", str(requests), "-m", method]
    return subprocess.Popen(
        ["timeout", str(_LOAD_S), "ab", *options, url],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _outcome(load: "subprocess.Popen[str]") -> Counter[str]:
    """Return how many requests ended in which way, those that did in none of them left out."""
    said, _ = load.communicate(timeout=_LOAD_S)
    found = {name: re.search(rf"^{name}.*?(\d+)$", said, re.MULTILINE) for name in ("Complete", "Failed", "Non-2xx")}
    assert found["Complete"] is not None, said
    return +Counter({name.lower(): int(count[1]) for name, count in found.items() if count is not None})


def _errors(directory: Path) -> str:
    told = [path for path in directory.glob("proxy/*") if path.name in {"error.log", "output"}]
    return "\n".join(path.read_text()[-2000:] for path in told)


@pytest.mark.parametrize("proxy", PROXIES)
def test_requests_and_answers_come_through_whole(tmp_path: Path, proxy: Proxy) -> None:
    """By way of a Unix socket: a value of 200 kB, 204, and each refusal, which takes no step behind a proxy either."""
    stand_at(tmp_path / "data", 1_000_000)
    with ExitStack() as stack:
        service = stack.enter_context(serving(tmp_path / "data", "--uds", str(tmp_path / "socket")))
        port = stack.enter_context(proxy(tmp_path / "proxy", service.where))
        client = stack.enter_context(Client(("127.0.0.1", port)))
        direct = stack.enter_context(service.connect())
        began = direct.ask("GET", "/current").sequence
        assert client.ask("GET", "/next").body == direct.ask("GET", "/current").body
        assert client.ask("POST", "/next", "Prefer: return=minimal").status == 204
        for method, fields, status in (
            ("GET", ["Sec-Fetch-Site: cross-site"], 403),
            ("GET", ["Sec-Purpose: prefetch"], 403),
            ("HEAD", [], 405),
            ("PUT", [], 405),
        ):
            assert client.ask(method, "/next", *fields).status == status
        client.send(message("POST", "/next", "Origin: https://pexservice.example:8443", host="pexservice.example:8443"))
        assert client.read().status == 200, "the Host did not come with its port, so that the home page is refused"
        assert client.ask("POST", "/next", body=b"x" * 2000).status == 413
        assert service.sequence() == began + 3


@pytest.mark.parametrize("proxy", PROXIES)
def test_a_retry_with_its_key_is_told_what_the_first_was(tmp_path: Path, proxy: Proxy) -> None:
    """The key gets through, so whoever repeats the request, client or proxy, it is taken once."""
    uds = str(tmp_path / "socket")
    with serving(tmp_path / "data", "--uds", uds) as service, proxy(tmp_path / "proxy", service.where) as port:
        with Client(("127.0.0.1", port)) as client:
            first, again = (client.ask("POST", "/next", "Idempotency-Key: 1") for _ in range(2))
        assert (first.status, again.status, again["idempotency-replayed"]) == (200, 200, "true")
        assert first.sequence == again.sequence == service.sequence() == 1


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("proxy", PROXIES)
def test_a_request_whose_answer_is_lost_is_not_sent_again(tmp_path: Path, proxy: Proxy, method: str) -> None:
    """It may have taken its step, so its client gets 502, on a kept connection as well as on a new one."""
    with breaking() as server, proxy(tmp_path / "proxy", server.address) as port:
        with Client(("127.0.0.1", port)) as client:
            assert client.ask(method, "/next").status == 200
            assert client.ask(method, "/next", "X-Idempotency-Key: 1").status == 502
        assert len(server.taken) == 2, server.taken
        assert not [each for each in server.taken if b"x-forwarded" in each.lower()]


@pytest.mark.parametrize(
    ("proxy", "line"),
    [
        pytest.param(nginx, "proxy_next_upstream off;", marks=_unless("nginx")),
        pytest.param(caddy, "method @step POST", marks=_unless("caddy")),
    ],
    ids=["nginx", "caddy"],
)
def test_without_the_line_against_it_a_request_is_sent_again(tmp_path: Path, proxy: Proxy, line: str) -> None:
    """Both would repeat a GET on a kept connection that breaks, so the line is needed, and the test above can fail."""
    with breaking() as server, proxy(tmp_path / "proxy", server.address, without=line) as port:
        with Client(("127.0.0.1", port)) as client:
            assert client.ask("GET", "/next").status == 200
            client.ask("GET", "/next")
        assert len(server.taken) > 2, server.taken


@pytest.mark.parametrize("proxy", PROXIES)
def test_events_come_through_as_they_happen(tmp_path: Path, proxy: Proxy) -> None:
    """Each at once, and none is kept back until there are more; the proxy ends the stream when its client does."""
    with ExitStack() as stack:
        service = stack.enter_context(serving(tmp_path / "data"))
        port = stack.enter_context(proxy(tmp_path / "proxy", f"127.0.0.1:{service.port}"))
        direct = stack.enter_context(service.connect())
        with Client(("127.0.0.1", port)) as watcher:
            watcher.send(message("GET", "/events"))
            received = b""
            for sequence in range(5):
                while b"id: %d\n" % sequence not in received:
                    data = watcher.socket.recv(65536)
                    assert data, "the stream ended"
                    received += data
                direct.ask("POST", "/next")
        wait_until(lambda: b"pex_watchers 0.0" in direct.ask("GET", "/metrics").body)
