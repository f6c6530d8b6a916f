"""Mounts and loop devices that end with a block, also when it fails. All this needs root."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes.util import find_library
from pathlib import Path
from shutil import which

from support.process import wait_until
from torture.attack import Unsupported


def supported() -> None:
    """Raise Unsupported unless this machine lets us make disks of our own."""
    if os.geteuid() != 0:
        raise Unsupported("mounting needs root")
    lacking = [path for path in ("/dev/fuse", "/dev/loop-control") if not Path(path).exists()]
    lacking += [command for command in ("losetup", "mkfs.ext4") if which(command) is None]
    lacking += [] if find_library("fuse3") else ["libfuse3"]
    if lacking:
        raise Unsupported(f"there is no {', '.join(lacking)}")


@contextmanager
def mounted(source: Path, path: Path, *options: str) -> Iterator[Path]:
    """Mount a file or a device at `path` until the end of the block."""
    path.mkdir(exist_ok=True)
    _run("mount", "-o", ",".join(options) or "defaults", str(source), str(path))
    try:
        yield path
    finally:
        unmount(path)


@contextmanager
def attached(file: Path) -> Iterator[Path]:
    """Make a block device of a file until the end of the block; it passes on writes and flushes as they come."""
    device = Path(_run("losetup", "--find", "--show", "--direct-io=on", str(file)).strip())
    try:
        yield device
    finally:
        _run("losetup", "--detach", str(device))
        wait_until(lambda: not Path("/sys/block", device.name, "loop").exists())  # udev may be looking at it, too.


def unmount(path: Path) -> None:
    """Unmount. What is still in use goes away with its last user, but that is an error."""
    try:
        _run("umount", str(path))
    except subprocess.CalledProcessError:
        _run("umount", "--lazy", str(path))
        raise


def make_ext4(target: Path, *, block_bytes: int) -> None:
    """Put an empty ext4 on a file or a device, with nothing left to be initialised in the background."""
    options = ["-E", "nodiscard,lazy_itable_init=0,lazy_journal_init=0", "-b", str(block_bytes)]
    _run("mkfs.ext4", "-q", "-F", *options, str(target))


def _run(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout
