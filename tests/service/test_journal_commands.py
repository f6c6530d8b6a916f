"""`pexservice journal`: where there is none, what is shown of it, and how far the reading came."""

import asyncio
import os
import pty
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pexservice.cli import commands
from pexservice.cli.loading import load_walk
from pexservice.core.judging import Place
from pexservice.disk import Disk
from pexservice.disk.linux import LinuxDisk
from pexservice.disk.syncer import Syncer
from pexservice.limits import Limits
from pexservice.stores.journal.history import History
from pexservice.stores.journal.journal import Journal
from pexservice.stores.journal.opening import look
from pexservice.stores.journal.options import Options
from pexservice.stores.journal.record import Codec, seal
from pexservice.stores.journal.ring import RING_NAME
from pexservice.stores.journal.segment import segment_name
from pexservice.walk.machine import WALK
from pexservice.walk.steps import NEXT
from support.process import HANG_S, command, environment, run, serving

COMMANDS = ["verify", "show", "export"]


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with three segments: the steps 1..5, 6..10 and 11..15, each step a group."""
    data = tmp_path_factory.mktemp("data")
    codec = Codec(WALK)
    opening, _ = codec.encode_opening(Place(0, 0), is_interval=False, time_s=0.0)
    row, _ = seal(codec.encode_body(Place(1, 1), "1n", 0.0), 0)

    async def step() -> None:
        disk = LinuxDisk.own(data, Syncer())
        options = Options(Limits(segment_bytes_max=len(opening) + 5 * len(row)))
        store = await Journal.open(disk, codec, look(disk, codec), options)
        for _ in range(15):
            await store.commit([NEXT])
        await store.close()
        disk.close()

    asyncio.run(step())
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
    ended = journal("export", *arguments, data=history)
    rows = [f"{number},next,{number}" for number in range(first, last + 1)]
    assert (ended.stdout.splitlines()[1:], ended.stderr) == (rows, "")


@pytest.mark.parametrize("arguments", [["--last", "0"], ["--from", "16"], ["--from", "999999999999"]])
def test_a_part_of_nothing_is_a_header(history: Path, arguments: list[str]) -> None:
    """Who asks for what comes after the last step has everything there is, and is told where that ends."""
    said = f"There is no step {arguments[1]}: the last one is 15.\n" if arguments[0] == "--from" else ""
    ended = journal("export", *arguments, data=history)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "sequence,step,position\n", said)
    assert journal("show", *arguments, data=history).stderr == said


def test_a_part_is_exported_though_an_older_segment_is_damaged(tmp_path: Path, history: Path) -> None:
    """Only what is asked for is read."""
    for file in history.glob("*.csv"):
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
    assert header.split() == ["file", "bytes", "groups", "sequence", "state"]
    assert [line.split()[3] for line in lines[:4]] == ["0..5", "5..10", "10..15", "15..15"]
    assert [int(line.split()[2]) for line in lines[4:]] == list(sequences)


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
    _goes_once_listed(tmp_path, history, monkeypatch)
    ended = CliRunner().invoke(commands, ["journal", *arguments, "--data-dir", str(tmp_path)], obj=load_walk)
    if groups is None:
        assert ended.stdout == "2 segments, 10 groups: whole. Sequence 15, position 15.\n"
    else:
        assert [int(line.split()[2]) for line in ended.stdout.splitlines()[4:]] == list(groups)


def _goes_once_listed(data: Path, history: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for file in history.glob("*.csv"):
        (data / file.name).write_bytes(file.read_bytes())
    look = History.look

    def listed(disk: Disk, codec: Codec[Any, Any], **how: bool) -> History[Any, Any]:
        found = look(disk, codec, **how)
        (data / found.files[0].name).unlink()
        return found

    monkeypatch.setattr(History, "look", listed)


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


def test_segments_and_ring_are_one_history(busy: Path) -> None:
    """Beside a running service, whose last groups are in no segment yet."""
    assert journal("verify", data=busy).stdout == "1 segment, 7 groups: whole. Sequence 7, position 7.\n"
    _, segment, ring, *groups = journal("show", "--last", "4", data=busy).stdout.splitlines()
    assert (segment.split()[0], segment.split()[3]) == (segment_name(0), "0..5")
    assert (ring.split()[0], ring.split()[3]) == (RING_NAME, "5..7")
    assert [int(line.split()[2]) for line in groups] == [4, 5, 6, 7]
    for arguments, first in ((["--last", "1"], 7), (["--last", "3"], 5), (["--from", "7"], 7), (["--from", "2"], 2)):
        rows = journal("export", *arguments, data=busy).stdout.splitlines()[1:]
        assert rows == [f"{number},next,{number}" for number in range(first, 8)]


def test_a_ring_without_its_history_is_damage(busy: Path, tmp_path: Path) -> None:
    """And a history without its ring: neither is taken for a journal."""
    for name in (RING_NAME, segment_name(0)):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).write_bytes((busy / name).read_bytes())
        ended = journal("verify", data=tmp_path / name)
        assert (ended.returncode, ended.stdout) == (65, "")
        assert "is missing" in ended.stderr
