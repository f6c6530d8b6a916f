"""The command line: what it prints, and how it ends."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from pexservice import __version__
from pexservice.cli import commands
from pexservice.cli.history import Reading
from pexservice.core.judging import Place
from pexservice.stores.journal.segment import segment_name
from pexservice.walk.fibonacci import fibonacci_modulo
from support.process import HANG_S, environment, run, serving


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """Return a data directory with the history of a short walk: 58..63."""
    (tmp_path / "fibo.csv").write_text("58,11,55,89,144")
    with serving(tmp_path) as service, service.connect() as client:
        for path in ("/next", "/next", "/previous", "/reset", "/next"):
            assert client.ask("POST", path).status == 200
    return tmp_path


def test_the_history_is_exported(history: Path) -> None:
    """Export writes one row a step, plain, with values, or in the form of the original."""
    plain = run("journal", "export", "--data-dir", str(history)).stdout
    assert plain == ("sequence,step,position\n59,next,12\n60,next,13\n61,previous,12\n62,reset,0\n63,next,1\n")
    values = run("journal", "export", "--values", "--data-dir", str(history)).stdout
    assert values.splitlines()[:3] == ["sequence,step,position,value", "59,next,12,144", "60,next,13,233"]
    original = run("journal", "export", "--original", "--data-dir", str(history)).stdout
    assert original.splitlines() == [
        "59,12,89,144,233",
        "60,13,144,233,377",
        "61,12,89,144,233",
        "62,0,0,0,1",
        "63,1,0,1,1",
    ]


def test_a_walk_moves_by_a_row_of_the_original(tmp_path: Path) -> None:
    """Beyond the first value that wraps, and where there is no step yet that a row could tell of."""
    file, one, two = (str(tmp_path / name) for name in ("fibo.csv", "one", "two"))
    begun = f"900,300,{fibonacci_modulo(299, 2**64)},{fibonacci_modulo(300, 2**64)},{fibonacci_modulo(301, 2**64)}\n"
    Path(file).write_text(begun)
    assert run("import", file, "--data-dir", one).returncode == 0
    assert run("journal", "export", "--original", "--last", "1", "--data-dir", one).stdout == begun
    assert not run("journal", "export", "--original", "--last", "0", "--data-dir", one).stdout
    with serving(Path(one)) as service, service.connect() as client:
        assert client.ask("POST", "/next").sequence == 901
    Path(file).write_text(run("journal", "export", "--original", "--last", "1", "--data-dir", one).stdout)
    assert run("import", file, "--data-dir", two).returncode == 0
    with serving(Path(two)) as service, service.connect() as client:
        assert client.ask("GET", "/current").get("pex-position") == "301"


def test_the_last_steps_are_those_of_one_moment(history: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a service adds while they are read is not among them: as many as were asked for, no more."""
    monkeypatch.setattr(Reading, "end", lambda _self: Place(61, 12))
    found = CliRunner().invoke(commands, ["journal", "export", "--last", "2", "--data-dir", str(history)])
    assert found.stdout.splitlines()[1:] == ["60,next,13", "61,previous,12"]


def test_the_history_is_verified_and_shown(history: Path) -> None:
    """Verify proves all of it, and show ends with the last group."""
    assert "1 segment, 5 groups: whole. Sequence 63, position 1." in (
        run("journal", "verify", "--data-dir", str(history)).stdout
    )
    assert run("journal", "show", "--data-dir", str(history)).stdout.endswith("sequence 63  position 1  1n\n")


@pytest.mark.parametrize("command", [["journal", "verify"], ["serve", "--port", "0"]])
def test_a_segment_that_is_no_file_is_an_error(tmp_path: Path, command: list[str]) -> None:
    """A named pipe under a segment's name is refused with 74; nobody waits for it to be written to."""
    os.mkfifo(tmp_path / segment_name(0))
    ended = run(*command, "--data-dir", str(tmp_path))
    assert (ended.returncode, "not a regular file" in ended.stderr) == (74, True)


@pytest.mark.parametrize("sequence", [58, 63, 99])
def test_an_empty_segment_is_damage(history: Path, sequence: int) -> None:
    """Where answered steps were, where the next would be, and beyond: it stops verify as it stops a start, with 65."""
    (history / segment_name(sequence)).write_bytes(b"")
    for command in (["journal", "verify"], ["serve", "--port", "0"]):
        ended = run(*command, "--data-dir", str(history))
        is_named = f"{segment_name(sequence)} is damaged at line 1, byte offset 0" in ended.stderr
        assert (ended.returncode, is_named) == (65, True)


def test_import_begins_a_walk_once(tmp_path: Path) -> None:
    """Import takes over a file of the original into an empty directory, and never into one with a walk."""
    file, data = tmp_path / "fibo.csv", tmp_path / "data"
    file.write_text("58,11,55,89,144")
    assert run("import", str(file), "--data-dir", str(data)).returncode == 0
    again = run("import", str(file), "--data-dir", str(data))
    assert again.returncode == 73
    assert "already has a walk, at position 11 after 58 steps" in again.stderr
    with serving(data) as service, service.connect() as client:
        answer = client.ask("GET", "/current")
        assert (answer.status, answer.sequence, answer.position, answer.body) == (200, 58, 11, b"89\n")


def test_an_import_without_room_says_so_once(tmp_path: Path) -> None:
    """Nothing else will try it again, so that is to be done; no log of a service is printed."""
    (tmp_path / "fibo.csv").write_text("58,11,55,89,144\n")
    ended = run("import", str(tmp_path / "fibo.csv"), "--data-dir", str(tmp_path), wrapper=["prlimit", "--fsize=8192"])
    assert (ended.returncode, ended.stdout) == (73, "")
    assert ended.stderr.endswith(
        "no room for a journal: File too large. Nothing was imported. Raise the limit on the size of files (ulimit -f; "
        "LimitFSIZE= of systemd), and import it again.\n"
    )
    assert run("import", str(tmp_path / "fibo.csv"), "--data-dir", str(tmp_path)).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["serve", "--port", "x"], 2, "--port"),
        (["serve", "--keep-alive", "soon"], 2, "is not a duration; write"),
        (["serve", "--history-max-bytes", "1 parsec"], 2, "is not a size; write"),
        (["serve", "--admin-bind", "9100"], 2, "is not an address; write"),
        (["serve", "--admin-bind", "192.0.2.1:9100"], 69, "cannot listen on 192.0.2.1:9100"),
        (["serve", "--host", "[::1]"], 2, "write it without brackets"),
        *(
            (
                ["serve", "--host", host, "--port", "18400", "--admin-bind", f"{admin}:18400"],
                2,
                "cannot have one address",
            )
            for host, admin in [
                ("127.0.0.1", "localhost"),
                ("localhost", "127.0.0.1"),
                ("127.0.0.1", "0.0.0.0"),
                ("0.0.0.0", "localhost"),
                ("::", "[::1]"),
            ]
        ),
        (["serve", "--durability", "interval", "--sync-interval", "0s"], 2, "must be 1ms or more"),
        (["serve", "--data-dir", "/dev/null/data"], 73, "Choose another directory with --data-dir"),
        (["serve", "--host", "192.0.2.1"], 69, "cannot listen on 192.0.2.1"),
        (["journal", "verify", "--data-dir", "/nonexistent"], 66, "there is no journal in /nonexistent"),
        (["status", "--url", "http://127.0.0.1:1"], 69, "nothing answers"),
        (["status", "--url", "ftp://x"], 2, "not an http URL"),
        (["status", "http://127.0.0.1:1"], 69, "nothing answers at http://127.0.0.1:1"),
        (["status", "ftp://x"], 2, "not an http URL"),
        (["status", "http://127.0.0.1:1", "--url", "http://[::1]:1"], 2, "URL and --url contradict each other"),
        (["status", "http://127.0.0.1:1", "--uds", "/x"], 2, "URL and --uds contradict each other"),
        (["status", "http://127.0.0.1:1", "x"], 2, "extra argument (x). See 'pexservice status --help'."),
    ],
)
def test_errors_have_a_status_and_say_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], status: int, message: str
) -> None:
    """Each kind of failure ends with its own exit status and a message, and never with a traceback."""
    monkeypatch.chdir(tmp_path)
    ended = run(*arguments)
    assert ended.returncode == status
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("arguments", [["serve", "--port", "0"], ["import", "fibo.csv"], ["journal", "backup", "copy"]])
def test_nothing_is_written_without_assertions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    """Some guard the journal: what would write it is wrong usage then, with one sentence."""
    monkeypatch.chdir(tmp_path)
    ended = run(*arguments, PYTHONOPTIMIZE="1")
    assert (ended.returncode, "unset PYTHONOPTIMIZE" in ended.stderr, list(tmp_path.iterdir())) == (2, True, [])


@pytest.mark.parametrize(("arguments", "status"), [(["version"], 0), (["status", "--url", "x"], 2)])
def test_a_status_holds_where_python_would_ask(arguments: list[str], status: int) -> None:
    """PYTHONINSPECT, left in an environment, changes neither how a command ends nor what it prints."""
    ended, plain = run(*arguments, PYTHONINSPECT="1"), run(*arguments)
    assert (ended.returncode, ended.stdout, ended.stderr) == (status, plain.stdout, plain.stderr)


def test_an_address_in_use_ends_with_69(tmp_path: Path) -> None:
    """The data directory of the one that could not listen is left without a journal."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = run("serve", "--data-dir", str(tmp_path), PEXSERVICE_PORT=port)
    assert ended.returncode == 69
    assert "Another process listens there" in ended.stderr
    assert not list(tmp_path.glob("journal-*"))


def test_status_shows_one_screen(tmp_path: Path) -> None:
    """Position, sequence and health of a running service."""
    with serving(tmp_path) as service, service.connect() as client:
        assert client.ask("POST", "/next").status == 200
        shown = run("status", PEXSERVICE_URL=f"http://127.0.0.1:{service.port}")
    assert shown.returncode == 0
    lines = dict(line.split(":", 1) for line in shown.stdout.splitlines())
    assert (lines["health"].strip(), lines["position"].strip(), lines["sequence"].strip()) == ("ok", "1", "1")


def test_version_and_help() -> None:
    """The version is that of the package, and help names every option's variable."""
    assert run("version").stdout == f"pexservice {__version__}\n"
    assert "PEXSERVICE_SYNC_INTERVAL" in run("serve", "--help").stdout


_TOLD_INSTEAD = """
import gc, os
from pexservice.__main__ import main
from pexservice.{module} import {name}
def tell(*_, **__):
    print(gc.isenabled(), gc.get_freeze_count() > 0, flush=True)
    os._exit(0)
{name}.{function} = tell
main()
"""


@pytest.mark.parametrize(
    ("module", "name", "function", "arguments"),
    [
        ("process", "service", "serve", ["serve"]),
        ("cli", "journal", "read_history", ["journal", "verify"]),
    ],
)
def test_the_collector_rests_for_imports_alone(
    tmp_path: Path, module: str, name: str, function: str, arguments: list[str]
) -> None:
    """A command runs with it, and without what was imported to look at."""
    source = _TOLD_INSTEAD.format(module=module, name=name, function=function)
    done = subprocess.run(
        [sys.executable, "-c", source, *arguments, "--data-dir", str(tmp_path)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=HANG_S,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "True True\n"), done.stderr


@pytest.mark.parametrize("descriptors", [9, 10])
def test_too_few_descriptors_are_no_matter_of_the_disk(tmp_path: Path, descriptors: int) -> None:
    """Wherever a command that writes runs out of them: 71, and what to raise. Room on the disk would not help."""
    original = tmp_path / "fibo.csv"
    original.write_text("10,10,34,55,89\n")
    data = str(tmp_path / "data")
    assert run("import", str(original), "--data-dir", data).returncode == 0
    wrapper = ["sh", "-c", 'ulimit -n "$0"; exec "$@"', str(descriptors)]
    for arguments in (
        ["journal", "backup", str(tmp_path / "backup"), "--data-dir", data],
        ["import", str(original), "--data-dir", str(tmp_path / "other")],
    ):
        ended = run(*arguments, wrapper=wrapper)
        assert ended.returncode in {0, 71}, ended.stderr
        assert ("no file descriptor is left" in ended.stderr) == (ended.returncode == 71), ended.stderr
