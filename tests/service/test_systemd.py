"""What the service manager hands over, and what it is told."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from pexservice.errors import WrongSockets
from pexservice.limits import DEFAULT
from pexservice.process import systemd
from pexservice.process.systemd import passed_listeners
from support.activation import activated, passing
from support.client import Client
from support.messages import NEXT
from support.process import HANG_S, Service, command, environment, serving, slow_to_recover


def test_a_passed_socket_outlives_the_service(tmp_path: Path) -> None:
    """It is served in place of --port, and who comes while no service runs is answered by the next one."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        with activated(tmp_path, listener) as service:
            assert service.port == listener.getsockname()[1]
            assert service.sequence() == 0
            assert "whatever --host, --port and --uds say" in service.log
            assert service.stop(signal.SIGTERM) == 0
        waiting = stack.enter_context(Client(listener.getsockname()))
        waiting.send(NEXT)
        with activated(tmp_path, listener):
            assert waiting.read().sequence == 1


def test_a_passed_unix_socket_is_served(tmp_path: Path) -> None:
    """Any listening stream socket will do, and a stop leaves its name, which is the manager's."""
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        with activated(tmp_path / "data", listener) as service:
            assert service.sequence() == 0
            service.stop()
        Client(path).close()


def test_a_socket_named_admin_is_for_probes(tmp_path: Path) -> None:
    """With --admin-bind, the passed socket of that name serves the probes, and the other one the walk."""
    with socket.create_server(("127.0.0.1", 0)) as walk, socket.create_server(("127.0.0.1", 0)) as admin:
        for each in (walk, admin):
            each.set_inheritable(True)
        wrapper = passing([admin.fileno(), walk.fileno()], "admin:pexservice.socket")
        with serving(tmp_path, "--admin-bind", "127.0.0.1:1", wrapper=wrapper):
            for listener, statuses in ((walk, (200, 404)), (admin, (404, 200))):
                with Client(listener.getsockname()) as client:
                    assert (client.ask("GET", "/current").status, client.ask("GET", "/livez").status) == statuses


def listening_on_vsock() -> socket.socket:
    """Return a listening socket of vsock(7), as `ListenStream=vsock::` makes one."""
    try:
        listener = socket.socket(socket.AF_VSOCK)
        listener.bind((socket.VMADDR_CID_ANY, -1 & 0xFFFFFFFF))  # Any free port.
    except OSError:
        pytest.skip("this machine has no vsock")
    listener.listen()
    return listener


@pytest.mark.parametrize(
    ("kinds", "names", "told"),
    [
        ("SS", "a:b", "several were passed: a, b"),
        ("SS", "a:a", "several sockets named 'a'"),
        ("SS", "a", "2 sockets were passed, but only 1 names"),
        ("D", "a", "does not listen for streams"),
        ("C", "a", "does not listen for streams"),
        ("F", "a", "is none"),
        ("V", "a", "neither of TCP nor a Unix socket"),
    ],
)
def test_sockets_that_cannot_be_served_are_refused(tmp_path: Path, kinds: str, names: str, told: str) -> None:
    """Several sockets, a datagram socket, one that does not listen, a file, one of vsock: 2, with the reason.

    And nothing is written.
    """
    with ExitStack() as stack:
        make: dict[str, Callable[[], int]] = {
            "S": lambda: stack.enter_context(socket.create_server(("127.0.0.1", 0))).fileno(),
            "D": lambda: stack.enter_context(socket.socket(type=socket.SOCK_DGRAM)).fileno(),
            "C": lambda: stack.enter_context(socket.socket()).fileno(),
            "F": lambda: stack.enter_context((tmp_path / "file").open("w")).fileno(),
            "V": lambda: stack.enter_context(listening_on_vsock()).fileno(),
        }
        fds = [make[kind]() for kind in kinds]
        ended = subprocess.run(
            [*passing(fds, names), *command("pexservice", "serve", "--data-dir", str(tmp_path / "data"))],
            env=environment(),
            pass_fds=fds,
            capture_output=True,
            text=True,
            timeout=HANG_S,
            check=False,
        )
    assert (ended.returncode, told in ended.stderr) == (2, True), ended.stderr
    assert not list(tmp_path.glob("data/journal-*"))


def test_sockets_for_another_process_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """With LISTEN_PID of another process nothing is taken; the variables go, so that no child takes them either."""
    for name, value in {"LISTEN_PID": str(os.getpid() + 1), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "a"}.items():
        monkeypatch.setenv(name, value)
    assert passed_listeners() == {}
    assert not [name for name in os.environ if name.startswith("LISTEN_")]


@pytest.mark.parametrize("count", ["", "-1", "x", "\u00b2"])
def test_a_number_of_sockets_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, count: str) -> None:
    """A manager that says how many sockets it passed in a way that cannot be read is not guessed at."""
    for name, value in {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": count, "LISTEN_FDNAMES": "a"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(WrongSockets, match="no number of sockets"):
        passed_listeners()


_DISK_THAT_HANGS = """
import asyncio
from pexservice.cli import main
from pexservice.stores.journal.journal import Journal
class Hung(asyncio.Future):
    expected = None
Journal.commit = lambda self, steps, terms: Hung()
main()
"""
_STEPS_THAT_NOBODY_TAKES = """
from pexservice.cli import main
from pexservice.core.engine import Engine
submit = Engine.submit
def submit_unnoticed(self, *step):
    self._arrival, self._is_open = None, False
    submit(self, *step)
Engine.submit = submit_unnoticed
main()
"""


class Manager:
    """What a service manager hears."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.settimeout(HANG_S)
        self.socket.bind(str(path))
        self._path = path

    @contextmanager
    def starting(self, source: str) -> Iterator[Service]:
        """Run a service that is made from source and reports here, ten times a second, until the end of the block."""
        program = [sys.executable, "-c", source]
        data_dir = self._path.with_name("data")
        notify_socket = str(self._path)
        with serving(data_dir, program=program, NOTIFY_SOCKET=notify_socket, WATCHDOG_USEC="200000") as service:
            yield service

    def hear(self) -> dict[str, str]:
        """Return the next report."""
        return dict(line.split("=", 1) for line in self.socket.recv(4096).decode().split("\n"))

    def hear_until(self, name: str) -> list[dict[str, str]]:
        """Return the reports up to the first with an assignment to this name."""
        reports = [self.hear()]
        while name not in reports[-1]:
            reports.append(self.hear())
        return reports


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    hearing = Manager(tmp_path / "notify")
    with hearing.socket:
        yield hearing


def test_the_manager_hears_of_start_state_and_stop(manager: Manager) -> None:
    """It is ready only after recovery, for which it gets time; then tells its place; and a stop gets time to drain."""
    with manager.starting(slow_to_recover(1.5)) as service:
        *recovering, ready = manager.hear_until("READY")
        assert len(recovering) >= 5
        assert all(int(report["EXTEND_TIMEOUT_USEC"]) > 10**6 for report in recovering)
        assert ready["STATUS"].startswith("Sequence 0, position 0, ")
        with service.connect() as client:
            client.ask("POST", "/next")
        manager.hear()  # May have been under way.
        assert manager.hear()["STATUS"].startswith("Sequence 1, position 1, ")
        service.send_signal(signal.SIGTERM)
        stopping = manager.hear_until("STOPPING")[-1]
        assert int(stopping["EXTEND_TIMEOUT_USEC"]) > DEFAULT.drain_timeout_s * 10**6
        assert service.wait() == 0


def test_the_first_report_counts_no_steps_of_earlier_lives(manager: Manager) -> None:
    """Ready on a history of some steps, it tells a rate of none."""
    for sequence in (0, 1):
        with manager.starting("from pexservice.cli import main; main()") as service:
            ready = manager.hear_until("READY")[-1]
            assert ready["STATUS"] == f"Sequence {sequence}, position {sequence}, 0 steps/s."
            with service.connect() as client:
                client.ask("POST", "/next")
            service.send_signal(signal.SIGTERM)
            manager.hear_until("STOPPING")
            assert service.wait() == 0


def test_the_watchdog_is_fed_while_the_disk_hangs(manager: Manager) -> None:
    """A group that stays at the disk for many periods is the disk's business: no restart would help."""
    with manager.starting(_DISK_THAT_HANGS) as service:
        manager.hear_until("READY")
        with service.connect() as client:
            client.send(NEXT)
            manager.hear()
            client.send(NEXT)  # It waits behind the group at the disk.
            reports = [manager.hear() for _ in range(10)]
        assert all("WATCHDOG" in report for report in reports)
        assert reports[-1]["STATUS"].startswith("Sequence 0, ")


def test_the_watchdog_is_not_fed_when_nobody_takes_the_commands(manager: Manager) -> None:
    """Commands wait from one report to the next and no group is at the store: it is not fed, and that is logged."""
    with manager.starting(_STEPS_THAT_NOBODY_TAKES) as service:
        manager.hear_until("READY")
        with service.connect() as client:
            client.send(NEXT)
            service.logged("commands wait and no group is at the store; a watchdog would restart")
            for _ in range(5):  # The first were under way.
                last = manager.hear()
        assert "WATCHDOG" not in last


def test_a_manager_that_is_gone_stops_nothing(tmp_path: Path) -> None:
    """With nobody at NOTIFY_SOCKET the service says so, and serves."""
    with serving(tmp_path / "data", NOTIFY_SOCKET=str(tmp_path / "nobody")) as service:
        service.logged("cannot reach the service manager")
        assert service.sequence() == 0


def test_a_manager_that_is_gone_is_missed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And again only after it was reached in between."""
    warned: list[str] = []
    monkeypatch.setattr(systemd, "log", SimpleNamespace(warning=lambda event, **_: warned.append(event)))
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    manager = systemd.Manager(DEFAULT.report_period_s)
    for _ in range(3):
        manager.tell(["READY=1"])
    assert warned == ["cannot reach the service manager"]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as hearing:
        hearing.bind(str(tmp_path / "notify"))
        manager.tell(["READY=1"])
        assert hearing.recv(100) == b"READY=1"
    for _ in range(3):
        manager.tell(["READY=1"])
    assert len(warned) == 2
    assert manager._socket is not None
    manager._socket.close()


@pytest.mark.parametrize("address", ["x" * 200, "/\udcff/notify", "@", "/dev/null", "relative", "vsock:2:1"])
def test_any_address_of_a_manager_lets_it_serve(tmp_path: Path, address: str) -> None:
    """It is missed with a reason, and that is all."""
    with serving(tmp_path, NOTIFY_SOCKET=address, WATCHDOG_USEC="0") as service:
        assert service.logged("cannot reach the service manager")["error"]
        assert service.sequence() == 0


def test_the_watchdog_of_another_process_is_not_fed_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """WATCHDOG_PID of another process leaves the period alone; a short one of this process is kept twice over."""
    monkeypatch.setenv("WATCHDOG_USEC", "4000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid() + 1))
    assert systemd.Manager(DEFAULT.report_period_s).period_s == DEFAULT.report_period_s
    monkeypatch.setenv("WATCHDOG_USEC", "4000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    assert systemd.Manager(DEFAULT.report_period_s).period_s == 2
    assert "WATCHDOG_USEC" not in os.environ


@pytest.mark.parametrize(("is_journal", "begins"), [(True, '<2>{"'), (False, '{"')])
def test_lines_for_the_journal_bear_their_priority(tmp_path: Path, is_journal: bool, begins: str) -> None:  # noqa: FBT001
    """Where standard error is the stream that JOURNAL_STREAM names, lines begin with <N>, and nowhere else."""
    log = tmp_path / "log"
    options = ["--data-dir", str(log / "data"), "--log-format", "json"]
    with log.open("w") as stderr:
        status = os.fstat(stderr.fileno())
        stream = f"{status.st_dev}:{status.st_ino + (not is_journal)}"
        variables = environment(JOURNAL_STREAM=stream)
        subprocess.run(command("pexservice", "serve", *options), env=variables, stderr=stderr, check=False)
    assert log.read_text().startswith(begins)
