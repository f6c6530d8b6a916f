"""`pexservice journal … --store`: the history at a server, proved and shown as that of a directory is."""

import subprocess
import time
from itertools import product

import pytest

from pexservice.walk.machine import WALK
from support import postgres
from support.process import HANG_S, command, environment, run, serving

pytestmark = pytest.mark.skipif(not postgres.is_there(), reason="needs PostgreSQL, and root")


@pytest.fixture
def url() -> str:
    """A walk of seven steps, by two replicas."""
    url = postgres.shared().database(WALK)
    for paths in (["/next", "/next", "/reset", "/next"], ["/next", "/previous", "/next"]):
        with serving(None, "--store", url) as service, service.connect() as client:
            for path in paths:
                assert client.ask("POST", path).status == 200
            assert service.stop() == 0
    return url


def change(url: str, statement: str) -> None:
    postgres.shared().ask(statement, url.rpartition("/")[2])


def test_a_whole_history_is_proved(url: str) -> None:
    """Also one of which the oldest rows were removed."""
    proved = run("journal", "verify", "--store", url)
    assert (proved.returncode, proved.stdout) == (0, "10 groups: whole. Sequence 7, position 2.\n")
    change(url, "SELECT pexservice.forget(gen_random_uuid(), 4, 1000, 86400, 1000)")
    proved = run("journal", "verify", "--store", url)
    assert (proved.returncode, proved.stdout) == (0, "5 groups: whole. Sequence 7, position 2.\n")


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        ("DELETE FROM pexservice.history WHERE number = 4", "row 4 of the history: it is missing, and 5 follows"),
        ("UPDATE pexservice.history SET commands = '1p' WHERE number = 4", "do not lead to where it says"),
        ("UPDATE pexservice.history SET commands = '2n' WHERE number = 4", "do not lead to where it says"),
        (
            "UPDATE pexservice.history SET state_before = '7', state = '8' WHERE number = 4",
            "row 4 of the history: it",
        ),
        ("UPDATE pexservice.history SET state = 'x' WHERE number = 4", "not what this machine writes"),
    ],
)
def test_a_history_that_was_changed_is_noticed(harm: str, words: str, url: str) -> None:
    """The first row that does not follow is named, with 65."""
    change(url, harm)
    found = run("journal", "verify", "--store", url)
    assert (found.returncode, words in found.stderr) == (65, True), found.stderr


def test_the_last_groups_are_shown(url: str) -> None:
    """Or those from a step on; a row in which a replica entered has no steps."""
    lines = run("journal", "show", "--last", "4", "--store", url).stdout.splitlines()
    assert [line.split("  ", 1)[1] for line in lines] == [
        "sequence 4  position 1",
        "sequence 5  position 2  1n",
        "sequence 6  position 1  1p",
        "sequence 7  position 2  1n",
    ]
    lines = run("journal", "show", "--from", "7", "--store", url).stdout.splitlines()
    assert [line.split("  ", 1)[1] for line in lines] == ["sequence 7  position 2  1n"]
    assert run("journal", "show", "--last", "0", "--store", url).stdout == ""
    for subcommand, number in product(("show", "export"), ("8", str(2**63), str(2**64 - 1))):
        beyond = run("journal", subcommand, "--from", number, "--store", url)
        assert (beyond.returncode, beyond.stderr) == (0, f"There is no step {number}: the last one is 7.\n")


def test_the_history_is_exported_as_that_of_a_directory(url: str) -> None:
    """A row a step, all or the last, with values or as the original wrote them."""
    exported = run("journal", "export", "--store", url).stdout.splitlines()
    assert exported == [
        "sequence,step,position",
        *("1,next,1", "2,next,2", "3,reset,0", "4,next,1", "5,next,2", "6,previous,1", "7,next,2"),
    ]
    assert run("journal", "export", "--store", url, "--last", "2", "--values").stdout.splitlines() == [
        "sequence,step,position,value",
        *("6,previous,1,1", "7,next,2,1"),
    ]
    assert run("journal", "export", "--store", url, "--original", "--last", "1").stdout == "7,2,1,1,2\n"


@pytest.mark.parametrize("arguments", [["show", "--from", "1"], ["export"]], ids=["show", "export"])
def test_a_history_is_read_as_slowly_as_its_reader_likes(arguments: list[str], url: str) -> None:
    """A pager that stands still for longer than a replica may leave its turn open gets the rest all the same."""
    change(
        url,
        "INSERT INTO pexservice.history SELECT 10 + n, 6 + n, 1 + n, 7 + n, 2 + n, '1n', NULL, gen_random_uuid(), 0"
        " FROM generate_series(1, 10000) n",
    )
    program = command("pexservice", "journal", *arguments, "--store", url)
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()) as reading:
        assert reading.stdout is not None
        reading.stdout.readline()
        time.sleep(3)
        rest, errors = reading.communicate(timeout=HANG_S)
    assert (reading.returncode, errors) == (0, b"")
    assert b"10007" in rest.splitlines()[-1]


def test_what_cannot_be_read_is_told_as_at_a_start() -> None:
    """No schema is no journal."""
    shared = postgres.shared()
    shared.ask("CREATE DATABASE bare")
    for subcommand in ("verify", "show", "export"):
        refused = run("journal", subcommand, "--store", f"{shared.url}/bare")
        assert (refused.returncode, "store init" in refused.stderr) == (66, True)
        assert run("journal", subcommand, "--store", "x").returncode == 2


def test_a_page_that_postgresql_finds_damaged_is_damage() -> None:
    """With 65 by each command, and what the server said of it."""
    with postgres.server() as server:
        url = server.database(WALK)
        name = url.rpartition("/")[2]
        server.ask(
            "INSERT INTO pexservice.history SELECT 1 + n, n - 1, n - 1, n, n, '1n', NULL, gen_random_uuid(), 0"
            " FROM generate_series(1, 10000) n",
            name,
        )
        path = server.data / server.ask("SELECT pg_relation_filepath('pexservice.history')", name)
        server.stop()
        with path.open("r+b") as pages:
            pages.seek(40 * 8192)
            pages.write(b"\x55" * 64)
        server.start()
        for arguments in (["verify"], ["show", "--from", "1"], ["export"]):
            found = run("journal", *arguments, "--store", url)
            assert (found.returncode, "damaged: invalid page in block 40" in found.stderr) == (65, True), found.stderr
            assert len(found.stderr.splitlines()) == 1


def test_a_server_that_ends_the_reading_is_told_as_what_it_is(url: str) -> None:
    """Not as one that is not there, nor as a defect."""
    change(
        url,
        "INSERT INTO pexservice.history SELECT 10 + n, 6 + n, 1 + n, 7 + n, 2 + n, '1n', NULL, gen_random_uuid(), 0"
        " FROM generate_series(1, 10000) n",
    )
    program = command("pexservice", "journal", "export", "--store", url)
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()) as reading:
        assert reading.stdout is not None
        reading.stdout.readline()
        ended = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database()"
        change(url, f"{ended} AND pid <> pg_backend_pid()")
        _, errors = reading.communicate(timeout=HANG_S)
    words = (b"terminating connection", b"the connection was lost while the history was read")
    assert (reading.returncode, any(each in errors for each in words)) == (69, True), errors


def test_a_history_without_a_row_is_damage() -> None:
    """As of a dump that was restored in part: with 65 and the same sentence, by whatever looks at it."""
    url = postgres.shared().database(WALK)
    change(url, "TRUNCATE pexservice.history")
    commands = [["journal", name, "--store", url] for name in ("verify", "show", "export")]
    for arguments in (*commands, ["store", "check", url], ["serve", "--store", url, "--port", "0"]):
        found = run(*arguments)
        assert (found.returncode, "the history at the server has no row" in found.stderr) == (65, True), found
