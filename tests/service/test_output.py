"""Output that fails: a full disk, a reader that stops."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.process import HANG_S, Service, command, environment, run, serving

CASES = {
    "help": ["--help"],
    "help-of-serve": ["serve", "--help"],
    "version": ["version"],
    "version-option": ["--version"],
    "verify": ["journal", "verify", "--data-dir", "{data}"],
    "show": ["journal", "show", "--data-dir", "{data}"],
    "export": ["journal", "export", "--data-dir", "{data}"],
    "import": ["import", "{data}/fibo.csv", "--data-dir", "{data}/new"],
    "status": ["status", "--url", "{url}"],
    "status-json": ["status", "--json", "--url", "{url}"],
    "completion": [],
}


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, Path]]:
    """A service, and its data, with more of a history than a pipe holds."""
    data = tmp_path_factory.mktemp("data")
    (data / "fibo.csv").write_text("58,11,55,89,144")
    with serving(data) as service:
        with service.connect() as client:
            for _ in range(8):
                client.send(b"POST /next HTTP/1.1\r\nHost: x\r\nPrefer: return=minimal\r\n\r\n" * 1_000)
                for _ in range(1_000):
                    assert client.read().status == 204
        yield service, data


def started(kind: str, walked: tuple[Service, Path], tmp_path: Path, **streams: object) -> subprocess.Popen[bytes]:
    service, data = walked
    named = {"data": str(data), "url": f"http://127.0.0.1:{service.port}"}
    arguments = [each.format(**named) for each in CASES[kind]]
    if kind == "import":
        arguments[-1] = str(tmp_path / "new")
    more = {"_PEXSERVICE_COMPLETE": "bash_source"} if kind == "completion" else {}
    return subprocess.Popen([*command("pexservice"), *arguments], env=environment(**more), **streams)  # type: ignore[call-overload,no-any-return]


@contextmanager
def full() -> Iterator[int]:
    fd = os.open("/dev/full", os.O_WRONLY)
    try:
        yield fd
    finally:
        os.close(fd)


@pytest.mark.parametrize("kind", list(CASES))
def test_a_full_output_is_74_and_one_line(walked: tuple[Service, Path], tmp_path: Path, kind: str) -> None:
    """However little was to be written: it is noticed at the latest when the program ends."""
    with full() as fd, started(kind, walked, tmp_path, stdout=fd, stderr=subprocess.PIPE) as ended:
        _, error = ended.communicate(timeout=HANG_S)
    assert (ended.returncode, error.count(b"\n")) == (74, 1), error
    assert b"cannot write to standard output: No space left on device" in error


@pytest.mark.parametrize("kind", list(CASES))
def test_a_reader_that_is_gone_ends_it_in_silence(walked: tuple[Service, Path], tmp_path: Path, kind: str) -> None:
    """By SIGPIPE, as it ends cat and git: 141 to a shell."""
    reading, writing = os.pipe()
    os.close(reading)
    with started(kind, walked, tmp_path, stdout=writing, stderr=subprocess.PIPE) as ended:
        os.close(writing)
        _, error = ended.communicate(timeout=HANG_S)
    assert (ended.returncode, error) == (-signal.SIGPIPE, b"")


def test_a_reader_may_stop_in_the_middle(walked: tuple[Service, Path], tmp_path: Path) -> None:
    """`pexservice journal export | head -1`."""
    with started("export", walked, tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as ended:
        assert ended.stdout is not None
        assert ended.stderr is not None
        assert ended.stdout.read(9) == b"sequence,"
        ended.stdout.close()
        assert (ended.stderr.read(), ended.wait(HANG_S)) == (b"", -signal.SIGPIPE)


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["version"], 0),
        (["--nope"], 2),
        ([], 2),
        (["serve", "--port", "x"], 2),
        (["serve", "--log-format", "json", "--port", "x"], 2),
        (["journal", "verify", "--data-dir", "/nonexistent"], 66),
        (["status", "--url", "http://127.0.0.1:1"], 69),
    ],
)
def test_a_full_standard_error_changes_no_status(arguments: list[str], status: int) -> None:
    """Nobody is left to tell, but the number."""
    with full() as fd:
        ended = subprocess.run(
            [*command("pexservice"), *arguments],
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=fd,
            timeout=HANG_S,
            check=False,
        )
    assert ended.returncode == status


def test_a_name_that_the_locale_cannot_show_is_shown_with_escapes(tmp_path: Path) -> None:
    """A byte that is no text in a path, under a locale of ASCII."""
    strange = os.fsdecode(os.fsencode(tmp_path) + b"/m\xff\n\x1b[2J")
    for variables in ({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, {"LC_ALL": "C.UTF-8"}):
        ended = run("journal", "verify", "--data-dir", strange, **variables)
        assert (ended.returncode, ended.stderr.count("\n")) == (66, 1)
        assert r"m\xff\n\x1b[2J" in ended.stderr


def test_a_name_that_is_no_text_is_printed_with_escapes(tmp_path: Path) -> None:
    """On standard output, too, whatever the locale; the work is done all the same."""
    (tmp_path / "fibo.csv").write_text("58,11,55,89,144")
    strange = os.fsdecode(os.fsencode(tmp_path) + b"/m\xff")
    ended = run("import", str(tmp_path / "fibo.csv"), "--data-dir", strange, LC_ALL="C.UTF-8")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert r"m\xff" in ended.stdout
