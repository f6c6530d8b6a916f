"""The commands of docs/operations.md, run as they stand there.

What a block of the page says is read from the page, and only paths and the service's name for itself are made those of
the test. Lines for systemd are left out: the test stops and starts the service where they stand.
"""

import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from support.page import PAGE, commands, of_backup
from support.process import HANG_S, Service, command, environment, run, serving, started

_PATH = f"{Path(sys.executable).parent}:/usr/bin:/bin"
"""Where the page's `pexservice` is."""


def shell(script: str, replaced: Mapping[str, str]) -> str:
    """Run commands but those for systemd, with other paths, and return what they print. Each path must be there."""
    script = "\n".join(line for line in script.splitlines() if not line.startswith("systemctl "))
    for old, new in replaced.items():
        assert old in script, f"{old} is not in {script}"
        script = script.replace(old, new)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        env=environment(PATH=_PATH),
        capture_output=True,
        text=True,
        timeout=HANG_S,
        check=False,
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
    return done.stdout


def take_steps(service: Service, steps: int) -> int:
    """Take steps, each in a group of its own, and return the sequence."""
    with service.connect() as client:
        return [client.ask("POST", "/next").sequence for _ in range(steps)][-1]


def test_back_up_and_restore(tmp_path: Path) -> None:
    """A copy made while the service runs is whole, and what was copied is where the restored service stands."""
    data, backups = tmp_path / "data", tmp_path / "backups"
    backups.mkdir()
    paths = {"/var/lib/pexservice": str(data)}
    with serving(data) as service:
        take_steps(service, 20)
        said = shell(
            commands("Back up, and restore", "pexservice journal backup"), paths | {"/var/backups": str(backups)}
        )
        assert "Sequence 20, position 20, now in" in said
        take_steps(service, 5)
        service.stop()
    [backup] = backups.iterdir()
    shell(of_backup(commands("Back up, and restore", "systemctl stop"), str(backup)), paths)
    with serving(data) as service:
        assert service.sequence() == 20
        assert take_steps(service, 1) == 21
    assert "Sequence 21, position 21." in run("journal", "verify", "--data-dir", str(data)).stdout
    assert [each.name for each in data.glob("aside-*/journal-*")], "what was there is kept"


def test_move_to_another_machine(tmp_path: Path) -> None:
    """The walk goes on where it stood, and not where that of the new machine had got to."""
    old, new = tmp_path / "old", tmp_path / "new"
    for data, steps in ((old, 7), (new, 9)):
        with serving(data) as service:
            take_steps(service, steps)
            service.stop()
    there = {"/var/lib/pexservice": str(new)}
    elsewhere = {"ssh new-machine 'tar -C /var/lib/pexservice": f"sh -c 'tar -C {new}", "/var/lib/pexservice": str(old)}
    shell(commands("Move to another machine", "systemctl stop"), there)
    shell(commands("Move to another machine", "systemctl disable"), elsewhere)
    shell(commands("Move to another machine", "chown"), there)
    with serving(new) as service:
        assert take_steps(service, 1) == 8


def test_come_from_the_original(tmp_path: Path) -> None:
    """The walk of the original goes on in the place of the one that the installed service began."""
    data, original = tmp_path / "data", tmp_path / "fibo.csv"
    original.write_text("58,11,55,89,144")
    with serving(data) as service:
        take_steps(service, 3)
        service.stop()
    paths = {"import fibo.csv": f"import {original}", "/var/lib/pexservice": str(data)}
    shell(commands("Come from the original", "systemctl stop"), paths)
    with serving(data) as service:
        assert take_steps(service, 1) == 59


def test_give_up_a_damaged_ring(tmp_path: Path) -> None:
    """The service names file and offset; what is salvaged of it starts with what goes on from the history."""
    data_dir = tmp_path / "data"
    for steps, sent in ((5, signal.SIGTERM), (5, signal.SIGKILL)):
        with serving(data_dir) as service:
            take_steps(service, steps)
            service.stop(sent)
    ring = data_dir / "ring.csv"
    data = ring.read_bytes()
    ring.write_bytes(data.replace(b",8,8,1n,", b",8,9,1n,"))
    with serving(data_dir) as service:
        assert service.wait() == 65
        assert f"ring.csv is damaged at line 4, byte offset {3 * (data.index(10) + 1)}" in service.log
    said = shell(commands("Damaged journal", "pexservice journal backup"), {"/var/lib/pexservice": str(data_dir)})
    assert "Sequence 7, position 7, now in" in said
    with serving(tmp_path / "data-salvaged") as service:
        assert service.sequence() == 7


def test_go_on_without_a_damaged_older_segment(tmp_path: Path) -> None:
    """The service starts all the same; with that file and all older ones out of the way, the rest is whole."""
    with serving(tmp_path, program=command("torture.sabotaged", "small-segments")) as service:
        take_steps(service, 18)
        service.stop()
    first, second, *_ = sorted(tmp_path.glob("journal-*.csv"))
    second.write_bytes(second.read_bytes().replace(b"n,", b"p,", 1))
    verified = run("journal", "verify", "--data-dir", str(tmp_path))
    assert (verified.returncode, second.name in verified.stderr) == (65, True)
    with serving(tmp_path) as service:
        assert service.sequence() == 18
    (tmp_path / "aside").mkdir()
    for each in (first, second):
        each.rename(tmp_path / "aside" / each.name)
    assert run("journal", "verify", "--data-dir", str(tmp_path)).returncode == 0


def test_a_unix_socket(tmp_path: Path) -> None:
    """It is served, and curl reads from it."""
    serve, ask = commands("A Unix socket", "pexservice serve").splitlines()
    paths = {"/run/pexservice": str(tmp_path), "/var/lib/pexservice": str(tmp_path / "data")}
    for old, new in paths.items():
        serve = serve.replace(old, new)
    program = shlex.split(serve)
    with started([str(Path(sys.executable).parent / program[0]), *program[1:], "--log-format", "json"]):
        assert shell(ask, {"/run/pexservice": str(tmp_path)}) == "0\n"


def test_probe_the_disk(tmp_path: Path) -> None:
    """The time of a thousand synced writes is told, and nothing stays."""
    shell(commands("Tuning", "dd"), {"/var/lib/pexservice": str(tmp_path)})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", re.findall(r"`(PEXSERVICE_[A-Z_]+)(?:=[^`]*)?`", PAGE))
def test_named_variables_exist(name: str) -> None:
    """Each environment variable on the page is one that `serve` has."""
    assert re.search(rf"\b{name}\b", run("serve", "--help").stdout)
