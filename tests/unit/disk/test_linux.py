"""What a start makes durable of the directories above its own."""

import asyncio
import errno
import os
import subprocess
from pathlib import Path

import pytest

from pexservice.disk.linux import LinuxDisk
from pexservice.disk.syncer import Syncer
from pexservice.errors import CannotCreate, Fatal, NotPermitted, Scarce, StorageFailed


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Return the list of the directories that are synced from now on."""
    seen: list[Path] = []
    monkeypatch.setattr(os, "fsync", lambda fd: seen.append(Path(f"/proc/self/fd/{fd}").readlink()))
    return seen


def _own(path: Path) -> None:
    async def scenario() -> None:
        LinuxDisk.own(path, Syncer()).close()

    asyncio.run(scenario())


def test_the_names_that_lead_to_the_data_directory_are_synced(tmp_path: Path, synced: list[Path]) -> None:
    """Each directory above is, up to the mount point, by whatever name it is called; and that it can be is tried."""
    (tmp_path / "real").mkdir()
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "walk").symlink_to(tmp_path / "real")
    _own(tmp_path / "links" / "walk" / "data")
    assert synced[:2] == [tmp_path / "real", tmp_path]
    assert synced[-2].is_mount()
    assert synced[-1] == tmp_path / "real" / "data"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a file system")
def test_nothing_above_a_mount_point_is_synced(tmp_path: Path, synced: list[Path]) -> None:
    """A data directory that is itself a mount point has no name on the file system above."""
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path)], check=False)
    if mounted.returncode:
        pytest.skip("this machine does not let us mount a tmpfs")
    try:
        _own(tmp_path)
        assert synced == [tmp_path]
        _own(tmp_path / "data")
        assert synced == [tmp_path, tmp_path, tmp_path / "data"]
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (call, code)
        for call in ("mkdir", "open", "fsync")
        for code in sorted(errno.errorcode)
        if (call, code) != ("mkdir", errno.ENOENT)  # That makes what is missing above, and asks again.
    ],
)
def test_every_error_of_a_start_has_its_kind_and_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, code: int
) -> None:
    """Whichever the system gives, what cannot be had is named, and what to do; no row or group is spoken of."""

    def fail(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    kinds: dict[int, type[Fatal]] = {
        errno.EACCES: NotPermitted,
        errno.EPERM: NotPermitted,
        errno.EIO: StorageFailed,
        errno.EMFILE: Scarce,
        errno.ENFILE: Scarce,
        errno.ENOMEM: Scarce,
    }
    kind = kinds.get(code, CannotCreate)
    data = tmp_path / "data"
    if (call, code) == ("mkdir", errno.EEXIST):
        data.write_text("")
    monkeypatch.setattr(os, call, fail)
    with pytest.raises(kind) as said:
        _own(data)
    monkeypatch.undo()
    text = str(said.value)
    assert str(data) in text or kind is Scarce
    assert text.endswith((".", ")"))
    assert "None" not in text
    assert not any(word in text for word in ("group", "row", "answered"))
