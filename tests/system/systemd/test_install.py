"""What `make all`, `make roll-back` and `make uninstall` do, in a real systemd."""

import re
from typing import Final

import pytest

from support.show import Show
from system.systemd.installed import Installed

_EXPOSURE_MAX: Final = 1.5
"""Of `systemd-analyze security`, which calls it OK below 5 and SAFE below 2."""
_NEWER: Final = re.compile(r"Unknown key '(RestartSteps|RestartMaxDelaySec)' in section \[Service\], ignoring")
"""Those of systemd 254, as the unit says."""
_UNITS: Final = ("pexservice.service", "pexservice.socket", "pexservice-admin.socket", "pexservice-halted.target")
pytestmark = pytest.mark.timeout(900)


def test_make_all_serves(service: Installed, show: Show) -> None:
    """`make all` from a fresh clone leaves a service that is active, enabled and answers."""
    assert "127.0.0.1:8081" in service.told, service.told
    assert service.is_active()
    for unit in _UNITS[:2]:
        assert service.host.run("systemctl", "is-enabled", unit) == "enabled"
    service.step()
    show(service.told.splitlines()[-1])


def test_make_all_again_does_nothing(service: Installed, show: Show) -> None:
    """`make all` without a change builds nothing and restarts nothing."""
    before = service.show("MainPID")
    told = service.make("all")
    assert "building" not in told, told
    assert service.show("MainPID") == before
    show(f"process {before} goes on")


def test_the_units_are_sound(service: Installed, show: Show) -> None:
    """`systemd-analyze verify` finds nothing but what is newer than itself, and `security` little exposure."""
    ended = service.host.attempt("systemd-analyze", "verify", *_UNITS)
    told = [line for line in (ended.stdout + ended.stderr).splitlines() if not _NEWER.search(line)]
    assert (ended.returncode, told) == (0, []), ended
    last = service.host.run("systemd-analyze", "security", "--no-pager", "pexservice.service").splitlines()[-1]
    exposure = float(last.partition(": ")[2].split()[0])
    assert exposure <= _EXPOSURE_MAX, last
    show(f"verify: nothing; exposure {exposure}")


def test_it_is_confined(service: Installed, show: Show) -> None:
    """It runs as a user of its own that may write its data and nothing else, in its limits."""
    user = int(service.host.run("stat", "--format=%u", f"/proc/{service.show('MainPID')}"))
    assert user == service.newest_segment().stat().st_uid != 0
    assert service.show("MemoryMax") == str(512 << 20)
    assert service.newest_segment().parent.stat().st_mode & 0o777 == 0o700
    assert "sync_method=posix-aio" in service.log(1000), "the writes have no threads of the C library"
    show(f"user {user}, 512 MiB, data 0700, asynchronous writes")


def test_an_upgrade_and_a_roll_back_lose_nothing(service: Installed, show: Show) -> None:
    """`make all` of another version and `make roll-back` under load: no request fails."""
    source = service.clone / "src/pexservice/__init__.py"
    old = source.read_text()
    version = service.host.run("pexservice", "version")
    source.write_text(re.sub(r'__version__ = ".*"', '__version__ = "99.0.0"', old))
    with service.under_load() as load:
        service.make("all")
        assert service.ask("/").startswith("pexservice 99.0.0")
        service.await_steps(service.sequence(), 300)
        service.make("roll-back")
        assert service.host.run("pexservice", "version") == version
        assert service.ask("/").startswith(version)
    source.write_text(old)
    load.seen.check(lost_max=0)
    show(load.seen.words)


def test_an_interrupted_install_is_taken_up(service: Installed, show: Show) -> None:
    """`make all` that ends before the restart: the next one restarts, so that what it calls active is what runs."""
    source = service.clone / "src/pexservice/__init__.py"
    old = source.read_text()
    source.write_text(re.sub(r'__version__ = ".*"', '__version__ = "98.0.0"', old))
    fails = service.host.root / "srv/fails/systemctl"
    fails.parent.mkdir()
    fails.write_text("#!/bin/sh\nexit 1\n")
    fails.chmod(0o755)
    ended = service.host.attempt("PATH=/srv/fails:/usr/sbin:/usr/bin:/sbin:/bin", *service.making("all"))
    assert ended.returncode != 0
    assert not service.ask("/").startswith("pexservice 98.0.0")
    service.make("all")
    assert service.ask("/").startswith("pexservice 98.0.0")
    source.write_text(old)
    service.make("roll-back")
    assert not service.ask("/").startswith("pexservice 98.0.0")
    show("the second runs what the first installed")


def test_another_address_is_served(service: Installed, show: Show) -> None:
    """A drop-in for the socket unit moves it to a Unix socket, as the documentation says."""
    sequence = service.sequence()
    path = "/run/pexservice/http.socket"
    apply = "systemctl stop pexservice && systemctl restart pexservice.socket && systemctl start pexservice"
    lines = f"ListenStream=\nListenStream={path}\nSocketGroup=www-data\nSocketMode=0660\n"
    with service.drop_in("pexservice.socket", f"[Socket]\n{lines}"):
        service.shell(apply)
        answer = service.ask("/current", "--unix-socket", path, "--include")
        assert f"Pex-Sequence: {sequence}" in answer
        seen = service.host.run("stat", "--format=%A %U %G", path)
        assert seen == "srw-rw---- root www-data", seen
    service.shell(apply)
    show(f"unix:{path} answers, {seen}")


def test_uninstall_leaves_the_data(service: Installed, show: Show) -> None:
    """`make uninstall` removes all that `make all` made, but the data; and `make all` finds them again.

    What the operator set stays with them, and is told: the next `make all` must not come back without the token.
    """
    newest = service.newest_segment()
    root = service.host.root
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
    assert service.host.attempt("systemctl", "cat", "pexservice.service").returncode != 0
    assert service.newest_segment() == newest
    service.make("all")
    assert service.sequence() > 0
    show(told)
