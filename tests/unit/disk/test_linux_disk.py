"""What a start makes durable of the directories above its own."""

import asyncio
import os
import subprocess
from pathlib import Path

import pytest

from pexservice.disk.linux import LinuxDisk
from pexservice.disk.syncer import Syncer


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
