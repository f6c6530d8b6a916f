"""What systemd makes of a service that is killed, hangs, or cannot start."""

import re
import time
from typing import Final

import pytest

from support.much import Much
from support.show import Show
from system.systemd.installed import CLIENTS, Installed

_ANSWER_S_MAX: Final = 5.0
"""From a crash to the next answer: 0.65 s and 1.6 s were seen, the latter while a torture campaign ran beside it."""
_KILLS: Final = 8
"""In a row, faster than the limit at which systemd gives up by default: 5 starts in 10 s."""
_ADMIN: Final = "http://127.0.0.1:9100"
_REFUSED: Final = 7
_NOT_FOUND_OR_SO: Final = 22
"""Of curl."""
_KILL_A_WORKER: Final = """
nursery=$(cat /proc/MAIN/task/MAIN/children)
set -- $(cat /proc/${nursery% }/task/${nursery% }/children)
kill -9 "$1"
"""
"""The main process has one child, and that has the workers."""
pytestmark = pytest.mark.timeout(900)


def test_it_tells_systemd_its_state(service: Installed, show: Show) -> None:
    """The status line has its place; lines of its log have their priority, and no prefix is left in them."""
    status = service.show("StatusText")
    assert re.fullmatch(r"Sequence \d+, position \d+, \d+ steps/s\.", status), status
    assert "listening" in service.log(50, "--priority=info..info")
    assert "<6>" not in service.log(50)
    show(status)


def test_a_kill_refuses_nobody(service: Installed, show: Show, much: Much) -> None:
    """Killed again and again under load: nobody is refused, the next answer comes at once, no step is lost."""
    for _ in range(much.of(1, 10)):
        with service.under_load() as load:
            for _ in range(_KILLS):
                sequence = service.sequence()
                service.signal("SIGKILL")
                service.await_steps(sequence, 1)
        load.seen.check(lost_max=_KILLS * CLIENTS)
        assert load.seen.pause_s_max < _ANSWER_S_MAX, load.seen
        show(f"{_KILLS} kills: {load.seen.words}")


def test_a_restart_loses_nothing(service: Installed, show: Show) -> None:
    """`systemctl restart` under load: no request fails."""
    with service.under_load() as load:
        for _ in range(3):
            service.host.run("systemctl", "restart", "pexservice.service")
            service.await_steps(service.sequence(), 300)
    load.seen.check(lost_max=0)
    show(f"3 restarts: {load.seen.words}")


def test_a_hung_loop_is_restarted(service: Installed, show: Show) -> None:
    """SIGSTOP: the watchdog starts it anew, and who waited in the meantime is answered."""
    sequence = service.sequence()
    with service.drop_in("pexservice.service", "[Service]\nWatchdogSec=8s\n"):
        service.host.run("systemctl", "restart", "pexservice.service")
        service.signal("SIGSTOP")
        began_s = time.monotonic()
        assert service.ask("/next", "--request", "POST")
        waited_s = time.monotonic() - began_s
    assert service.sequence() == sequence + 1
    assert "Watchdog timeout" in service.log(50)
    show(f"answered after {waited_s:.1f} s")


def test_wrong_usage_halts(service: Installed, show: Show) -> None:
    """A wrong option leaves the unit failed, the reason in its journal, and clients refused; `start` leaves that."""
    with service.options("PEXSERVICE_DURABILITY=perhaps"):
        service.host.attempt("systemctl", "restart", "pexservice.service")
        seen = service.check_halted("perhaps", "err..err")
    service.host.run("systemctl", "start", "pexservice.service")
    assert service.ask("/current")
    show(seen)


def test_damage_halts(service: Installed, show: Show) -> None:
    """A damaged journal, likewise; and with the file restored it stands where it stood."""
    sequence = service.sequence()
    service.host.run("systemctl", "stop", "pexservice.socket", "pexservice.service")
    segment = service.newest_segment()
    # A stop leaves a segment with the rows of this run; one byte of its opening row is changed.
    whole = segment.read_bytes()
    at = whole.index(b"\n") + 3
    segment.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    service.host.run("systemctl", "start", "pexservice.socket")
    service.host.attempt("curl", "--silent", "--max-time", "10", "http://127.0.0.1:8081/current")
    seen = service.check_halted(segment.name, "crit..crit")
    segment.write_bytes(whole)
    service.host.run("systemctl", "start", "pexservice.service")
    assert service.sequence() == sequence
    show(seen)


def test_metrics_have_a_socket_of_their_own(service: Installed, show: Show) -> None:
    """Enabled as systemd.md says, it answers scrapes; stopped or halted, it is closed too, and no scrape starts it."""

    def scrape(where: str) -> int:
        return service.host.attempt("curl", "--silent", "--fail", "--max-time", "10", f"{where}/metrics").returncode

    stop = ("systemctl", "stop", "pexservice.socket", "pexservice.service")
    with service.options("PEXSERVICE_ADMIN_BIND=127.0.0.1:9100"):
        service.host.attempt("systemctl", "restart", "pexservice.service")
        without = service.check_halted("pexservice-admin.socket", "crit..crit")
        service.host.run("systemctl", "enable", "pexservice-admin.socket")
        service.host.run("systemctl", "start", "pexservice.service")
        assert scrape(_ADMIN) == 0
        assert scrape("http://127.0.0.1:8081") == _NOT_FOUND_OR_SO
        service.host.run(*stop)
        assert scrape(_ADMIN) == _REFUSED
        assert service.show("ActiveState") == "inactive"
        service.host.run("systemctl", "start", "pexservice.service")
        assert scrape(_ADMIN) == 0
        with service.options("PEXSERVICE_DURABILITY=perhaps"):
            service.host.attempt("systemctl", "restart", "pexservice.service")
            service.check_halted("perhaps", "err..err")
            assert scrape(_ADMIN) == _REFUSED
    service.host.run("systemctl", "disable", "pexservice-admin.socket")
    service.host.run("systemctl", "start", "pexservice.service")
    assert scrape("http://127.0.0.1:8081") == 0
    show(f"scraped; closed when stopped, and when halted; without it: {without}")


def test_a_token_is_a_credential(service: Installed, show: Show) -> None:
    """A token as security.md says: steps need it; with its file gone, the unit fails, once, and is not open."""
    token = service.host.root / "etc/pexservice.token"
    token.write_text(f"{'t' * 32}\n")
    token.chmod(0o600)
    lines = (
        "LoadCredential=pexservice.token:/etc/pexservice.token\nEnvironment=PEXSERVICE_TOKEN_FILE=%d/pexservice.token"
    )
    with service.drop_in("pexservice.service", f"[Service]\n{lines}\n"):
        service.host.run("systemctl", "restart", "pexservice.service")
        step = ("curl", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}", "--request", "POST")
        url = "http://127.0.0.1:8081/next"
        assert service.host.run(*step, url) == "401"
        assert service.host.run(*step, "--header", f"Authorization: Bearer {'t' * 32}", url) == "200"
        token.unlink()
        service.host.attempt("systemctl", "restart", "pexservice.service")
        seen = service.check_halted("credentials", "err..err")
    service.host.run("systemctl", "start", "pexservice.service")
    show(f"401 without, 200 with it; its file gone: {seen}")


def test_a_service_of_several_processes_is_supervised_as_one(service: Installed, show: Show) -> None:
    """Restarted and killed under load: nobody is refused, no step is lost, and none of its processes is left behind.

    So is one of its workers, which systemd does not notice.
    """
    with service.options("PEXSERVICE_WORKERS=3"):
        with service.under_load() as load:
            for _ in range(2):
                service.host.run("systemctl", "restart", "pexservice.service")
                service.await_steps(service.sequence(), 300)
        load.seen.check(lost_max=0)
        show(f"2 restarts of several processes: {load.seen.words}")
        tasks = int(service.show("TasksCurrent"))
        with service.under_load() as load:
            for _ in range(3):
                sequence = service.sequence()
                service.signal("SIGKILL")
                service.await_steps(sequence, 1)
        load.seen.check(lost_max=2 * 3 * CLIENTS)  # Who asks again at once may meet a worker that is about to die.
        assert int(service.show("TasksCurrent")) <= tasks + 1
        show(f"3 kills of the writer: {load.seen.words}")
        started = service.show("ExecMainStartTimestamp")
        with service.under_load() as load:
            for _ in range(3):
                sequence = service.sequence()
                service.shell(_KILL_A_WORKER.replace("MAIN", service.show("MainPID")))
                service.await_steps(sequence, 300)
        load.seen.check(lost_max=3 * CLIENTS)
        assert service.show("ExecMainStartTimestamp") == started
        assert re.fullmatch(
            r"Sequence \d+, position \d+, \d+ steps/s, [123] of 3 workers\.", service.show("StatusText")
        )
        show(f"3 kills of a worker: {load.seen.words}")
