"""Each alert fires by the fault that it is about, alone, and clears when that is over.

The fault is real: a killed process, a file system without room, a disk that dawdles, clients that flood. The service is
real, and so are Prometheus and the rules, but for their clock (`support/prometheus.py`).
"""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from system.alerts.faults import ROOMY_BYTES, or_skipped
from torture.disks.block_device import block_device
from torture.disks.fuse import Disk
from torture.disks.mounting import make_ext4, mounted


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Give a function that mounts, or changes, a file system with the limits that it is given, and returns its path."""
    path = tmp_path / "disk"
    path.mkdir()

    def limit(limits: str) -> Path:
        options = f"remount,{limits}" if path.is_mount() else limits
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path)], check=True)
        return path

    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    yield limit
    subprocess.run(["umount", "--lazy", str(path)], check=True)


@pytest.fixture
def slow_disk(tmp_path: Path) -> Iterator[tuple[Path, Disk]]:
    """Give a directory on an ext4, and the disk below it, which takes as long for a flush as it is told to."""
    with ExitStack() as stack:
        with or_skipped():
            disk, device = stack.enter_context(block_device(tmp_path, size_bytes=ROOMY_BYTES))
        make_ext4(device, block_bytes=4096)
        yield stack.enter_context(mounted(device, tmp_path / "mounted")), disk
