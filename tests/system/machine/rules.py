"""What must hold for the service in systemd. Each rule returns what was seen; they build on each other, in order."""

import re
import time
from collections.abc import Callable
from typing import Final

from support.page import commands, of_backup
from system.machine.installed import CLIENTS, Installed, Seen

_EXPOSURE_MAX: Final = 1.5
"""Of `systemd-analyze security`, which calls it OK below 5 and SAFE below 2."""
_ANSWER_S_MAX: Final = 5.0
"""From a crash to the next answer: 0.65 s and 1.6 s were seen, the latter while a torture campaign ran beside it."""
_KILLS: Final = 8
"""In a row, faster than the limit at which systemd gives up by default: 5 starts in 10 s."""
_UNITS: Final = ("pexservice.service", "pexservice.socket", "pexservice-admin.socket", "pexservice-halted.target")
_ADMIN: Final = "http://127.0.0.1:9100"
_REFUSED: Final = 7
_NOT_FOUND_OR_SO: Final = 22
"""Of curl."""


def make_all_serves(service: Installed) -> str:
    """`make all` from a fresh clone leaves a service that is active, enabled and answers."""
    told = service.make("all")
    assert "127.0.0.1:8081" in told, told
    assert service.is_active()
    for unit in _UNITS[:2]:
        assert service.machine.run("systemctl", "is-enabled", unit) == "enabled"
    assert [service.ask("/next", "--request", "POST") for _ in range(3)] == ["1", "1", "2"]
    return told.splitlines()[-1]


def make_all_again_does_nothing(service: Installed) -> str:
    """`make all` without a change builds nothing and restarts nothing."""
    before = service.show("MainPID")
    told = service.make("all")
    assert "building" not in told, told
    assert service.show("MainPID") == before
    return f"process {before} goes on"


def it_tells_systemd_its_state(service: Installed) -> str:
    """The status line has its place; lines of its log have their priority, and no prefix is left in them."""
    status = service.show("StatusText")
    assert re.fullmatch(r"Sequence \d+, position \d+, \d+ steps/s\.", status), status
    assert "listening" in service.log(50, "--priority=info..info")
    assert "<6>" not in service.log(50)
    return status


def it_is_confined(service: Installed) -> str:
    """It runs as a user of its own that may write its data and nothing else, in its limits."""
    user = int(service.machine.run("stat", "--format=%u", f"/proc/{service.show('MainPID')}"))
    assert user == service.newest_segment().stat().st_uid != 0
    assert service.show("MemoryMax") == str(512 << 20)
    assert service.newest_segment().parent.stat().st_mode & 0o777 == 0o700
    assert "sync=linux-aio" in service.log(50), "the filter of system calls has no room for Linux AIO"
    return f"user {user}, 512 MiB, data 0700, Linux AIO"


def the_units_are_sound(service: Installed) -> str:
    """`systemd-analyze verify` finds nothing, and `security` little exposure."""
    ended = service.machine.attempt("systemd-analyze", "verify", *_UNITS)
    assert (ended.returncode, ended.stdout + ended.stderr) == (0, ""), ended
    last = service.machine.run("systemd-analyze", "security", "--no-pager", "pexservice.service").splitlines()[-1]
    exposure = float(last.partition(": ")[2].split()[0])
    assert exposure <= _EXPOSURE_MAX, last
    return f"verify: nothing; exposure {exposure}"


def a_kill_refuses_nobody(service: Installed) -> str:
    """Killed again and again under load: nobody is refused, the next answer comes at once, no step is lost."""
    with service.under_load() as load:
        for _ in range(_KILLS):
            sequence = service.sequence()
            service.signal("SIGKILL")
            service.await_steps(sequence, 1)
    _check(load.seen, lost_max=_KILLS * CLIENTS)
    assert load.seen.pause_s_max < _ANSWER_S_MAX, load.seen
    return f"{_KILLS} kills: {_words(load.seen)}"


def a_restart_loses_nothing(service: Installed) -> str:
    """`systemctl restart` under load: no request fails."""
    with service.under_load() as load:
        for _ in range(3):
            service.machine.run("systemctl", "restart", "pexservice.service")
            service.await_steps(service.sequence(), 300)
    _check(load.seen, lost_max=0)
    return f"3 restarts: {_words(load.seen)}"


def an_upgrade_and_a_roll_back_lose_nothing(service: Installed) -> str:
    """`make all` of another version and `make roll-back` under load: no request fails."""
    source = service.clone / "src/pexservice/__init__.py"
    old = source.read_text()
    version = service.machine.run("pexservice", "version")
    source.write_text(re.sub(r'__version__ = ".*"', '__version__ = "99.0.0"', old))
    with service.under_load() as load:
        service.make("all")
        assert service.ask("/").startswith("pexservice 99.0.0")
        service.await_steps(service.sequence(), 300)
        service.make("roll-back")
        assert service.machine.run("pexservice", "version") == version
        assert service.ask("/").startswith(version)
    source.write_text(old)
    _check(load.seen, lost_max=0)
    return _words(load.seen)


def an_interrupted_install_is_taken_up(service: Installed) -> str:
    """`make all` that ends before the restart: the next one restarts, so that what it calls active is what runs."""
    source = service.clone / "src/pexservice/__init__.py"
    old = source.read_text()
    source.write_text(re.sub(r'__version__ = ".*"', '__version__ = "98.0.0"', old))
    fails = service.machine.root / "srv/fails/systemctl"
    fails.parent.mkdir()
    fails.write_text("#!/bin/sh\nexit 1\n")
    fails.chmod(0o755)
    ended = service.machine.attempt("PATH=/srv/fails:/usr/sbin:/usr/bin:/sbin:/bin", *service.making("all"))
    assert ended.returncode != 0
    assert not service.ask("/").startswith("pexservice 98.0.0")
    service.make("all")
    assert service.ask("/").startswith("pexservice 98.0.0")
    source.write_text(old)
    service.make("roll-back")
    assert not service.ask("/").startswith("pexservice 98.0.0")
    return "the second runs what the first installed"


def a_backup_is_restored(service: Installed) -> str:
    """The commands of operations.md, pasted as they stand, twice: the walk is back where it was."""
    page = "Back up, and restore"
    sequence = service.sequence()
    service.shell(commands(page, "backup="))
    [backup] = (service.machine.root / "var/backups").glob("pexservice-*")
    for _ in range(2):
        assert service.ask("/next", "--request", "POST")
        service.shell(of_backup(commands(page, "systemctl stop"), f"/var/backups/{backup.name}"))
        assert service.sequence() == sequence
        time.sleep(1.1)  # What is put aside is named by the second.
    return f"sequence {sequence}, twice"


def the_walk_moves_to_another_machine(service: Installed) -> str:
    """The commands of operations.md: the new machine, on which `make all` began another walk, goes on with the old."""
    page = "Move to another machine"
    put_aside, start = commands(page, "systemctl stop"), commands(page, "chown")
    stop, copy = commands(page, "systemctl disable").splitlines()
    sequence = service.sequence()
    service.shell(f"{stop}\ncp -a /var/lib/pexservice/. /srv/old\n{put_aside}")
    service.machine.run("systemctl", "enable", "--now", "pexservice.socket", "pexservice.service")
    assert service.sequence() == 0
    assert service.ask("/next", "--request", "POST") == "1"
    time.sleep(1.1)
    copy = copy.replace("tar -C /var/lib/pexservice -cf", "tar -C /srv/old -cf").replace("ssh new-machine", "sh -c")
    service.shell(f"{put_aside}\n{copy}\n{start}")
    assert service.sequence() == sequence
    assert service.ask("/next", "--request", "POST")
    return f"sequence {sequence} goes on"


def metrics_have_a_socket_of_their_own(service: Installed) -> str:
    """Enabled as systemd.md says, it answers scrapes; stopped or halted, it is closed too, and no scrape starts it."""

    def scrape(where: str) -> int:
        return service.machine.attempt("curl", "--silent", "--fail", "--max-time", "10", f"{where}/metrics").returncode

    stop = ("systemctl", "stop", "pexservice.socket", "pexservice.service")
    with service.options("PEXSERVICE_ADMIN_BIND=127.0.0.1:9100"):
        service.machine.attempt("systemctl", "restart", "pexservice.service")
        without = _check_halted(service, "pexservice-admin.socket", "crit..crit")
        service.machine.run("systemctl", "enable", "pexservice-admin.socket")
        service.machine.run("systemctl", "start", "pexservice.service")
        assert scrape(_ADMIN) == 0
        assert scrape("http://127.0.0.1:8081") == _NOT_FOUND_OR_SO
        service.machine.run(*stop)
        assert scrape(_ADMIN) == _REFUSED
        assert service.show("ActiveState") == "inactive"
        service.machine.run("systemctl", "start", "pexservice.service")
        assert scrape(_ADMIN) == 0
        with service.options("PEXSERVICE_DURABILITY=perhaps"):
            service.machine.attempt("systemctl", "restart", "pexservice.service")
            _check_halted(service, "perhaps", "err..err")
            assert scrape(_ADMIN) == _REFUSED
    service.machine.run("systemctl", "disable", "pexservice-admin.socket")
    service.machine.run("systemctl", "start", "pexservice.service")
    assert scrape("http://127.0.0.1:8081") == 0
    return f"scraped; closed when stopped, and when halted; without it: {without}"


def a_token_is_a_credential(service: Installed) -> str:
    """A token as security.md says: steps need it; with its file gone, the unit fails, once, and is not open."""
    token = service.machine.root / "etc/pexservice.token"
    token.write_text(f"{'t' * 32}\n")
    token.chmod(0o600)
    lines = (
        "LoadCredential=pexservice.token:/etc/pexservice.token\nEnvironment=PEXSERVICE_TOKEN_FILE=%d/pexservice.token"
    )
    with service.drop_in("pexservice.service", f"[Service]\n{lines}\n"):
        service.machine.run("systemctl", "restart", "pexservice.service")
        step = ("curl", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}", "--request", "POST")
        url = "http://127.0.0.1:8081/next"
        assert service.machine.run(*step, url) == "401"
        assert service.machine.run(*step, "--header", f"Authorization: Bearer {'t' * 32}", url) == "200"
        token.unlink()
        service.machine.attempt("systemctl", "restart", "pexservice.service")
        seen = _check_halted(service, "credentials", "err..err")
    service.machine.run("systemctl", "start", "pexservice.service")
    return f"401 without, 200 with it; its file gone: {seen}"


def a_hung_loop_is_restarted(service: Installed) -> str:
    """SIGSTOP: the watchdog starts it anew, and who waited in the meantime is answered."""
    sequence = service.sequence()
    with service.drop_in("pexservice.service", "[Service]\nWatchdogSec=8s\n"):
        service.machine.run("systemctl", "restart", "pexservice.service")
        service.signal("SIGSTOP")
        began_s = time.monotonic()
        assert service.ask("/next", "--request", "POST")
        waited_s = time.monotonic() - began_s
    assert service.sequence() == sequence + 1
    assert "Watchdog timeout" in service.log(50)
    return f"answered after {waited_s:.1f} s"


def wrong_usage_halts(service: Installed) -> str:
    """A wrong option leaves the unit failed, the reason in its journal, and clients refused; `start` leaves that."""
    with service.options("PEXSERVICE_DURABILITY=perhaps"):
        service.machine.attempt("systemctl", "restart", "pexservice.service")
        seen = _check_halted(service, "perhaps", "err..err")
    service.machine.run("systemctl", "start", "pexservice.service")
    assert service.ask("/current")
    return seen


def damage_halts(service: Installed) -> str:
    """A damaged journal, likewise; and with the file restored it stands where it stood."""
    sequence = service.sequence()
    service.machine.run("systemctl", "stop", "pexservice.socket", "pexservice.service")
    segment = service.newest_segment()
    # A stop leaves a segment with the rows of this run; one byte of its opening row is changed.
    whole = segment.read_bytes()
    at = whole.index(b"\n") + 3
    segment.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    service.machine.run("systemctl", "start", "pexservice.socket")
    service.machine.attempt("curl", "--silent", "--max-time", "10", "http://127.0.0.1:8081/current")
    seen = _check_halted(service, segment.name, "crit..crit")
    segment.write_bytes(whole)
    service.machine.run("systemctl", "start", "pexservice.service")
    assert service.sequence() == sequence
    return seen


def another_address_is_served(service: Installed) -> str:
    """A drop-in for the socket unit moves it to a Unix socket, as the documentation says."""
    sequence = service.sequence()
    path = "/run/pexservice/http.socket"
    apply = "systemctl stop pexservice && systemctl restart pexservice.socket && systemctl start pexservice"
    lines = f"ListenStream=\nListenStream={path}\nSocketGroup=www-data\nSocketMode=0660\n"
    with service.drop_in("pexservice.socket", f"[Socket]\n{lines}"):
        service.shell(apply)
        answer = service.ask("/current", "--unix-socket", path, "--include")
        assert f"Pex-Sequence: {sequence}" in answer
        seen = service.machine.run("stat", "--format=%A %U %G", path)
        assert seen == "srw-rw---- root www-data", seen
    service.shell(apply)
    return f"unix:{path} answers, {seen}"


def uninstall_leaves_the_data(service: Installed) -> str:
    """`make uninstall` removes all that `make all` made, but the data; and `make all` finds them again.

    What the operator set stays with them, and is told: the next `make all` must not come back without the token.
    """
    newest = service.newest_segment()
    root = service.machine.root
    options = root / "etc/pexservice.env"
    with service.options("PEXSERVICE_KEEP_ALIVE=60s"), service.drop_in("pexservice.service", "[Service]\nNice=1\n"):
        told = service.make("uninstall")
        for kept in ("etc/pexservice.env", "etc/systemd/system/pexservice.service.d"):
            assert (root / kept).exists()
            assert kept in told, told
        service.make("all")
        assert service.show("Nice") == "1"
    told = service.make("uninstall")
    assert not options.exists()
    left = [
        each for each in ("opt/pexservice", "usr/local/bin/pexservice", "etc/pexservice.env") if (root / each).exists()
    ]
    left += [str(each) for place in ("etc/systemd", "usr/local/lib/systemd") for each in (root / place).rglob("pex*")]
    assert not left, left
    assert service.machine.attempt("systemctl", "cat", "pexservice.service").returncode != 0
    assert service.newest_segment() == newest
    service.make("all")
    assert service.sequence() > 0
    return told


def _check(seen: Seen, *, lost_max: int) -> None:
    assert set(seen.failures) <= {"in flight"}, seen
    assert seen.in_flight <= lost_max, seen


def _words(seen: Seen) -> str:
    return (
        f"{seen.answers:,} answers, {seen.refused} refused, {seen.in_flight} lost in flight, "
        f"longest pause {seen.pause_s_max:.2f} s"
    )


def _check_halted(service: Installed, reason: str, priorities: str) -> str:
    """Check that it failed, says why, does not start over and over, and that clients learn of it at once."""
    service.wait_until(lambda: service.show("ActiveState", "pexservice.socket") == "inactive")
    assert service.show("ActiveState") == "failed"
    line = service.log(20, f"--priority={priorities}")
    assert reason in line, line
    started = service.show("ExecMainStartTimestampMonotonic")
    deadline_s = time.monotonic() + 2
    while time.monotonic() < deadline_s:
        ended = service.machine.attempt("curl", "--silent", "http://127.0.0.1:8081/current")
        assert ended.returncode == 7, "curl was not refused"
    assert service.show("ExecMainStartTimestampMonotonic") == started
    return f"failed with {service.show('ExecMainStatus')}, once; clients refused"


RULES: Final[tuple[Callable[[Installed], str], ...]] = (
    make_all_serves,
    make_all_again_does_nothing,
    it_tells_systemd_its_state,
    it_is_confined,
    the_units_are_sound,
    a_kill_refuses_nobody,
    a_restart_loses_nothing,
    an_upgrade_and_a_roll_back_lose_nothing,
    an_interrupted_install_is_taken_up,
    a_backup_is_restored,
    the_walk_moves_to_another_machine,
    metrics_have_a_socket_of_their_own,
    a_token_is_a_credential,
    a_hung_loop_is_restarted,
    wrong_usage_halts,
    damage_halts,
    another_address_is_served,
    uninstall_leaves_the_data,
)
