"""Signals: heard from the first instruction, also by the first process of a container, and obeyed when told twice."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from typing import Final

import pytest

from support.client import Client
from support.messages import NEXT
from support.process import HANG_S, command, serving, wait_until
from support.unheard import accepts, running

STOPPING: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
NAMESPACE: Final = ("unshare", "--pid", "--fork", "--kill-child")

_STARTS_FOR_EVER = """
import sys, threading
from pexservice.__main__ import main
from pexservice.process import signals
hear = signals.end_at_once
def hang():
    hear()
    threading.Event().wait()
signals.end_at_once = hang
main()
"""
"""Stays between its first instruction and its first import."""


@contextmanager
def as_first(directory: Path, *program: str) -> Iterator[tuple[subprocess.Popen[bytes], Callable[[int], None]]]:
    """Run a service as process 1 of a namespace; give what waits for it, and a way to send it a signal."""
    if os.geteuid() != 0 or which("unshare") is None:
        pytest.skip("needs root, and unshare")
    options = ["serve", "--uds", str(directory / "socket"), "--data-dir", str(directory / "data")]
    with running([*NAMESPACE, *program, *options], stderr=subprocess.DEVNULL) as outer:
        children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children")
        wait_until(lambda: bool(children.read_text()) or outer.poll() is not None)
        if outer.poll() is not None:
            pytest.skip("this machine does not let us make a namespace")
        first = int(children.read_text())
        yield outer, lambda number: os.kill(first, number)


def hears(pid: int, number: int) -> bool:
    """Tell whether a process has a handler for a signal."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"^SigCgt:\s+(\w+)$", status, re.MULTILINE)
    assert found
    return bool(int(found[1], 16) >> (number - 1) & 1)


def awaiting(process: "subprocess.Popen[bytes]", number: int) -> Callable[[], bool]:
    """Return a condition: the only child of a process hears a signal."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return lambda: hears(int(children.read_text()), number)


@pytest.mark.parametrize("number", STOPPING)
@pytest.mark.parametrize("program", [command("pexservice"), [sys.executable, "-c", _STARTS_FOR_EVER]])
def test_process_1_hears_a_stop_as_soon_as_python_runs(tmp_path: Path, number: int, program: list[str]) -> None:
    """From the first instruction on, which is before the imports, it ends with 0."""
    if program[1] == "-c":  # There sys.argv has no name of a program, as it has everywhere else.
        program = [*program[:2], program[2].replace("import sys,", 'import sys; sys.argv[0] = "pexservice"; import')]
    with as_first(tmp_path, *program) as (outer, send):
        wait_until(awaiting(outer, STOPPING[-1]))  # Python itself has a handler for SIGINT.
        send(number)
        assert outer.wait(HANG_S) == 0


@pytest.mark.parametrize("number", STOPPING)
def test_process_1_stops_in_order_and_at_once_when_told_twice(tmp_path: Path, number: int) -> None:
    """As any other, although the kernel has no default action for it."""
    path = str(tmp_path / "socket")
    with as_first(tmp_path, *command("pexservice")) as (outer, send):
        wait_until(lambda: accepts(path))
        with Client(path) as client:
            client.send(NEXT + NEXT[:9])
            assert client.read().status == 200
            send(number)
            wait_until(lambda: not accepts(path))
            send(number)
            assert outer.wait(HANG_S) == 128 + number


@pytest.mark.parametrize("number", STOPPING)
def test_each_signal_stops_in_order(tmp_path: Path, number: int) -> None:
    """What was accepted is answered, and the status is 0; SIGHUP is no exception."""
    with serving(tmp_path) as service, service.connect() as client:
        client.send(NEXT[:9])
        service.sequence()
        service.send_signal(number)
        service.logged("draining")
        client.send(NEXT[9:])
        assert client.read().status == 200
        assert service.wait() == 0


def test_signals_that_come_together_end_it_at_once(tmp_path: Path) -> None:
    """The first of them asks for a stop, and the next is the second signal: none is lost, and Python complains of none.

    A process that is suspended gets them all before its next instruction.
    """
    with serving(tmp_path) as service, service.connect() as client:
        client.send(NEXT[:9])
        service.sequence()
        for number in (signal.SIGSTOP, *STOPPING, signal.SIGCONT):
            service.send_signal(number)
        assert service.wait() in {128 + number for number in STOPPING}
        assert "Traceback" not in service.log


def test_nohup_is_respected(tmp_path: Path) -> None:
    """SIGHUP that is ignored by whoever started it stays ignored."""
    with serving(tmp_path, wrapper=["nohup"]) as service:
        service.send_signal(signal.SIGHUP)
        assert service.sequence() == 0
        assert service.stop() == 0
        assert service.log.count('"draining"') == 1


def test_signals_that_were_blocked_are_heard(tmp_path: Path) -> None:
    """A parent that blocks them, by oversight or so that none is lost before they are heard, makes nobody deaf."""
    with serving(tmp_path, wrapper=["env", "--block-signal=TERM,INT,HUP"]) as service:
        assert service.stop() == 0


def test_a_signal_during_a_start_that_waits_stops_it_with_0(tmp_path: Path) -> None:
    """Whatever it waits for: here for a name that is never resolved."""
    source = """
import socket, threading
from pexservice.__main__ import main
socket.getaddrinfo = lambda *_, **__: threading.Event().wait()
main()
"""
    options = ["serve", "--port", "0", "--data-dir", str(tmp_path / "data")]
    with running([sys.executable, "-c", source, *options]) as process:
        wait_until((tmp_path / "data" / "lock").exists)
        process.send_signal(signal.SIGTERM)
        assert process.wait(HANG_S) == 0


@pytest.mark.parametrize("number", STOPPING)
def test_other_commands_end_with_the_status_of_their_signal(tmp_path: Path, number: int) -> None:
    """Without a traceback; 0 would say that they had done their work."""
    status, said = _told(tmp_path, number)
    by_signal = -number if number == signal.SIGINT else 128 + number  # A shell's loop ends with what Ctrl-C ended.
    assert (status, said) == (by_signal, b"")


@pytest.mark.parametrize("number", STOPPING)
@pytest.mark.parametrize("module", ["pexservice.errors", "pexservice.cli.journal", "pexservice.stores.journal.flight"])
def test_a_signal_during_an_import_ends_another_command_by_it(number: int, module: str) -> None:
    """Also where Python makes another error of it: while an attribute learns its name."""
    source = f"""
import os, sys
from pexservice.__main__ import main
class Field:
    def __set_name__(self, *_):
        os.kill(os.getpid(), {int(number)})
class Finder:
    def find_spec(self, name, *_):
        if name == {module!r}:
            type("Fields", (), {{"field": Field()}})
sys.meta_path.insert(0, Finder())
main()
"""
    with running([sys.executable, "-c", source, "journal", "verify"], stderr=subprocess.PIPE) as process:
        _, said = process.communicate(timeout=HANG_S)
    by_signal = -number if number == signal.SIGINT else 128 + number
    assert (process.returncode, said.strip()) == (by_signal, b"")


def test_signals_that_come_together_end_another_command_as_one_does(tmp_path: Path) -> None:
    """With the status of one of them, and without a word of Python's."""
    status, said = _told(tmp_path, signal.SIGSTOP, *STOPPING, signal.SIGCONT)
    statuses = {each for number in STOPPING for each in (-number, 128 + number)}
    assert (status in statuses, said) == (True, b"")


def _told(directory: Path, *numbers: int) -> tuple[int, bytes]:
    """Send signals to a command at its work; return its status and what it said."""
    fifo = directory / "fifo"
    os.mkfifo(fifo)
    source = (
        f"import time; from pexservice.walk import original; from pexservice.__main__ import main\n"
        f"original.read = lambda path: (open({str(fifo)!r}, 'w').close(), time.sleep(60))\nmain()"
    )
    with running([sys.executable, "-c", source, "import", "x"], cwd=directory, stderr=subprocess.PIPE) as process:
        fifo.read_bytes()
        for number in numbers:
            process.send_signal(number)
        _, said = process.communicate(timeout=HANG_S)
    return process.returncode, said.strip()


class TestSocketFile:
    """Of a Unix socket: whoever made it removes it."""

    def test_it_is_gone_after_a_stop(self, tmp_path: Path) -> None:
        """A stop in order leaves no file behind, whether any client came or not."""
        path = tmp_path / "socket"
        with serving(tmp_path / "data", "--uds", str(path)) as service:
            assert path.is_socket()
            assert service.stop() == 0
        assert not path.exists()

    def test_it_is_gone_after_a_start_that_failed(self, tmp_path: Path) -> None:
        """Damage found after it was made leaves none behind either."""
        path = tmp_path / "socket"
        data = tmp_path / "data"
        data.mkdir()
        (data / f"journal-{0:020}.csv").write_bytes(b"")
        with serving(data, "--uds", str(path)) as service:
            assert service.wait() == 65
        assert not path.exists()

    def test_that_of_another_stays(self, tmp_path: Path) -> None:
        """Whoever has made one of the same name in the meantime keeps it."""
        path = tmp_path / "socket"
        with serving(tmp_path / "data", "--uds", str(path)) as service, socket.socket(socket.AF_UNIX) as other:
            path.rename(tmp_path / "aside")
            other.bind(str(path))
            assert service.stop() == 0
            assert path.is_socket()
