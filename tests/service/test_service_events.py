"""GET /events of a real service: what watchers are told, and what they cost."""

import json
import re
import signal
import socket
from pathlib import Path

from support.client import Client, message
from support.process import Service, serving, wait_until
from support.stream import Stream
from torture.crowd import stand_at


def test_a_watcher_is_told_of_each_state(service: Service, client: Client) -> None:
    """At once of that of now, then of the one after a step, as the document that a read gives."""
    document = {"Accept": "application/vnd.pexservice+json"}
    accept = [f"{name}: {value}" for name, value in document.items()]
    with Stream(service.connect()) as stream:
        now = json.loads(client.ask("GET", "/current", *accept).body)
        assert stream.until(0) == now
        then = json.loads(client.ask("POST", "/next", *accept).body)
        assert stream.until(then["sequence"]) == then
        head = stream.received.partition(b"\r\n\r\n")[0]
    for field in (b"Content-Type: text/event-stream", b"Cache-Control: no-store", b"Connection: close"):
        assert field in head
    assert b"Content-Length" not in head
    assert b"Transfer-Encoding" not in head


def test_what_it_had_it_is_not_told_again(service: Service, client: Client) -> None:
    """Last-Event-ID is a sequence: if it is still that, the next event is that of the next step."""
    at = client.ask("POST", "/next").sequence
    with Stream(service.connect(), f"Last-Event-ID: {at}") as stream:
        stream.read()
        after = client.ask("POST", "/next").sequence
        stream.until(after)
        assert [each["sequence"] for each in stream.states()] == [after]


def test_head_tells_what_get_would_begin_with(client: Client) -> None:
    """It has the fields and no events, and the connection goes on."""
    answer = client.ask("HEAD", "/events")
    assert (answer.status, answer["content-type"]) == (200, "text/event-stream")
    assert answer.sequence == client.ask("GET", "/current").sequence


def test_a_step_behind_a_stream_is_never_taken(service: Service, client: Client) -> None:
    """Neither sent along with it nor after it; and the watcher goes on hearing of the steps of others."""
    before = client.ask("GET", "/current").sequence
    step = message("POST", "/next")
    connection = service.connect()
    connection.send(message("GET", "/events") + step)
    connection.send(step)
    with Stream(connection) as stream:
        assert client.ask("POST", "/next").sequence == before + 1
        stream.until(before + 1)
        assert stream.received.count(b"HTTP/1.1 ") == 1
    assert client.ask("GET", "/current").sequence == before + 1


def test_http_10_watches_too(service: Service, client: Client) -> None:
    """The stream is what comes until the end of the connection, which every version of HTTP has."""
    with Stream(service.connect(), version="1.0") as stream:
        stream.until(client.ask("POST", "/next").sequence)


def test_a_long_value_is_told_by_its_ends(tmp_path: Path) -> None:
    """Beyond 1,000 digits, with how many there are; then it is no number to whoever takes it for one."""
    stand_at(tmp_path / "data", 10_000)
    with serving(tmp_path / "data") as service, service.connect() as client, Stream(service.connect()) as stream:
        shown = stream.until(1)
        value = client.ask("GET", "/current").body.decode().strip()
        assert shown["digits"] == len(value) == 2090
        assert shown["value"] == f"{value[:100]}\u2026{value[-100:]}"


def test_a_stop_ends_streams_in_order(tmp_path: Path) -> None:
    """Each ends between two events, with no reset; the stop does not wait for them."""
    with serving(tmp_path) as service:
        with service.connect() as client, Stream(service.connect()) as stream:
            stream.until(0)
            client.ask("POST", "/next")
            service.send_signal(signal.SIGTERM)
            while stream.read():
                pass
            assert stream.received.endswith(b"\n\n")
            assert stream.states()[-1]["sequence"] == 1
        assert service.wait() == 0


def test_watchers_keep_no_others_out(tmp_path: Path) -> None:
    """They may have half of the connections, and are told 503 beyond it; whoever leaves makes room."""
    with serving(tmp_path, "--max-connections", "8") as service:
        streams = [Stream(service.connect()) for _ in range(4)]
        for each in streams:
            each.until(0)
        with service.connect() as client:
            answer = client.ask("GET", "/events")
            assert (answer.status, answer["retry-after"]) == (503, "1")
            assert client.ask("POST", "/next").status == 200
            for each in streams[1:]:
                each.client.close()
            wait_until(lambda: b"pex_watchers 1.0" in client.ask("GET", "/metrics").body)
            streams[0].until(1)
        with Stream(service.connect()) as another:
            another.until(1)
        streams[0].client.close()


def test_a_watcher_that_never_reads_costs_little_and_is_closed(tmp_path: Path) -> None:
    """The kernel holds some events for it; then it is reset, and others were served all the time."""
    stand_at(tmp_path / "data", 4_700)
    with serving(tmp_path / "data") as service, service.connect() as client:
        sleeper = socket.socket()
        sleeper.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sleeper.settimeout(60)
        sleeper.connect(("127.0.0.1", service.port))
        sleeper.sendall(message("GET", "/events"))
        wait_until(lambda: b"pex_watchers 1.0" in client.ask("GET", "/metrics").body)

        def is_gone() -> bool:
            assert client.ask("POST", "/previous", "Prefer: return=minimal").status == 204
            metrics = client.ask("GET", "/metrics").body
            [unsent] = re.findall(rb"^pex_unsent_bytes (\S+)$", metrics, re.MULTILINE)
            assert float(unsent) < 4_000
            return b"pex_watchers 0.0" in metrics

        wait_until(is_gone)
        sleeper.close()
