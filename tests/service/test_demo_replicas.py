"""`pexservice demo --replicas`: a walk on a server of its own, served by several, and what is left of it all."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

import pytest

from support import postgres
from support.crew import await_end, children
from support.process import HANG_S, command, environment, run, wait_until

pytestmark = pytest.mark.skipif(not postgres.is_there(), reason="needs PostgreSQL, and root")

_STALE: Final = """
from pexservice.stores.postgres.store import PostgresStore
read, first = PostgresStore.read, {}
PostgresStore.read = lambda self: first.setdefault(self, read(self))
from pexservice.cli import main
main()
"""
"""A service whose reads tell what it saw first."""
_OF_STALE: Final = f"""
import sys
from pexservice.trial import child
child.SERVE = (sys.executable, "-c", {_STALE!r})
from pexservice.cli import main
main()
"""
_ELSEWHERE: Final = """
from pathlib import Path
from pexservice.trial import server
server._DEBIAN = Path("/nowhere")
from pexservice.cli import main
main()
"""


@pytest.fixture
def tmp() -> Iterator[Path]:
    """Give a directory into which the server's user may go."""
    made = Path(mkdtemp(prefix="pex-demo-"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made, ignore_errors=True)


def begun(tmp: Path) -> tuple[subprocess.Popen[str], list[int]]:
    """Start one, and return it, with its server and its replicas, and what the server has started."""
    process = subprocess.Popen(
        command("pexservice", "demo", "--kills", "0", "--replicas", "2"),
        env=environment(TMPDIR=str(tmp)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_until(lambda: process.poll() is not None or len(children(process.pid)) == 3)
    below = children(process.pid)
    return process, [*below, *children(below[0])]


def test_replicas_lose_nothing_and_one_alone_is_killed_in_turn_with_all(tmp: Path) -> None:
    """All answers are one history; each page can be watched; nothing of it stays."""
    ended = run("demo", "--kills", "4", "--replicas", "2", TMPDIR=str(tmp))
    assert (ended.returncode, ended.stderr) == (0, "")
    lines = ended.stdout.splitlines()
    who = "while all, or one of the 2 replicas that serve it, is killed 4 times under load."
    assert re.fullmatch(rf"Watch it at (http://127\.0\.0\.1:\d+/(, )?){{2}} {re.escape(who)}", lines[0]), lines[0]
    told = [re.fullmatch(r"kill \d of 4(, a replica)?: [\d,]+ steps .* after [\d.]+ s", line) for line in lines[1:5]]
    assert [each is not None and each[1] is not None for each in told] == [False, True, False, True], lines
    answered = re.search(r"^([\d,]+) answered, 0 lost, 0 twice\.$", ended.stdout, re.MULTILINE)
    assert answered is not None
    assert int(answered[1].replace(",", "")) > 100
    assert re.search(r"^Killed 4 times, 2 of these a replica alone; ", ended.stdout, re.MULTILINE)
    assert not list(tmp.iterdir())


def test_replicas_that_read_what_is_old_are_found_out(tmp: Path) -> None:
    """The negative control: clients go from one to another, so none may tell less than another did. Status 1."""
    ended = run("demo", "--kills", "1", "--replicas", "2", program=[sys.executable, "-c", _OF_STALE], TMPDIR=str(tmp))
    assert ended.returncode == 1, ended
    assert "A promise was broken: " in ended.stdout


def test_without_a_server_to_be_had_it_is_one_sentence(tmp: Path) -> None:
    """With the status of what is not installed, and what to install."""
    variables = {"PATH": "/nowhere", "TMPDIR": str(tmp)}
    ended = run("demo", "--replicas", "2", program=[sys.executable, "-c", _ELSEWHERE], **variables)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert re.fullmatch(r"pexservice: replicas need a PostgreSQL server, .* install postgresql\)\.\n", ended.stderr)
    assert not list(tmp.iterdir())


def test_a_directory_that_the_server_may_not_enter_is_one_sentence(tmp: Path) -> None:
    """As where TMPDIR is root's alone."""
    tmp.chmod(0o700)
    ended = run("demo", "--replicas", "2", TMPDIR=str(tmp))
    assert (ended.returncode, ended.stdout) == (73, "")
    assert re.fullmatch(r"pexservice: the PostgreSQL server cannot be made: .*: Permission denied\.\n", ended.stderr), (
        ended.stderr
    )
    assert not list(tmp.iterdir())


def test_replicas_have_no_workers() -> None:
    """So both options are wrong usage."""
    ended = run("demo", "--replicas", "2", "--workers", "2")
    assert (ended.returncode, "contradict each other" in ended.stderr) == (2, True)


def test_a_server_that_ends_is_one_sentence(tmp: Path) -> None:
    """With what it said last; and nothing stays."""
    process, below = begun(tmp)
    os.kill(below[0], signal.SIGTERM)
    os.kill(below[0], signal.SIGINT)
    assert process.wait(HANG_S) == 69
    assert re.fullmatch(r"pexservice: the PostgreSQL server ended: .*\n", process.communicate()[1])
    await_end(*below)
    assert not list(tmp.iterdir())


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM], ids=["int", "term"])
def test_a_stop_leaves_nothing(tmp: Path, stop: signal.Signals) -> None:
    """No server, no replica, no directory, no traceback."""
    process, below = begun(tmp)
    process.send_signal(stop)
    process.wait(HANG_S)
    assert process.communicate()[1].strip() == ""
    await_end(*below)
    assert not list(tmp.iterdir())


def test_nothing_outlives_a_killed_demo(tmp: Path) -> None:
    """The kernel ends server and replicas: nobody else could."""
    process, below = begun(tmp)
    assert len(below) > 3
    process.kill()
    process.communicate()
    await_end(*below)
