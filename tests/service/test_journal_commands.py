"""`pexservice journal`: where there is none, what is shown of it, and how far the reading came."""

import os
import pty
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from pexservice.cli import commands
from pexservice.cli.loading import load_walk
from pexservice.disk.linux import LinuxDisk
from pexservice.errors import NoJournal
from pexservice.stores.journal.history import SegmentFile, segment_files
from pexservice.stores.journal.segment import segment_name
from support.process import HANG_S, command, environment, run, serving

COMMANDS = ["verify", "show", "export"]


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with three segments: the steps 1..5, 6..10 and 11..15, each step a group."""
    data = tmp_path_factory.mktemp("data")
    for _ in range(3):
        with serving(data) as service:
            with service.connect() as client:
                for _ in range(5):
                    assert client.ask("POST", "/next").status == 200
            service.stop()
    assert len(list(data.glob("journal-*.csv"))) == 3
    return data


def journal(*arguments: str, data: Path) -> subprocess.CompletedProcess[str]:
    return run("journal", *arguments, "--data-dir", str(data))


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("kind", ["empty", "missing", "foreign", "file", "too-long", "unfinished"])
def test_no_journal_is_an_error(tmp_path: Path, name: str, kind: str) -> None:
    """An empty backup is not proved: 66, one sentence, and nothing on standard output, not even a header."""
    data = tmp_path / "data"
    if kind != "missing":
        data.mkdir()
    for file in {"foreign": ["fibo.csv", "journal-1.csv"], "unfinished": [segment_name(0) + ".new", "lock"]}.get(
        kind, []
    ):
        (data / file).write_text("58,11,55,89,144")
    if kind == "file":
        data = data / "file"
        data.write_text("")
    if kind == "too-long":
        data = data / ("x" * 300)
    ended = journal(name, data=data)
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (66, "", 1)
    assert f"there is no journal in {data}" in ended.stderr


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("content", [b"", b"sequence,position\n", bytes(range(256))])
def test_nothing_is_printed_before_the_first_row_is_certain(tmp_path: Path, name: str, content: bytes) -> None:
    """Of a journal whose first segment is damaged, nothing is."""
    (tmp_path / segment_name(0)).write_bytes(content)
    ended = journal(name, data=tmp_path)
    assert (ended.returncode, ended.stdout) == (65, "")


def test_a_journal_without_steps_is_one(tmp_path: Path) -> None:
    """A service that took none has a journal: the header, and no row."""
    with serving(tmp_path) as service:
        service.stop()
    assert journal("verify", data=tmp_path).stdout == "1 segment, 0 groups: whole. Sequence 0, position 0.\n"
    assert journal("export", data=tmp_path).stdout == "sequence,step,position\n"


@pytest.mark.parametrize(
    ("arguments", "first", "last"),
    [
        ([], 1, 15),
        (["--last", "3"], 13, 15),
        (["--last", "7"], 9, 15),
        (["--last", "99999999999999999"], 1, 15),
        (["--from", "0"], 1, 15),
        (["--from", "1"], 1, 15),
        (["--from", "5"], 5, 15),
        (["--from", "6"], 6, 15),
        (["--from", "12"], 12, 15),
        (["--from", "15"], 15, 15),
    ],
)
def test_a_part_is_exported(history: Path, arguments: list[str], first: int, last: int) -> None:
    """The last steps, or those from one on, whichever segments they are in."""
    rows = journal("export", *arguments, data=history).stdout.splitlines()[1:]
    assert rows == [f"{number},next,{number}" for number in range(first, last + 1)]


@pytest.mark.parametrize("arguments", [["--last", "0"], ["--from", "16"], ["--from", "999999999999"]])
def test_a_part_of_nothing_is_a_header(history: Path, arguments: list[str]) -> None:
    """Who asks for what comes after the last step has everything there is."""
    ended = journal("export", *arguments, data=history)
    assert (ended.returncode, ended.stdout) == (0, "sequence,step,position\n")


def test_a_part_is_exported_though_an_older_segment_is_damaged(tmp_path: Path, history: Path) -> None:
    """Only what is asked for is read."""
    for file in history.glob("journal-*"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / segment_name(0)).write_bytes(b"")
    assert journal("export", "--last", "10", data=tmp_path).returncode == 0
    assert journal("export", "--last", "11", data=tmp_path).returncode == 65


def test_a_part_of_a_group_is_exported(tmp_path: Path) -> None:
    """A row of the journal may hold many steps, of which only some are asked for."""
    with serving(tmp_path) as service, service.connect() as client:
        client.send(b"POST /next HTTP/1.1\r\nHost: x\r\n\r\n" * 100)
        for _ in range(100):
            assert client.read().status == 200
    for arguments in (["--last", "2"], ["--from", "99"]):
        assert journal("export", *arguments, data=tmp_path).stdout.splitlines()[1:] == ["99,next,99", "100,next,100"]


@pytest.mark.parametrize(
    ("arguments", "sequences"),
    [
        ([], range(6, 16)),
        (["--last", "0"], []),
        (["--last", "2"], [14, 15]),
        (["--last", "7"], range(9, 16)),
        (["--last", "99"], range(1, 16)),
        (["--from", "4"], range(4, 16)),
        (["--from", "16"], []),
    ],
)
def test_groups_are_shown_below_the_segments(history: Path, arguments: list[str], sequences: range) -> None:
    """The last ten, or so many, or from one on, across segments."""
    header, *lines = journal("show", *arguments, data=history).stdout.splitlines()
    assert header.split() == ["segment", "bytes", "groups", "sequence", "state"]
    assert [line.split()[3] for line in lines[:3]] == ["0..5", "5..10", "10..15"]
    assert [int(line.split()[2]) for line in lines[3:]] == list(sequences)


@pytest.mark.parametrize(
    ("arguments", "groups"),
    [
        (["verify"], None),
        (["show", "--last", "7"], range(9, 16)),
        (["show", "--last", "99"], range(6, 16)),
        (["show", "--from", "4"], range(6, 16)),
        (["show", "--from", "12"], range(12, 16)),
    ],
)
def test_what_goes_while_it_is_read_is_not_counted(
    tmp_path: Path, history: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], groups: range | None
) -> None:
    """The service lets go of its oldest segment after it was listed: what is told is of those that were read."""
    _goes_once_listed(tmp_path, history, monkeypatch, slice(0, 1))
    ended = CliRunner().invoke(commands, ["journal", *arguments, "--data-dir", str(tmp_path)], obj=load_walk)
    if groups is None:
        assert ended.stdout == "2 segments, 10 groups: whole. Sequence 15, position 15.\n"
    else:
        assert [int(line.split()[2]) for line in ended.stdout.splitlines()[3:]] == list(groups)


def test_an_export_of_what_went_says_so(tmp_path: Path, history: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if the newest went, by which the last ones are found."""
    _goes_once_listed(tmp_path, history, monkeypatch, slice(None))
    arguments = ["journal", "export", "--last", "3", "--data-dir", str(tmp_path)]
    assert isinstance(CliRunner().invoke(commands, arguments, obj=load_walk).exception, NoJournal)


def _goes_once_listed(data: Path, history: Path, monkeypatch: pytest.MonkeyPatch, which: slice) -> None:
    for file in history.glob("journal-*"):
        (data / file.name).write_bytes(file.read_bytes())

    def listed(disk: LinuxDisk) -> list[SegmentFile]:
        files = segment_files(disk)
        for file in files[which]:
            (data / file.name).unlink()
        return files

    monkeypatch.setattr("pexservice.cli.history.segment_files", listed)


@pytest.mark.parametrize(("terminal", "shows"), [("xterm", True), ("dumb", False), ("", False)])
def test_progress_is_shown_at_a_terminal_that_can(history: Path, terminal: str, *, shows: bool) -> None:
    """On standard error alone, and none at a dumb one."""
    reading, writing = pty.openpty()
    try:
        ended = subprocess.run(
            [*command("pexservice"), "journal", "verify", "--data-dir", str(history)],
            env=environment(TERM=terminal),
            stdout=subprocess.PIPE,
            stderr=writing,
            timeout=HANG_S,
            check=False,
        )
        os.set_blocking(reading, False)
        try:
            shown = os.read(reading, 4096)
        except BlockingIOError:
            shown = b""
    finally:
        os.close(reading)
        os.close(writing)
    assert ended.stdout == b"3 segments, 15 groups: whole. Sequence 15, position 15.\n"
    assert (b"reading the journal" in shown) is shows
