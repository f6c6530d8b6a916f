"""Replicas as people start them: the commands, what they refuse, and one walk that all of them serve."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from pexservice.core.judging import Place
from pexservice.walk.machine import WALK
from pexservice.walk.original import row
from support import postgres
from support.client import message
from support.machines import COUNTER
from support.postgres import Server
from support.process import Service, free_port, run, serving, wait_until
from support.stream import Stream

pytestmark = pytest.mark.skipif(not postgres.is_there(), reason="needs PostgreSQL, and root")

_PAGE: Final = Path(__file__).parents[2] / "docs" / "replicas.md"


@pytest.fixture
def url() -> str:
    return postgres.shared().database(WALK)


@pytest.fixture
def server() -> Iterator[Server]:
    with postgres.server() as made:
        yield made


def test_a_schema_is_made_once_and_checked(server: Server) -> None:
    """What `init` makes, `check` finds good; before, and again, is an error with a status of its own."""
    url = f"{server.url}/postgres"
    missing = run("store", "check", url)
    assert (missing.returncode, "with 'store init' of this program" in missing.stderr) == (66, True)
    made = run("store", "init", "--one-server", url)
    assert (made.returncode, made.stdout) == (0, "The schema is made. Sequence 0, position 0.\n")
    again = run("store", "init", "--one-server", url)
    assert (again.returncode, "already" in again.stderr) == (73, True)
    checked = run("store", "check", PEXSERVICE_STORE=url)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert checked.stdout == "A replica may start. Sequence 0, position 0. There is one server, and no standby.\n"


def test_a_schema_for_replicas_that_would_not_start_is_told(server: Server) -> None:
    """The server names no standby, and nobody said that it is the only one: who makes the schema learns of it."""
    server.ask("CREATE DATABASE lonely")
    url = f"{server.url}/lonely"
    made = run("store", "init", url)
    assert (made.returncode, "names a standby" in made.stderr) == (0, True)
    refused = run("store", "check", url)
    assert (refused.returncode, "SET is_one_server = true" in refused.stderr) == (69, True)
    server.ask("UPDATE pexservice.setup SET is_one_server = true", "lonely")
    assert run("store", "check", url).returncode == 0


def test_a_walk_moves_from_a_directory_to_a_server(tmp_path: Path) -> None:
    """And back, at once: sequence and position go on, though the value wraps in the file."""
    moving = tmp_path / "fibo.csv"
    moving.write_text(row(Place(900, 300)), "ascii")
    assert run("import", str(moving), "--data-dir", str(tmp_path / "data")).returncode == 0
    with serving(tmp_path / "data") as service, service.connect() as client:
        assert client.ask("POST", "/next").sequence == 901
        service.stop()
    exported = run("journal", "export", "--original", "--last", "1", "--data-dir", str(tmp_path / "data"))
    moving.write_text(exported.stdout, "ascii")
    shared = postgres.shared()
    shared.ask("CREATE DATABASE moved")
    url = f"{shared.url}/moved"
    made = run("store", "init", "--one-server", "--import", str(moving), url)
    assert made.stdout == "The schema is made. Sequence 901, position 301.\n"
    assert run("journal", "export", "--original", "--last", "1", "--store", url).stdout == exported.stdout
    with serving(None, "--store", url) as service, service.connect() as client:
        answer = client.ask("POST", "/next")
        assert (answer.sequence, answer.get("pex-position")) == (902, "302")
    moving.write_text(run("journal", "export", "--original", "--last", "1", "--store", url).stdout, "ascii")
    back = tmp_path / "back"
    assert run("import", str(moving), "--data-dir", str(back)).returncode == 0
    with serving(back) as service, service.connect() as client:
        assert client.ask("GET", "/current").get("pex-position") == "302"


def refused(url: str, status: int, words: str, **variables: str) -> None:
    """See `serve` and `check` end with a status and one sentence that has these words, and no password."""
    for command in (["store", "check", url], ["serve", "--port", "0", "--store", url]):
        ended = run(*command, **variables)
        assert ended.returncode == status, ended.stderr
        assert words in ended.stderr
        assert "hidden" not in ended.stderr
        assert len(ended.stderr.strip().splitlines()) == 1


def rows(url: str, server: Server) -> str:
    """Return all that a store keeps."""
    tables = ("setup", "history", "keys")
    return "".join(server.ask(f"SELECT * FROM pexservice.{name}", url.rpartition("/")[2]) for name in tables)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("fsync=off", "fsync=off"),
        ("full_page_writes=off", "full_page_writes=off"),
        ("default_transaction_read_only=on", "read-only"),
    ],
)
def test_an_unsafe_server_is_refused_with_one_sentence(setting: str, words: str, server: Server) -> None:
    """By `serve` and by `check` alike, and nothing is written."""
    url = server.database(WALK)
    before = rows(url, server)
    server.stop()
    name, _, value = setting.partition("=")
    server.start(**{name: value})
    refused(url, 69, words)
    assert rows(url, server) == before


def test_a_standby_is_refused_with_one_sentence(server: Server) -> None:
    """It has the schema, and may not be written to."""
    url = server.database(WALK)
    before = rows(url, server)
    standby = Server()
    try:
        standby.make_standby(server, "second")
        refused(f"{standby.url}/{url.rpartition('/')[2]}", 69, "is a standby or read-only")
        made = run("store", "init", "--one-server", f"{standby.url}/postgres")
        assert (made.returncode, "is a standby. Name the primary." in made.stderr) == (69, True)
    finally:
        standby.remove()
    assert rows(url, server) == before


def test_a_wrong_password_is_refused_with_one_sentence(server: Server) -> None:
    """And none at all; with the right one it starts. The password is told to nobody."""
    url = server.database(WALK)
    server.ask("CREATE ROLE ann LOGIN SUPERUSER PASSWORD 'right'")
    rules = server.data / "pg_hba.conf"
    rules.write_text(f"host all ann all scram-sha-256\n{rules.read_text('ascii')}", "ascii")
    server.ask("SELECT pg_reload_conf()")
    before = rows(url, server)
    of_ann = url.replace("postgres@", "ann@")
    refused(of_ann, 77, "password authentication failed", PGPASSWORD="hidden")
    refused(of_ann, 77, "password authentication failed")
    assert rows(url, server) == before
    assert run("store", "check", of_ann, PGPASSWORD="right").returncode == 0


def test_what_is_not_the_right_server_is_refused_with_its_status(url: str) -> None:
    """No server, no database, no schema, no standby that is waited for, another machine, another version, no right."""
    shared = postgres.shared()
    name = url.rpartition("/")[2]
    refused(f"postgresql://postgres@127.0.0.1:{free_port()}/x", 69, "no server at 127.0.0.1")
    refused(f"{shared.url}/nowhere", 66, "no such database")
    refused(f"{shared.url}/postgres", 66, "has no schema for the service. Make it with 'store init' of this program.")
    shared.ask("CREATE ROLE stranger LOGIN")
    for wrong, status, words in (
        (shared.database(WALK, is_one_server=False), 69, "names no synchronous standby"),
        (shared.database(COUNTER), 65, "a machine called counter"),
        (url, 77, "does not permit it"),
    ):
        before = rows(wrong, shared)
        refused(wrong.replace("postgres@", "stranger@") if status == 77 else wrong, status, words)
        assert rows(wrong, shared) == before
    shared.ask("UPDATE pexservice.setup SET version = 2", name)
    before = rows(url, shared)
    refused(url, 65, "version 2")
    assert rows(url, shared) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--store", "mysql://x"], "it is not the URL of a PostgreSQL server"),
        (["--store", "postgresql://x", "--data-dir", "d"], "contradict each other"),
        (["--store", "postgresql://x", "--durability", "fsync"], "contradict each other"),
        (["--store", "postgresql://ann:hidden@x/y"], "a password among the arguments"),
    ],
)
def test_wrong_usage_is_told_without_a_password(arguments: list[str], words: str) -> None:
    """With 2; and what may be a password is never shown."""
    refused = run("serve", *arguments)
    assert (refused.returncode, words in refused.stderr, "hidden" in refused.stderr) == (2, True, False)


def test_a_password_in_the_variable_is_not_logged(url: str) -> None:
    """Nor anywhere else: what is shown of a URL has none."""
    secret = url.replace("postgres@", "postgres:hidden@")
    with serving(None, "--log-level", "debug", PEXSERVICE_STORE=secret) as service:
        assert service.sequence() == 0
        assert service.stop() == 0
        assert "postgres:...@127.0.0.1" in service.log
        assert "hidden" not in service.log


def test_replicas_serve_one_walk(url: str) -> None:
    """A read at one shows what was answered at another; a key is known to all; one that is killed is not missed."""
    with serving(None, "--store", url) as one, serving(None, "--store", url) as two:
        with one.connect() as here, two.connect() as there:
            for number in range(1, 20):
                stepping, reading = (here, there) if number % 2 else (there, here)
                assert stepping.ask("POST", "/next").sequence == number
                assert reading.ask("GET", "/current").sequence == number
            key = "Idempotency-Key: of-both"
            assert here.ask("POST", "/next", key).sequence == 20
            again = there.ask("POST", "/next", key)
            assert (again.sequence, again["idempotency-replayed"]) == (20, "true")
            tag = there.ask("GET", "/current")["etag"]
            assert here.ask("POST", "/next", f"If-Match: {tag}").status == 200
            assert there.ask("POST", "/next", f"If-Match: {tag}").status == 412
        one.stop(9)
        with two.connect() as there:
            assert there.ask("POST", "/reset").sequence == 22
            metrics = there.ask("GET", "/metrics").body.decode("ascii")
        shown = set(re.findall(r"^# TYPE (pex_store_\w+) ", metrics, re.MULTILINE))
        explained = set(re.findall(r"^\| `(pex_store_\w+)` \|", _PAGE.read_text("utf-8"), re.MULTILINE))
        assert shown == explained - {"pex_store_standbys"}  # There is one server only.


def test_events_begin_with_nothing_older_than_what_was_answered(url: str) -> None:
    """At whichever replica, also one that served nobody since: HEAD and GET tell of the last step, of none before."""
    with (
        serving(None, "--store", url) as one,
        serving(None, "--store", url) as two,
        one.connect() as here,
        two.connect() as there,
    ):
        for number in range(1, 20, 2):
            assert here.ask("POST", "/next").sequence == number
            assert there.ask("HEAD", "/events").sequence == number
            last = here.ask("POST", "/next").sequence
            with Stream(two.connect(), f"Last-Event-ID: {last}") as stream:
                while b"event: service" not in stream.received:
                    assert stream.read()
                assert stream.states() == []
                assert f"Pex-Sequence: {last}\r\n".encode() in stream.received


def test_each_replica_tells_how_many_serve(url: str) -> None:
    """Its page and its events: those that are connected, some seconds ago at most; a killed one is counted no more."""

    def told(service: Service) -> bytes:
        with service.connect() as client:
            return client.ask("GET", "/", "Accept: text/html").body

    with serving(None, "--store", url) as one, serving(None, "--store", url) as two:
        assert run("store", "check", url).returncode == 0
        for service in (one, two):
            wait_until(lambda service=service: b">2 processes serve<" in told(service))  # type: ignore[misc]
        with one.connect() as client:
            client.send(message("GET", "/events"))
            stream = b""
            while b'"processes": 2' not in stream:
                stream += client.socket.recv(65536)
        one.stop(9)
        wait_until(lambda: b">1 process serves<" in told(two))


def test_steps_that_wait_share_a_group(url: str) -> None:
    """So the server sees far fewer groups than there are requests."""
    with serving(None, "--store", url) as service, service.connect() as client:
        client.send(message("POST", "/next") * 200)
        assert [client.read("POST").sequence for _ in range(200)] == list(range(1, 201))
    groups = int(postgres.shared().ask("SELECT max(number) FROM pexservice.history", url.rpartition("/")[2]))
    assert groups < 100


def test_a_replica_is_unready_while_its_server_is_away(server: Server) -> None:
    """503 before anything was sent, a probe that says so, and by itself back."""
    url = server.database(WALK)
    with serving(None, "--store", url) as service, service.connect() as client:
        assert client.ask("POST", "/next").status == 200
        server.stop("immediate")
        wait_until(lambda: client.ask("GET", "/readyz").status == 503)
        refused = client.ask("POST", "/next")
        assert (refused.status, b"server-away" in refused.body) == (503, True)
        for method, path in (("GET", "/current"), ("HEAD", "/events"), ("GET", "/events")):
            assert client.ask(method, path).status == 503
        assert client.ask("GET", "/livez").status == 200
        server.start()
        wait_until(lambda: client.ask("GET", "/readyz").status == 200)
        assert client.ask("POST", "/next").sequence == 2
        assert service.stop() == 0
