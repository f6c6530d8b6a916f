"""HTTP as a client sees it, over real sockets."""

import json
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pexservice.fibonacci import Pair, fibonacci_modulo
from support.requests import BAD
from support.service import Service, exchange, serving

NEXT = b"GET /next HTTP/1.1\r\nHost: x\r\n\r\n"
CURRENT = b"GET /current HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving(tmp_path_factory.mktemp("data")) as running:
        yield running


def ask(service: Service, method: str, path: str, *fields: str) -> tuple[int, dict[str, str], str]:
    """Return status, header fields in lower case, and body of the one answer to one request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: x", *fields, "", ""]
    head, _, body = exchange(service.port, "\r\n".join(lines).encode()).decode().partition("\r\n\r\n")
    status, *rest = head.split("\r\n")
    return int(status.split()[1]), dict(line.lower().split(": ", 1) for line in rest), body


def sequence(service: Service) -> int:
    return int(ask(service, "GET", "/current")[1]["pex-sequence"])


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_steps_answer_with_the_value_after_them(service: Service, method: str) -> None:
    """Reset, next and previous lead to the values of the contract, with the state in the headers."""
    before = sequence(service)
    walk = ["/reset", "/previous", "/next", "/next", "/next", "/next", "/previous"]
    answers = [ask(service, method, path) for path in walk]
    assert [body for _, _, body in answers] == ["0\n", "0\n", "1\n", "1\n", "2\n", "3\n", "2\n"]
    assert [int(fields["pex-position"]) for _, fields, _ in answers] == [0, 0, 1, 2, 3, 4, 3]
    assert [int(fields["pex-sequence"]) - before for _, fields, _ in answers] == [1, 2, 3, 4, 5, 6, 7]
    for _, fields, body in answers:
        assert fields["cache-control"] == "no-store"
        assert fields["vary"] == "accept, prefer"
        assert fields["content-length"] == str(len(body))
        assert fields["date"].endswith("gmt")


@pytest.mark.parametrize(("path", "allow"), [("/next", "GET, POST, OPTIONS"), ("/current", "GET, HEAD, OPTIONS")])
def test_other_methods_are_refused_and_told_which_are_not(service: Service, path: str, allow: str) -> None:
    """Any other method on a known path is 405 with Allow, OPTIONS is 204 with Allow, and none steps."""
    before = sequence(service)
    wrong = ["PUT", "DELETE", "BREW", "TRACE", "HEAD" if path == "/next" else "POST"]
    for method in wrong:
        status, fields, _ = ask(service, method, path)
        assert (status, fields["allow"]) == (405, allow.lower())
    status, fields, body = ask(service, "OPTIONS", path)
    assert (status, fields["allow"], body) == (204, allow.lower(), "")
    assert sequence(service) == before


@pytest.mark.parametrize(
    "field",
    ["Sec-Purpose: prefetch", "Sec-Purpose: prefetch;prerender", "Purpose: prefetch", "Sec-Fetch-Site: cross-site"],
)
def test_a_browser_does_not_step_unasked(service: Service, field: str) -> None:
    """A prefetch and a request made by another site get 403 and take no step."""
    before = sequence(service)
    assert ask(service, "GET", "/next", field)[0] == 403
    assert ask(service, "GET", "/current", field)[0] == 200
    assert sequence(service) == before


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("*/*", "application/json"),
        ("image/png", "application/json"),
        ("text/plain", "text/plain"),
        ("text/*;q=0.5, application/json;q=0.4", "text/plain"),
        ("application/vnd.pexservice+json, */*", "application/vnd.pexservice+json"),
        ("application/json;q=0, text/plain;q=0.1", "text/plain"),
    ],
)
def test_the_client_chooses_the_form(service: Service, accept: str, form: str) -> None:
    """The form of a value follows Accept; JSON is for those who do not care."""
    status, fields, body = ask(service, "GET", "/current", f"Accept: {accept}")
    value = str(Pair.at(int(fields["pex-position"])).value)
    assert (status, fields["content-type"]) == (200, form)
    if form.startswith("application/vnd"):
        assert json.loads(body) == {
            "sequence": int(fields["pex-sequence"]),
            "position": int(fields["pex-position"]),
            "digits": len(value),
            "value": value,
        }
    else:
        assert body == value + "\n"


def test_a_minimal_answer_has_no_body(service: Service) -> None:
    """Prefer: return=minimal gives 204 with the state in the headers."""
    before = sequence(service)
    status, fields, body = ask(service, "POST", "/next", "Prefer: return=minimal")
    assert (status, body, fields["preference-applied"]) == (204, "", "return=minimal")
    assert int(fields["pex-sequence"]) == before + 1
    assert "content-length" not in fields


def test_a_known_state_is_not_sent_again(service: Service) -> None:
    """If-None-Match with the ETag of /current is 304 until there is another step."""
    _, fields, _ = ask(service, "GET", "/current")
    condition = f"If-None-Match: {fields['etag']}"
    status, again, body = ask(service, "GET", "/current", condition)
    assert (status, again["etag"], body) == (304, fields["etag"], "")
    assert ask(service, "GET", "/current", condition, "Accept: text/plain")[0] == 200
    ask(service, "POST", "/next")
    assert ask(service, "GET", "/current", condition)[0] == 200


def test_head_describes_what_get_sends(service: Service) -> None:
    """HEAD has the fields of GET and no body."""
    for path in ("/", "/current", "/livez", "/readyz", "/openapi.json"):
        status, fields, body = ask(service, "HEAD", path)
        assert (status, body) == (200, "")
        assert fields["content-length"] == ask(service, "GET", path)[1]["content-length"]


@pytest.mark.parametrize(("data", "status"), BAD.values(), ids=BAD)
def test_a_bad_request_takes_no_step_and_is_the_last(service: Service, data: bytes, status: int) -> None:
    """It gets its status as problem+json, nothing behind it is executed, and none of its bytes come back."""
    before = sequence(service)
    answer = exchange(service.port, data + NEXT)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert len(re.findall(rb"^HTTP/1.1 ", answer, re.MULTILINE)) == 1
    assert b"Connection: close" in answer
    problem = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert problem["status"] == status
    assert sequence(service) == before


def test_pipelined_requests_are_answered_in_order(service: Service) -> None:
    """A client that sends steps and reads in one go sees each of its own steps."""
    ask(service, "POST", "/reset")
    answers = exchange(service.port, NEXT + CURRENT + NEXT * 3 + CURRENT + NEXT)
    assert re.findall(rb"\r\n\r\n(\d+)\n", answers) == [b"1", b"1", b"1", b"2", b"3", b"3", b"5"]


def test_requests_before_an_error_are_answered(service: Service) -> None:
    """A framing error comes after the answers to what came before it."""
    before = sequence(service)
    answers = exchange(service.port, NEXT + NEXT + BAD["no Host"][0] + NEXT)
    assert re.findall(rb"HTTP/1.1 (\d+)", answers) == [b"200", b"200", b"400"]
    assert sequence(service) == before + 2


def test_a_request_may_come_in_two_pieces(service: Service) -> None:
    """Whatever the cut, it is one step."""
    before = sequence(service)
    for cut in range(1, len(NEXT)):
        with socket.create_connection(("127.0.0.1", service.port), timeout=30) as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.sendall(NEXT[:cut])
            client.sendall(NEXT[cut:])
            assert client.recv(4096).startswith(b"HTTP/1.1 200")
    assert sequence(service) == before + len(NEXT) - 1


@pytest.mark.parametrize(
    ("line", "field", "connection"),
    [
        (b"GET /next HTTP/1.0", b"", b"close"),
        (b"GET /next HTTP/1.0", b"Connection: keep-alive\r\n", b"keep-alive"),
        (b"GET /next HTTP/1.1", b"Host: x\r\nConnection: close\r\n", b"close"),
    ],
)
def test_both_versions_of_persistence(service: Service, line: bytes, field: bytes, connection: bytes) -> None:
    """HTTP/1.0 closes unless told otherwise; behind a close nothing is executed."""
    before = sequence(service)
    data = line + b"\r\n" + field + b"\r\n"
    answers = exchange(service.port, data * 2)
    assert b"\r\nConnection: " + connection + b"\r\n" in answers
    assert sequence(service) - before == answers.count(b"HTTP/1.1 200") == (2 if connection == b"keep-alive" else 1)


def test_a_waiting_client_is_told_to_continue(service: Service) -> None:
    """Expect: 100-continue gets its interim answer before the body comes."""
    head = b"POST /next HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
    with socket.create_connection(("127.0.0.1", service.port), timeout=30) as client:
        client.sendall(head)
        assert client.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"abc")
        assert client.recv(4096).startswith(b"HTTP/1.1 200 OK\r\n")


def test_the_home_page_suits_its_reader(service: Service) -> None:
    """Browsers get a page, others text, and both where the walk stands."""
    _, fields, text = ask(service, "GET", "/")
    assert fields["content-type"] == "text/plain"
    assert f"position {fields['pex-position']}" in text
    _, fields, page = ask(service, "GET", "/", "Accept: text/html,application/xhtml+xml,*/*;q=0.8")
    assert fields["content-type"] == "text/html; charset=utf-8"
    assert f"<dd>{fields['pex-position']}</dd>" in page


def test_the_counts_add_up(service: Service) -> None:
    """/metrics is Prometheus text, and its steps are those that were taken."""
    before = sequence(service)
    for path in ("/next", "/next", "/previous"):
        ask(service, "POST", path)
    families = {family.name: family for family in text_string_to_metric_families(ask(service, "GET", "/metrics")[2])}
    assert families["pex_sequence"].samples[0].value == before + 3
    assert sum(sample.value for sample in families["pex_steps"].samples) == before + 3
    assert families["pex_ready"].samples[0].value == 1


def test_the_description_describes_every_path(service: Service) -> None:
    """/openapi.json is JSON, and each GET that it names answers as it says."""
    document = json.loads(ask(service, "GET", "/openapi.json")[2])
    assert document["openapi"].startswith("3.1")
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert str(ask(service, method.upper(), path)[0]) in operation["responses"]
    assert ask(service, "GET", "/nothing")[0] == 404


def test_steps_beyond_the_queue_are_turned_away(tmp_path: Path) -> None:
    """With more steps than may wait, some get 503 with Retry-After, and only the others count."""
    with serving(tmp_path, "--max-pending", "5") as service:
        answers = exchange(service.port, NEXT * 200)
        statuses = re.findall(rb"HTTP/1.1 (\d+)", answers)
        assert len(statuses) == 200
        assert statuses.count(b"503") == answers.count(b"Retry-After: ") > 0
        assert sequence(service) == statuses.count(b"200")


def test_the_connection_idle_longest_makes_room(tmp_path: Path) -> None:
    """Beyond --max-connections a newcomer is served, and an idle connection is closed for it."""
    with serving(tmp_path, "--max-connections", "3") as service:
        idle = [socket.create_connection(("127.0.0.1", service.port), timeout=30) for _ in range(3)]
        for client in idle:
            client.sendall(CURRENT)
            assert client.recv(4096).startswith(b"HTTP/1.1 200")
        assert ask(service, "GET", "/current")[0] == 200
        metrics = ask(service, "GET", "/metrics")[2]
        assert re.search(r'outcome="evicted"} [12]\.0', metrics)
        for client in idle:
            client.close()


def test_slow_clients_are_gone_at_their_deadlines(tmp_path: Path) -> None:
    """A silent connection, half a header and half a body each end after 10 seconds; an idle one after --keep-alive."""
    half_body = b"POST /next HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc"
    with serving(tmp_path, "--keep-alive", "1s") as service:
        clients = []
        for data in (b"", NEXT[:20], half_body, CURRENT):
            client = socket.create_connection(("127.0.0.1", service.port), timeout=30)
            client.sendall(data)
            clients.append(client)
        received = []
        for client in clients:
            parts = []
            while piece := client.recv(4096):
                parts.append(piece)
            received.append(b"".join(parts)[:12])
            client.close()
        assert received == [b"", b"HTTP/1.1 408", b"HTTP/1.1 408", b"HTTP/1.1 200"]
        assert sequence(service) == 0


def test_a_client_that_does_not_read_is_gone_at_its_deadline(tmp_path: Path) -> None:
    """Answers that are not taken for 10 seconds end their connection, and their memory is free again."""
    position = 1_000_000
    (tmp_path / "fibo.csv").write_text(f"0,{position},0,{fibonacci_modulo(position, 2**64)},0")
    with serving(tmp_path) as service, socket.create_connection(("127.0.0.1", service.port), timeout=30) as client:
        client.sendall(CURRENT * 1000)
        while (unsent := _gauge(service, "pex_unsent_bytes")) == 0:
            time.sleep(0.05)
        assert unsent < 10 * 2**20  # One connection's requests wait while its answers do.
        while _gauge(service, "pex_unsent_bytes"):
            assert ask(service, "GET", "/livez")[0] == 200
            time.sleep(0.2)
        assert _gauge(service, "pex_connections_open") == 1


def _gauge(service: Service, name: str) -> float:
    families = text_string_to_metric_families(ask(service, "GET", "/metrics")[2])
    return next(family.samples[0].value for family in families if family.name == name)
