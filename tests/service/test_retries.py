"""A step with a key, sent again after whatever happened, is taken once; a step on condition, only where that holds."""

import json
import re
import signal
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pexservice.stores.journal.live_keys import KEYS_NAME
from support.client import Answer, Client, message
from support.process import Service, run, serving

CHECKOUT = Path(__file__).parents[2]
DOCUMENT = "Accept: application/vnd.pexservice+json"
MINIMAL = "Prefer: return=minimal"


def key(text: str) -> str:
    return f"Idempotency-Key: {text}"


def is_replayed(answer: Answer) -> bool:
    return answer.get("idempotency-replayed") == "true"


def counted(client: Client, name: str, **labels: str) -> float:
    """Return what a metric says, 0 if it is not there."""
    text = client.ask("GET", "/metrics").body.decode()
    pattern = "".join(f'.*{label}="{value}"' for label, value in labels.items())
    found = re.search(rf"^{name}(?:{{{pattern}.*}})? ([0-9.]+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_a_step_that_was_taken_is_told_again_in_the_form_asked_for_now(client: Client, method: str) -> None:
    """Same sequence, position and value; with the field that says so, and without a step."""
    name = f"again-{method}"
    first = client.ask(method, "/next", key(name))
    assert (first.status, is_replayed(first)) == (200, False)
    other = client.ask(method, "/next")
    again = client.ask(method, "/next", key(f'"{name}"'))
    assert (again.status, is_replayed(again), again.body) == (200, True, first.body)
    assert (again.sequence, again.position) == (first.sequence, first.position)
    document = client.ask(method, "/next", key(name), DOCUMENT)
    told = json.loads(document.body)
    assert (told["sequence"], told["position"]) == (first.sequence, first.position)
    assert told["value"] == first.body.decode().strip()
    minimal = client.ask(method, "/next", key(name), MINIMAL)
    assert (minimal.status, is_replayed(minimal), minimal.sequence) == (204, True, first.sequence)
    assert client.ask("GET", "/current").sequence == other.sequence


def test_a_key_is_for_one_step(client: Client) -> None:
    """Another step with it is refused, and none is taken."""
    first = client.ask("POST", "/next", key("one"))
    refused = client.ask("POST", "/previous", key("one"))
    assert (refused.status, refused.sequence) == (422, first.sequence)
    assert json.loads(refused.body)["type"] == "urn:pexservice:problem:key-reused"
    assert client.ask("GET", "/current").sequence == first.sequence


MALFORMED = ["", '""', "a" * 256, "a b", '"a', "\x01", "\x7f", "\x80", "a\tb"]


@pytest.mark.parametrize("value", MALFORMED, ids=ascii)
def test_a_malformed_key_is_refused(service: Service, value: str) -> None:
    """400, and no step."""
    with service.connect() as client:
        before = client.ask("GET", "/current").sequence
        assert client.ask("POST", "/next", key(value)).status == 400
    with service.connect() as client:
        assert client.ask("GET", "/current").sequence == before


@pytest.mark.parametrize(
    ("method", "path", "keys"),
    [
        ("POST", "/next", ["a", "a"]),
        ("POST", "/next", ["a", "b"]),
        *((method, path, ["a"]) for method in ("GET", "HEAD") for path in ("/", "/current", "/livez", "/openapi.json")),
    ],
)
def test_a_key_twice_or_on_a_read_is_refused(client: Client, method: str, path: str, keys: list[str]) -> None:
    """400, and no step."""
    before = client.ask("GET", "/current").sequence
    assert client.ask(method, path, *map(key, keys)).status == 400
    assert client.ask("GET", "/current").sequence == before


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=300), max_size=2))
def test_whatever_is_sent_as_a_key_steps_once_or_not_at_all(service: Service, values: list[str]) -> None:
    """What is a key is taken once however often it is sent; what is none is refused, and never taken for no key."""
    with service.connect() as client:
        before = client.ask("GET", "/current").sequence
        fields = [key(value) for value in values]
        client.send(message("POST", "/next", *fields))
        status = client.read().status
        stripped = [value.strip(" \t") for value in values]
        is_key = len(values) == 1 and re.fullmatch(r'"[!#-\[\]-~]{1,255}"|[!#-~]{1,255}', stripped[0]) is not None
        assert status == (200 if is_key or not values else 400)
    with service.connect() as client:
        if is_key:
            client.ask("POST", "/next", *fields)
        after = client.ask("GET", "/current").sequence
        assert after - before <= 1
        if status == 400:
            assert after == before


def test_a_hundred_clients_with_one_key_take_one_step(service: Service) -> None:
    """All get the same answer, whoever was first."""
    answers: list[Answer] = []
    barrier = threading.Barrier(100)

    def ask() -> None:
        with service.connect() as client:
            barrier.wait()
            answers.append(client.ask("POST", "/next", key("race")))

    with service.connect() as client:
        before = client.ask("GET", "/current").sequence
        threads = [threading.Thread(target=ask) for _ in range(100)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert client.ask("GET", "/current").sequence == before + 1
    assert {(each.status, each.sequence, each.position, each.body) for each in answers} == {
        (200, before + 1, answers[0].position, answers[0].body)
    }
    assert len(answers) == 100
    assert sum(not is_replayed(each) for each in answers) == 1


def test_pipelined_retries_are_answered_in_order(client: Client) -> None:
    """In one packet, with other steps between."""
    names = ["p1", None, "p1", "p2", None, "p2", "p1"]
    client.send(b"".join(message("POST", "/next", *([] if name is None else [key(name)])) for name in names))
    answers = [client.read() for _ in names]
    first = answers[0].sequence
    assert [each.sequence - first for each in answers] == [0, 1, 0, 2, 3, 2, 0]
    assert [is_replayed(each) for each in answers] == [False, False, True, False, False, True, True]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_key_outlives_the_service(tmp_path: Path, how: signal.Signals) -> None:
    """Kill or stop: the step is told again, also after the start after that."""
    with serving(tmp_path) as service, service.connect() as client:
        firsts = [client.ask("POST", "/next", key(f"k{number}")) for number in range(30)]
        service.stop(how)
    for _ in range(2):
        with serving(tmp_path) as service, service.connect() as client:
            for number, first in enumerate(firsts):
                again = client.ask("POST", "/next", key(f"k{number}"))
                assert (is_replayed(again), again.sequence, again.body) == (True, first.sequence, first.body)
            assert client.ask("GET", "/current").sequence == 30
            service.stop(how)


def test_keys_are_bounded_in_number_and_age(tmp_path: Path) -> None:
    """Beyond that a retry steps again."""
    with (
        serving(tmp_path, "--idempotency-keys", "2", "--idempotency-ttl", "2s") as service,
        service.connect() as client,
    ):
        for name in ("a", "b", "c"):
            client.ask("POST", "/next", key(name))
        assert [is_replayed(client.ask("POST", "/next", key(name))) for name in ("c", "a")] == [True, False]
        assert counted(client, "pex_keys") == 2
        threading.Event().wait(3.1)
        assert not is_replayed(client.ask("POST", "/next", key("a")))


def test_metrics_tell_of_keys(tmp_path: Path) -> None:
    """How many are known, replays, and refusals by reason."""
    with serving(tmp_path) as service, service.connect() as client:
        for _ in range(3):
            client.ask("POST", "/next", key("a"))
        client.ask("POST", "/reset", key("a"))
        client.ask("POST", "/next", 'If-Match: "7-7-json"')
        assert counted(client, "pex_keys") == 1
        assert counted(client, "pex_keys_max") == 65_536
        assert counted(client, "pex_steps_replayed_total") == 2
        for reason in ("key-reused", "condition-failed"):
            assert counted(client, "pex_steps_declined_total", reason=reason) == 1
        assert counted(client, "pex_answers_total", status="412") == 1
        assert counted(client, "pex_answers_total", status="422") == 1


def test_keys_are_written_as_digests(tmp_path: Path) -> None:
    """No file has a key as it was sent; and who may read the history may not read the secret."""
    with serving(tmp_path) as service, service.connect() as client:
        client.ask("POST", "/next", key("tells-of-somebody"))
        service.stop()
    assert all(b"tells-of" not in path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    assert (tmp_path / KEYS_NAME).stat().st_mode & 0o077 == 0
    shown = run("journal", "show", "--data-dir", str(tmp_path)).stdout
    assert "1 key" in shown


def test_a_journal_without_its_keys_does_not_start(tmp_path: Path) -> None:
    """Else a retry would step again, and nobody would notice. What is salvaged of it knows none."""
    with serving(tmp_path / "data") as service, service.connect() as client:
        client.ask("POST", "/next", key("a"))
        service.stop()
    (tmp_path / "data" / KEYS_NAME).unlink()
    with serving(tmp_path / "data") as service:
        assert service.stop() == 65
        assert "keys.csv is missing" in service.log
    for command in (["verify"], ["backup", str(tmp_path / "copy")]):
        refused = run("journal", *command, "--data-dir", str(tmp_path / "data"))
        assert (refused.returncode, "keys.csv is missing" in refused.stderr) == (65, True)
    assert not (tmp_path / "copy").exists()
    copied = run("journal", "backup", "--salvage", str(tmp_path / "copy"), "--data-dir", str(tmp_path / "data"))
    assert copied.returncode == 0, copied.stderr
    assert "keys are lost" in copied.stderr
    with serving(tmp_path / "copy") as service, service.connect() as client:
        assert client.ask("POST", "/next", key("a")).sequence == 2


def test_a_backup_knows_the_same_keys(tmp_path: Path) -> None:
    """Taken while the service runs."""
    with serving(tmp_path / "data") as service, service.connect() as client:
        for number in range(10):
            client.ask("POST", "/next", key(str(number)))
        copied = run("journal", "backup", str(tmp_path / "copy"), "--data-dir", str(tmp_path / "data"))
        assert copied.returncode == 0, copied.stderr
    with serving(tmp_path / "copy") as service, service.connect() as client:
        assert [client.ask("POST", "/next", key(str(number))).sequence for number in range(10)] == list(range(1, 11))


def test_a_step_on_condition_is_taken_where_it_holds(client: Client) -> None:
    """The tag of any form that /current gave names the state; once a step is taken, it is stale."""
    for form in (DOCUMENT, "Accept: text/plain", MINIMAL, "A: b"):
        now = client.ask("GET", "/current", form)
        taken = client.ask("POST", "/next", f"If-Match: {now['etag']}")
        assert (taken.status, taken.sequence) == (200, now.sequence + 1)
        stale = client.ask("POST", "/next", f"If-Match: {now['etag']}")
        assert (stale.status, stale.sequence) == (412, taken.sequence)
        assert json.loads(stale.body)["type"] == "urn:pexservice:problem:condition-failed"
        assert client.ask("POST", "/next", f"If-None-Match: {now['etag']}").status == 200


def test_a_condition_is_judged_behind_the_steps_before_it(client: Client) -> None:
    """In one packet: what was true when they were sent is not any more."""
    now = client.ask("GET", "/current")
    condition = f"If-Match: {now['etag']}"
    client.send(message("POST", "/next", condition) + message("POST", "/next", condition) + message("POST", "/next"))
    assert [client.read().status for _ in range(3)] == [200, 412, 200]


def test_a_key_goes_before_its_condition(client: Client) -> None:
    """What was taken has changed the state; who asks again is told, not refused."""
    now = client.ask("GET", "/current")
    fields = [key("conditional"), f"If-Match: {now['etag']}"]
    first, again = client.ask("POST", "/next", *fields), client.ask("POST", "/next", *fields)
    assert (first.status, again.status, is_replayed(again), again.sequence) == (200, 200, True, first.sequence)
    replayed = client.ask("POST", "/next", key("conditional"), "If-None-Match: *")
    assert (replayed.status, is_replayed(replayed)) == (200, True)
    failed = [client.ask("POST", "/next", key("failed"), f"If-Match: {now['etag']}").status for _ in range(2)]
    assert failed == [412, 412]
    assert not is_replayed(client.ask("POST", "/next", key("failed")))
