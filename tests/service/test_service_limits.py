"""What a real service does at its bounds: too many steps, too many connections, clients that are too slow."""

import json
import re
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from pexservice.limits import DEFAULT, KIB
from pexservice.walk.fibonacci import fibonacci_modulo
from support.client import Answer, Client, message
from support.messages import NEXT
from support.process import HANG_S, serving, wait_until
from support.stream import Stream

CURRENT = message("GET", "/current")
HALF_HEADER = NEXT[:20]
HALF_BODY = message("POST", "/next", "Content-Length: 9") + b"abc"


def gauge(client: Client, name: str) -> float:
    """Return what /metrics says under a name, labels included."""
    text = client.ask("GET", "/metrics").body.decode()
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    assert found, f"there is no {name} in {text}"
    return float(found[1])


def test_steps_beyond_the_queue_are_turned_away(tmp_path: Path) -> None:
    """With more steps than may wait, some get 503 with Retry-After, and only the others count."""
    with serving(tmp_path, "--max-pending", "5") as service, service.connect() as client:
        client.send(NEXT * 200)
        answers = [client.read() for _ in range(200)]
        taken = [answer for answer in answers if answer.status == 200]
        refused = [answer for answer in answers if answer.status == 503]
        assert len(taken) + len(refused) == 200
        assert [answer.sequence for answer in taken] == list(range(1, len(taken) + 1))
        assert len(taken) >= 5
        assert refused
        for answer in refused:
            assert int(answer["retry-after"]) >= 1
            assert json.loads(answer.body)["type"] == "urn:pexservice:problem:queue-full"
            assert not answer.closes
        assert client.ask("GET", "/current").sequence == len(taken)
        assert client.ask("POST", "/next").sequence == len(taken) + 1
        assert gauge(client, 'pex_answers_total{status="503"}') == len(refused)


def test_the_connection_idle_longest_makes_room(tmp_path: Path) -> None:
    """Beyond --max-connections a newcomer is served, and of the idle connections the one idle longest is closed."""
    with serving(tmp_path, "--max-connections", "3") as service, ExitStack() as stack:
        first, *others = [stack.enter_context(service.connect()) for _ in range(3)]
        last_asked = first.ask("GET", "/current")["date"]
        for client in others:  # The service tells times apart by the second, as it tells them in Date.
            wait_until(lambda client=client: client.ask("GET", "/current")["date"] != last_asked)  # type: ignore[misc]
        newcomer = stack.enter_context(service.connect())
        assert newcomer.ask("GET", "/current").status == 200
        assert first.is_ended()
        assert [client.ask("GET", "/current").status for client in others] == [200, 200]
        assert gauge(newcomer, "pex_connections_evicted_total") == 1


def test_a_newcomer_is_refused_when_nobody_is_idle(tmp_path: Path) -> None:
    """Connections in the middle of a request make no room; the newcomer is closed unanswered, and that is logged."""
    with serving(tmp_path, "--max-connections", "2") as service, ExitStack() as stack:
        busy = [stack.enter_context(service.connect()) for _ in range(2)]
        for client in busy:
            client.send(NEXT + HALF_HEADER)
            assert client.read().status == 200
        with pytest.raises(ConnectionError):
            stack.enter_context(service.connect()).ask("POST", "/next")
        service.logged("connection turned away, none is idle")
        for client in busy:
            client.send(NEXT[len(HALF_HEADER) :])
        assert sorted(client.read().sequence for client in busy) == [3, 4]


def test_all_idle_connections_make_room(tmp_path: Path) -> None:
    """However many newcomers there are at once, none is refused while a connection is idle."""
    count = 150
    with serving(tmp_path, "--max-connections", str(count)) as service, ExitStack() as stack:
        for _ in range(count):
            stack.enter_context(service.connect())
        time.sleep(2 * DEFAULT.sweep_period_s)  # By then the service has seen that they are idle.
        newcomers = [stack.enter_context(service.connect()) for _ in range(count)]
        assert [newcomer.ask("GET", "/livez").status for newcomer in newcomers] == [200] * count
        assert "connection refused" not in service.log


def test_a_client_that_reads_steadily_is_not_cut_off(tmp_path: Path) -> None:
    """A client that takes 50 kB/s of big answers makes progress, whatever the kernel holds for it."""
    position = 100_000
    (tmp_path / "fibo.csv").write_text(f"0,{position},0,{fibonacci_modulo(position, 2**64)},0")
    with serving(tmp_path) as service, service.connect() as client:
        client.send(CURRENT * 400)
        began_s, received = time.monotonic(), 0
        while time.monotonic() - began_s < DEFAULT.request_timeout_s + 4 * DEFAULT.sweep_period_s:
            received += len(client.socket.recv(5_000))
            time.sleep(0.1)
        assert received > 50_000


def test_slow_clients_are_gone_at_their_deadlines(tmp_path: Path) -> None:
    """A silent connection, half a header and half a body each end after 10 s, an idle one after --keep-alive."""
    cases: list[tuple[bytes, list[int], float]] = [
        (CURRENT, [200], 1),
        (NEXT[:0], [], DEFAULT.request_timeout_s),
        (HALF_HEADER, [408], DEFAULT.request_timeout_s),
        (HALF_BODY, [408], DEFAULT.request_timeout_s),
        (CURRENT + HALF_HEADER, [200, 408], DEFAULT.request_timeout_s),
    ]
    with serving(tmp_path, "--keep-alive", "1s") as service, ExitStack() as stack:
        began_s = time.monotonic()
        clients = [stack.enter_context(service.connect()) for _ in cases]
        for client, (data, _, _) in zip(clients, cases, strict=True):
            client.send(data)
        for client, (_, statuses, deadline_s) in zip(clients, cases, strict=True):
            answers: list[Answer] = client.read_all()
            took_s = time.monotonic() - began_s
            assert [answer.status for answer in answers] == statuses
            assert all(answer.closes == (answer.status == 408) for answer in answers)
            assert deadline_s - DEFAULT.sweep_period_s <= took_s < deadline_s + HANG_S / 10
        with service.connect() as another:
            assert another.ask("GET", "/current").sequence == 0


def test_empty_lines_put_off_no_deadline(tmp_path: Path) -> None:
    """A new connection that sends only empty lines is closed when one that sends nothing is."""
    with serving(tmp_path) as service, service.connect() as client, service.connect() as silent:
        began_s = time.monotonic()
        with suppress(ConnectionError):  # It may be gone between two lines.
            while time.monotonic() - began_s < DEFAULT.request_timeout_s + 3 * DEFAULT.sweep_period_s:
                client.send(b"\r\n")
                time.sleep(DEFAULT.sweep_period_s / 2)
            client.ask("GET", "/livez")
            pytest.fail("empty lines kept a connection open")
        assert silent.is_ended()


def test_a_client_that_does_not_read_is_gone_at_its_deadline(tmp_path: Path) -> None:
    """Answers that are not taken for 10 s end their connection in the middle, and their memory is free again."""
    position, digits = 1_000_000, 208_988
    (tmp_path / "fibo.csv").write_text(f"0,{position},0,{fibonacci_modulo(position, 2**64)},0")
    with serving(tmp_path) as service, service.connect() as client, service.connect() as another:
        client.send(CURRENT * 1000)
        wait_until(lambda: gauge(another, "pex_unsent_bytes") > 0)
        began_s = time.monotonic()
        # One connection's requests wait while its answers do: one answer over the buffer, and no more.
        assert gauge(another, "pex_unsent_bytes") < DEFAULT.write_buffer_bytes_max + digits + KIB
        wait_until(lambda: gauge(another, "pex_unsent_bytes") == 0)
        assert time.monotonic() - began_s >= DEFAULT.request_timeout_s - 2 * DEFAULT.sweep_period_s
        assert gauge(another, "pex_connections_open") == 1
        with pytest.raises(ConnectionError):
            client.read_all()


def test_the_description_describes_what_every_path_answers(tmp_path: Path) -> None:
    """/openapi.json names, for each method of each path, the status that it answers with."""
    with serving(tmp_path) as service, service.connect() as client:
        document = json.loads(client.ask("GET", "/openapi.json").body)
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                if (path, method) == ("/events", "get"):  # An answer without an end.
                    with Stream(service.connect()) as stream:
                        stream.until(0)
                        assert stream.received.startswith(b"HTTP/1.1 200 ")
                    continue
                assert str(client.ask(method.upper(), path).status) in operation["responses"]
