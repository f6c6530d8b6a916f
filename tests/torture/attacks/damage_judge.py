"""The judge of damages: what a start, and `pexservice journal`, made of one, and whether they may.

There are two courts with one law. The code is called in this process for thousands of damages to bytes, and the real
commands are run for some of each kind, which also shows what they change on the disk.
"""

import os
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from traceback import format_exc, format_exception
from typing import Final

from click.testing import CliRunner
from structlog.testing import capture_logs

from pexservice.cli import commands
from pexservice.cli.loading import load_walk
from pexservice.core.judging import Place
from pexservice.disk.linux import LinuxDisk
from pexservice.errors import Fatal
from pexservice.stores.journal.opening import look
from pexservice.stores.journal.ring import RING_NAME
from pexservice.stores.journal.segment import begin_of
from support.process import Service, run, wait_until
from torture.attack import Bench, Violation, require
from torture.attacks.specimen import CODEC, Content, Damage, Specimen
from torture.load import place_of

_WITHOUT_PRIVILEGE: Final = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
"""Runs a command of root's that may read and write only what the modes of files allow."""
_POSITION_MAX: Final = 1_000_000
"""Beyond it a value is not asked for."""


class Start(Enum):
    """What a start may come to."""

    DAMAGED = 65
    """It ends with this status, names the file and the place in it, and changes nothing."""
    CANNOT_CREATE = 73
    CANNOT_READ = 74
    FORBIDDEN = 77
    """It ends with this status and changes nothing."""
    AT_END = "where the walk stopped"
    """It begins there."""


class Verify(Enum):
    """What `journal verify` may say."""

    WHOLE = "all is whole"
    BROKEN = "65, naming the line that is damaged"
    GAP = "65, naming the newest segment, which does not begin where the one before it ends"
    NO_FILE = "74, naming what cannot be read"
    NO_RIGHT = "77"


@dataclass(frozen=True)
class Trial:
    """A damage, and what is allowed."""

    kind: str
    damage: Damage
    start: set[Start]
    verify: set[Verify]


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: int
    output: str
    error: str


Command = Callable[[str], Ended]
"""Runs a command of `pexservice journal` on the directory on trial."""


def judge_in_process(whole: Specimen, directory: Path, trial: Trial, *, is_thorough: bool) -> None:
    """Try a damage to bytes in a copy of the specimen, and undo it. Raises Violation."""
    with _explained(trial):
        _inflict(directory, trial.damage)
        _judge_start(whole, trial, _recovered(directory))
        _judge_journal(whole, trial, lambda name: _called(directory, name), is_thorough=is_thorough)
    for name in trial.damage.changes:
        pristine = whole.directory / name
        _put(directory / name, pristine.read_bytes() if pristine.exists() else None)


def judge_for_real(bench: Bench, whole: Specimen, trial: Trial) -> None:
    """Try any damage by running the real commands on it. Raises Violation."""
    directory = bench.directory / "damaged"
    wrapper = _WITHOUT_PRIVILEGE if trial.damage.is_of_modes else []
    with _explained(trial):
        shutil.copytree(whole.directory, directory)
        _inflict(directory, trial.damage)
        before = contents(directory)

        def command(name: str) -> Ended:
            ended = run("journal", name, "--data-dir", str(directory), wrapper=wrapper)
            return Ended(ended.returncode, ended.stdout, ended.stderr)

        verified = _judge_journal(whole, trial, command, is_thorough=True)
        require(contents(directory) == before, "a command that only reads changed something")
        with bench.serving(directory, wrapper=wrapper) as service:
            started = _started(service)
            _judge_start(whole, trial, started)
            if isinstance(started, Ended):
                require(contents(directory) == before, "the start ended, and changed something")
            else:
                _step(service, started)
        if isinstance(started, Place):
            judge_files(before, contents(directory), started)
            again = command("verify")
            require(again.status == verified.status, f"verify said {verified}, and after a start and a step {again}")
    shutil.rmtree(directory)


@contextmanager
def _explained(trial: Trial) -> Iterator[None]:
    """Say of a violation on which trial it was found."""
    try:
        yield
    except (Violation, AssertionError, subprocess.TimeoutExpired) as error:
        message = f"{trial.kind}, {list(trial.damage.changes)}: {error}"
        raise Violation(message) from error


def _inflict(directory: Path, damage: Damage) -> None:
    for name, content in damage.changes.items():
        _put(directory / name, content)


def _put(path: Path, content: Content) -> None:
    if content is None:
        path.unlink(missing_ok=True)
    elif isinstance(content, bytes):
        path.write_bytes(content)
    else:
        content(path)


def _judge_start(whole: Specimen, trial: Trial, started: Place[int] | Ended) -> None:
    damage = trial.damage
    if isinstance(started, Place):
        allowed = [whole.end] if Start.AT_END in trial.start else []
        require(started in allowed, f"the walk begins at {started}, and not as it should, {trial.start}: {allowed}")
    else:
        require("Traceback" not in started.error, f"a start ended with a traceback: {started.error}")
        statuses = [start.value for start in trial.start]
        require(started.status in statuses, f"a start ended with {started}, and not as it should, {trial.start}")
        if started.status == Start.DAMAGED.value:
            require(damage.names in started.error, f"a start does not name {damage.names!r}: {started.error}")


def _judge_journal(whole: Specimen, trial: Trial, command: Command, *, is_thorough: bool) -> Ended:
    """Judge `journal verify`, and with `is_thorough` the other commands; return what verify said."""
    verified = command("verify")
    names = {
        Verify.WHOLE: (0, ": whole. "),
        Verify.BROKEN: (65, trial.damage.names),
        Verify.GAP: (65, f"{whole.files[-1].name} begins at"),
        Verify.NO_FILE: (74, "cannot read"),
        Verify.NO_RIGHT: (77, "may not read"),
    }
    allowed = [names[verify] for verify in trial.verify]
    is_allowed = any(verified.status == status and text in verified.output + verified.error for status, text in allowed)
    require(is_allowed, f"verify must say one of {allowed}, and says {verified}")
    for name in ("show", "export") if is_thorough else ():
        ended = command(name)
        require(ended.status in {0, verified.status}, f"verify said {verified}, and {name} {ended}")
        require("Traceback" not in ended.error, f"{name} ended with a traceback: {ended.error}")
        if name == "export" and verified.status == 0:
            told = set(ended.output.splitlines(keepends=True)[1:])
            require(told <= whole.history, f"export tells of steps that never were: {told - whole.history}")
    return verified


def _recovered(directory: Path) -> Place[int] | Ended:
    disk = LinuxDisk.inspect(directory)
    try:
        with capture_logs():
            return look(disk, CODEC).plan.place
    except Fatal as error:
        return Ended(error.exit_status, "", str(error))
    except Exception:  # noqa: BLE001 - whatever else comes out ends a start with a traceback.
        return Ended(1, "", format_exc())
    finally:
        disk.close()


def _called(directory: Path, name: str) -> Ended:
    result = CliRunner().invoke(commands, ["journal", name, "--data-dir", str(directory)], obj=load_walk)
    if isinstance(result.exception, Fatal):
        return Ended(result.exception.exit_status, result.stdout, str(result.exception))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        return Ended(1, result.stdout, "".join(format_exception(result.exception)))
    return Ended(result.exit_code, result.stdout, result.stderr)


def _started(service: Service) -> Place[int] | Ended:
    """Wait until the service is ready or has ended, and return where it began or how it ended."""

    def status() -> int | None:
        try:
            with service.connect() as client:
                return client.ask("GET", "/readyz").status
        except ConnectionError:
            return None

    if service.where:
        wait_until(lambda: status() != 503)
    if service.where and status() is not None:
        with service.connect() as client:
            answer = client.ask("GET", "/current", "Prefer: return=minimal")
            return Place(answer.sequence, answer.position)
    ended = Ended(service.wait(), "", service.log)
    require('"exception"' not in ended.error, f"a start ended with a traceback: {ended.error}")
    return ended


def _step(service: Service, begun: Place[int]) -> None:
    """Take a step, see that it is one, and stop."""
    with service.connect() as client:
        if begun.state < _POSITION_MAX:
            place_of(service)
        answer = client.ask("POST", "/next", "Prefer: return=minimal")
        is_next = (answer.status, answer.sequence, answer.position) == (204, begun.sequence + 1, begun.state + 1)
        require(is_next, f"a step from {begun} was answered {answer}")
    require(service.stop() == 0, f"a stop did not end with 0: {service.log}")


def contents(directory: Path) -> dict[str, tuple[int, bytes]]:
    """Return type and bytes of everything in a directory, but not what the lock says."""
    found = {}
    for path in directory.rglob("*"):
        with suppress(FileNotFoundError):  # A service that runs there renames what it has written.
            kind = stat.S_IFMT(path.lstat().st_mode)
            is_data = kind == stat.S_IFREG and path.name != "lock"
            data = path.read_bytes() if is_data else os.fsencode(path.readlink()) if path.is_symlink() else b""
            found[str(path.relative_to(directory))] = (kind, data)
    return found


def judge_files(before: dict[str, tuple[int, bytes]], after: dict[str, tuple[int, bytes]], begun: Place[int]) -> None:
    """Demand that a start left every file as it was, but for the ring, which is new, and a segment that grew."""
    for name, content in before.items():
        now = after.get(name)
        is_left = now == content or name in {RING_NAME, RING_NAME + ".new"} or name.endswith(".csv.new")
        is_longer = begin_of(name) is not None and now is not None and now[1].startswith(content[1])
        require(is_left or is_longer, f"the start at {begun} changed {name}")
