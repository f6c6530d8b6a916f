"""`pexservice demo`: what it promises to show, and how it ends, whatever happens."""

import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from support.crew import await_end, children
from support.process import HANG_S, command, environment, run, wait_until

_LOSING = """
import sys
from pexservice.trial import child
child.SERVE = (sys.executable, "-m", "torture.sabotaged", "{sabotage}")
from pexservice.trial import demo
demo._LIFE_S = 0.5
from pexservice.cli import main
main()
"""


def at_terminal(tmp: Path, *arguments: str, columns: int = 80, **variables: str) -> tuple[int, str]:
    """Run it at a terminal; return its status and all that it wrote."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command("pexservice", "demo", *arguments),
        env=environment(TMPDIR=str(tmp), TERM="xterm", COLUMNS=str(columns), LINES="24", **variables),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    text = b""
    with os.fdopen(ours, "rb", buffering=0) as terminal, suppress(OSError):  # It ends with EIO.
        while piece := terminal.read(65_536):
            text += piece
    return process.wait(HANG_S), text.decode()


def begun(tmp: Path, *options: str) -> tuple[subprocess.Popen[str], int]:
    """Start one and return it, with the process id of its service, once that is there."""
    process = subprocess.Popen(
        command("pexservice", "demo", "--kills", "100", *options),
        env=environment(TMPDIR=str(tmp)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    wait_until(lambda: process.poll() is not None or children.read_text("ascii") != "")
    return process, int(children.read_text("ascii").split()[0])


def is_gone(pid: int) -> bool:
    with suppress(FileNotFoundError):
        return re.search(r"^State:\s+Z", Path(f"/proc/{pid}/status").read_text("utf-8"), re.MULTILINE) is not None
    return True


def test_it_loses_nothing_and_says_so(tmp_path: Path) -> None:
    """Without a terminal: a line for each kill, then the judge's; and nothing of it stays."""
    ended = run("demo", "--kills", "2", TMPDIR=str(tmp_path))
    assert (ended.returncode, ended.stderr) == (0, "")
    lines = ended.stdout.splitlines()
    assert re.fullmatch(r"Watch it at http://127\.0\.0\.1:\d+/ while it is killed 2 times under load\.", lines[0])
    assert all(re.fullmatch(rf"kill {kill} of 2: [\d,]+ steps answered, back .* s", lines[kill]) for kill in (1, 2))
    answered = re.search(r"^([\d,]+) answered, 0 lost, 0 twice\.$", ended.stdout, re.MULTILINE)
    assert answered is not None
    assert int(answered[1].replace(",", "")) > 100
    assert re.search(
        r"sent again with the same key: [\d,]+ requests, each step taken once\.$", ended.stdout, re.MULTILINE
    )
    assert not list(tmp_path.iterdir())


def test_of_several_workers_one_alone_is_killed_in_turn_with_all(tmp_path: Path) -> None:
    """The others go on, so nothing is started for it; and nothing is lost, nor taken twice."""
    ended = run("demo", "--kills", "4", "--workers", "2", TMPDIR=str(tmp_path))
    assert (ended.returncode, ended.stderr) == (0, "")
    lines = ended.stdout.splitlines()
    assert lines[0].endswith(" while it, or one of the 2 workers that serve, is killed 4 times under load.")
    told = [re.fullmatch(r"kill \d of 4(, a worker)?: [\d,]+ steps .* after ([\d.]+) s", line) for line in lines[1:5]]
    assert all(told), lines
    assert [each is not None and each[1] is not None for each in told] == [False, True, False, True]
    assert re.search(r"^[\d,]+ answered, 0 lost, 0 twice\.$", ended.stdout, re.MULTILINE)
    assert re.search(r"^Killed 4 times, 2 of these a worker alone; ", ended.stdout, re.MULTILINE)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_service_that_loses_steps_is_found_out(tmp_path: Path, workers: str) -> None:
    """The negative control: answers before the write, and a kill in between. Status 1, and the number of them.

    Or 65, where the keys of steps were written that are lost: then that service refuses to start.
    """
    program = [sys.executable, "-c", _LOSING.format(sabotage="late-write")]
    ended = run("demo", "--kills", "10", "--workers", workers, program=program, TMPDIR=str(tmp_path))
    if "keys up to sequence" in ended.stderr:
        assert ended.returncode == 65
        return
    assert ended.returncode == 1, ended
    assert re.search(r" answered, [1-9][\d,]* lost, \d+ twice\.$", ended.stdout, re.MULTILINE), ended.stdout
    assert "A promise was broken: " in ended.stdout


def test_serve_pays_nothing_for_it() -> None:
    """A start after a kill imports nothing of what shows it."""
    listed = "import sys, pexservice.cli.serve, pexservice.cli, pexservice.app; print(*sys.modules)"
    ended = run(program=[sys.executable, "-c", listed])
    assert "pexservice.cli.serve" in ended.stdout
    assert "pexservice.trial" not in ended.stdout


def test_a_service_that_does_not_start_is_one_sentence(tmp_path: Path) -> None:
    """With the status and the words of the service."""
    program = [sys.executable, "-c", _LOSING.format(sabotage="no-such-thing")]
    ended = run("demo", program=program, TMPDIR=str(tmp_path))
    assert ended.returncode == 69
    assert re.fullmatch(r"pexservice: the service ended with status 1: .*\n", ended.stderr), ended.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("stop", "status"), [(signal.SIGINT, -signal.SIGINT), (signal.SIGTERM, 128 + signal.SIGTERM)], ids=["int", "term"]
)
def test_a_stop_leaves_nothing(tmp_path: Path, stop: signal.Signals, status: int) -> None:
    """No service, no directory, no traceback; and the status that a shell expects."""
    process, service = begun(tmp_path)
    process.send_signal(stop)
    assert process.wait(HANG_S) == status
    assert process.communicate()[1].strip() == ""
    assert is_gone(service)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("workers", [1, 2])
def test_no_service_outlives_a_killed_demo(tmp_path: Path, workers: int) -> None:
    """The kernel ends it, with all of its processes: nobody else could."""
    process, service = begun(tmp_path, "--workers", str(workers))
    below: list[int] = []

    def are_there() -> bool:
        below[:] = [each for pid in children(service) for each in (pid, *children(pid))]
        return workers == 1 or len(below) == 1 + workers

    wait_until(are_there)
    process.kill()
    process.communicate()
    await_end(service, *below)


def test_a_reader_that_stops_ends_it(tmp_path: Path) -> None:
    """As it ends any program, and nothing stays."""
    process, service = begun(tmp_path)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.wait(HANG_S) == -signal.SIGPIPE
    process.stderr.close()
    assert is_gone(service)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("columns", "variables", "holds"),
    [
        (80, {}, lambda text: "\x1b[1m" in text and "█" in text),
        (40, {"NO_COLOR": "1"}, lambda text: "\x1b[1m" not in text and "█" in text),
        (40, {"PYTHONIOENCODING": "latin-1"}, lambda text: "#" in text and "\\u" not in text),
    ],
    ids=["wide", "narrow", "latin-1"],
)
def test_the_picture_fits_its_terminal(
    tmp_path: Path, columns: int, variables: dict[str, str], holds: Callable[[str], bool]
) -> None:
    """Drawn over itself, never wider than the terminal, coloured and in blocks only where that is wanted and can be."""
    status, text = at_terminal(tmp_path, "--kills", "1", columns=columns, **variables)
    assert status == 0, text
    assert holds(text)
    picture = text[: text.index("answered, 0 lost")].rpartition("\n\r\n")[0]
    plain = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", picture)
    assert max(map(len, plain.replace("\r", "").split("\n"))) < columns
    assert re.search(r"\x1b\[\d+A", text)
