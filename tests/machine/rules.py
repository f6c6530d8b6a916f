"""What must hold for the service in systemd. Each rule returns what was seen; they build on each other, in order."""

import re
import time
from collections.abc import Callable
from typing import Final

from machine.installed import CLIENTS, Installed, Seen

_EXPOSURE_MAX: Final = 1.5
"""Of `systemd-analyze security`, which calls it OK below 5 and SAFE below 2."""
_ANSWER_S_MAX: Final = 1.0
"""From a crash to the next answer."""
_KILLS: Final = 8
"""In a row, faster than the limit at which systemd gives up by default: 5 starts in 10 s."""
_UNITS: Final = ("pexservice.service", "pexservice.socket", "pexservice-halted.target")


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
    user = int(service.machine.run("ps", "-o", "uid=", "-p", service.show("MainPID")))
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
    """Killed again and again under load: nobody is refused, the next answer comes within a second, no step is lost."""
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


def a_hung_loop_is_restarted(service: Installed) -> str:
    """SIGSTOP: the watchdog starts it anew, and who waited in the meantime is answered."""
    sequence = service.sequence()
    service.signal("SIGSTOP")
    began_s = time.monotonic()
    assert service.ask("/next", "--request", "POST")
    waited_s = time.monotonic() - began_s
    assert service.sequence() == sequence + 1
    assert "Watchdog timeout" in service.log(50)
    return f"answered after {waited_s:.1f} s"


def wrong_usage_halts(service: Installed) -> str:
    """A wrong option leaves the unit failed, the reason in its journal, and clients refused; `start` leaves that."""
    configuration = service.machine.root / "etc/pexservice.env"
    old = configuration.read_text()
    configuration.write_text(old + "PEXSERVICE_DURABILITY=perhaps\n")
    service.machine.attempt("systemctl", "restart", "pexservice.service")
    seen = _check_halted(service, "perhaps", "err..err")
    configuration.write_text(old)
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
    drop_in = service.machine.root / "etc/systemd/system/pexservice.socket.d/override.conf"
    drop_in.parent.mkdir()
    drop_in.write_text("[Socket]\nListenStream=\nListenStream=/run/pexservice.sock\n")
    service.machine.run("systemctl", "daemon-reload")
    for verb, unit in (("stop", "pexservice"), ("restart", "pexservice.socket"), ("start", "pexservice")):
        service.machine.run("systemctl", verb, unit)
    answer = service.ask("/current", "--unix-socket", "/run/pexservice.sock", "--include")
    assert f"Pex-Sequence: {sequence}" in answer
    return "unix:/run/pexservice.sock answers"


def uninstall_leaves_the_data(service: Installed) -> str:
    """`make uninstall` removes all that `make all` made, but the data; and `make all` finds them again."""
    newest = service.newest_segment()
    told = service.make("uninstall")
    root = service.machine.root
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
    a_hung_loop_is_restarted,
    wrong_usage_halts,
    damage_halts,
    another_address_is_served,
    uninstall_leaves_the_data,
)
