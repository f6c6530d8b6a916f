"""`pexservice journal backup`: a journal like any other, in a directory that nobody else uses."""

import fcntl
import os
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from pexservice.cli import commands
from pexservice.cli.loading import load_walk
from pexservice.disk import LOCK_NAME
from pexservice.errors import DirectoryOwned
from support.process import HANG_S, command, run, serving


def test_a_backup_of_a_running_service_is_a_journal(busy: Path, tmp_path: Path) -> None:
    """It has what was answered, and a service goes on from it; into a directory that has a journal none is written."""
    ended = run("journal", "backup", str(tmp_path / "copy"), "--data-dir", str(busy))
    assert (ended.returncode, ended.stdout) == (0, f"Sequence 7, position 7, now in {tmp_path / 'copy'}.\n")
    with serving(tmp_path / "copy") as service, service.connect() as client:
        assert client.ask("POST", "/next").sequence == 8
        service.stop()
    assert run("journal", "verify", "--data-dir", str(tmp_path / "copy")).stdout.endswith(
        "8 groups: whole. Sequence 8, position 8.\n"
    )
    before = {file: file.read_bytes() for file in (tmp_path / "copy").glob("*.csv")}
    assert run("journal", "backup", str(tmp_path / "copy"), "--data-dir", str(busy)).returncode == 73
    assert before == {file: file.read_bytes() for file in (tmp_path / "copy").glob("*.csv")}


def test_a_backup_goes_to_an_empty_directory(busy: Path, tmp_path: Path) -> None:
    """Nothing is put among what is there, nor into the journal; and DIR is what is to be named anew."""
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    wrong = {
        str(tmp_path): "is not empty: it has file. Choose another directory as DIR.",
        str(busy / "within"): "is in the data directory. Choose another directory as DIR.",
        str(tmp_path / "file"): "is no directory. Choose another as DIR.",
        str(tmp_path / "loop"): "is no directory. Choose another as DIR.",
    }
    for target, told in wrong.items():
        ended = run("journal", "backup", target, "--data-dir", str(busy))
        assert ended.returncode == 73
        assert told in ended.stderr
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file", "loop"]


def test_a_directory_that_another_backup_has_just_made_is_left_to_it(
    busy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lock, which says whose it is, is not taken away either."""
    target = tmp_path / "copy"
    target.mkdir()
    lock = os.open(target / LOCK_NAME, os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)
    monkeypatch.setattr("pexservice.cli.journal._check_empty", lambda *_: False)  # It was not there a moment ago.
    with pytest.raises(DirectoryOwned, match=r"owns the directory of the backup .* of its own as DIR"):
        CliRunner().invoke(
            commands,
            ["journal", "backup", str(target), "--data-dir", str(busy)],
            obj=load_walk,
            standalone_mode=False,
            catch_exceptions=False,
        )
    os.close(lock)
    assert [each.name for each in target.iterdir()] == [LOCK_NAME]


@pytest.mark.parametrize(
    ("limit", "status", "told"),
    [
        ("-f 1", 74, "Raise the limit on the size of files (ulimit -f; LimitFSIZE= of systemd), and run it again."),
        ("-n 7", 71, "no file descriptor is left. Raise the limit on them (ulimit -n; LimitNOFILE= of systemd)."),
        ("-n 20", 0, ""),
    ],
)
def test_a_backup_that_is_not_made_leaves_nothing(
    busy: Path, tmp_path: Path, limit: str, status: int, told: str
) -> None:
    """Nor a directory that was made for it; and one line says why."""
    backup = [*command("pexservice", "journal"), "backup", "--data-dir", str(busy), str(tmp_path / "a" / "b" / "copy")]
    limited = ["bash", "-c", f'ulimit {limit}; exec "$@"', "bash", *backup]
    ended = subprocess.run(limited, capture_output=True, text=True, check=False, timeout=HANG_S)
    assert (ended.returncode, ended.stderr.count("\n")) == (status, min(status, 1))
    assert told in ended.stderr
    assert list(tmp_path.iterdir()) == ([] if status else [tmp_path / "a"])


def test_a_backup_of_nothing_creates_nothing(tmp_path: Path) -> None:
    """66, and no directory."""
    ended = run("journal", "backup", str(tmp_path / "copy"), "--data-dir", str(tmp_path))
    assert (ended.returncode, ended.stdout) == (66, "")
    assert not (tmp_path / "copy").exists()


@pytest.mark.parametrize("lost", ["ring", "keys"])
@pytest.mark.parametrize("is_directory", [False, True])
def test_a_ring_or_keys_that_cannot_be_read_are_salvaged_without(
    busy: Path, tmp_path: Path, lost: str, *, is_directory: bool
) -> None:
    """Far too long, or a directory in its place: a start refuses it, and what it names says what is lost."""
    data, file = tmp_path / "data", tmp_path / "data" / f"{lost}.csv"
    assert run("journal", "backup", str(data), "--data-dir", str(busy)).returncode == 0
    if is_directory:
        file.unlink()
        file.mkdir()
    else:
        os.truncate(file, 300 << 20)
    copied = str(tmp_path / "copy"), "--data-dir", str(data)
    refused = run("journal", "backup", *copied)
    assert (refused.returncode, file.name in refused.stderr) == (74 if is_directory else 65, True)
    salvaged = run("journal", "backup", "--salvage", *copied)
    assert (salvaged.returncode, salvaged.stdout) == (0, f"Sequence 7, position 7, now in {tmp_path / 'copy'}.\n")
    assert ("Not all of the ring could be used: " if lost == "ring" else "The keys are lost: ") in salvaged.stderr
    assert salvaged.stderr.count("\n") == 1
    assert run("journal", "verify", "--data-dir", str(tmp_path / "copy")).returncode == 0
