"""A file system of our own (FUSE), in a process of its own that is told what to do over a pipe.

The disk must outlive the service that is killed, and must not outlive the attack. So it is a process apart, which takes
one command a line, answers each with a line, and unmounts itself when the pipe is closed.
"""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from select import select
from typing import IO

from support.process import HANG_S, command, environment
from torture.disks.mounting import supported, unmount

try:
    from mfusepy import FUSE, FuseOSError, Operations  # type: ignore[import-untyped]
except OSError:  # Without libfuse all this can be imported, but not run: see `supported`.
    FUSE, FuseOSError, Operations = None, OSError, object


class FileSystem(Operations):  # type: ignore[misc]
    """The disk's side. It does one operation at a time, as they come."""

    use_ns = True
    """Times are in nanoseconds."""

    def __init__(self, mount_point: Path) -> None:
        self._mount_point = mount_point
        self.has_failed = threading.Event()
        """Set once an operation has failed that was told to."""

    def obey(self, words: list[str]) -> str:
        """Do what a command says, and return the line that answers it."""
        raise NotImplementedError(words)

    def serve(self) -> None:
        """Be the file system until it is unmounted."""
        FUSE(self, str(self._mount_point), foreground=True, nothreads=True)

    def init(self, path: str) -> None:
        threading.Thread(target=self._listen).start()

    def _listen(self) -> None:
        _say("ready")
        for line in sys.stdin:
            words = line.split()
            _say(str(self.has_failed.wait(HANG_S)) if words == ["await"] else self.obey(words))
        if self._mount_point.is_mount():  # Whoever started this is gone.
            unmount(self._mount_point)


def failure(code: int) -> OSError:
    """Return the error that makes an operation fail with this number."""
    error: OSError = FuseOSError(code)
    return error


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - standard output is the pipe.


class Disk:
    """The attack's side: where the file system is, and how it is told what to do."""

    def __init__(self, path: Path, commands: IO[str], answers: IO[str]) -> None:
        self.path = path
        self._commands = commands
        self._answers = answers

    def tell(self, *words: object) -> str:
        """Give a command and return the answer to it."""
        print(*words, file=self._commands, flush=True)
        return self.hear()

    def has_failed(self) -> bool:
        """Wait for an operation that was told to fail; tell whether there was one."""
        return self.tell("await") == "True"

    def hear(self) -> str:
        """Return the next line. There is never more than one to come, so none hides in a buffer."""
        assert select([self._answers], [], [], 2 * HANG_S)[0], f"the disk at {self.path} hangs"
        return self._answers.readline().strip()


@contextmanager
def running(module: str, path: Path, *arguments: object) -> Iterator[Disk]:
    """Mount the file system of a module at `path`, until the end of the block. Raises Unsupported."""
    supported()
    path.mkdir(exist_ok=True)
    process = subprocess.Popen(
        command(module, str(path), *map(str, arguments)),
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # An interrupt at the terminal must not take the disk from under the attack.
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        disk = Disk(path, process.stdin, process.stdout)
        assert disk.hear() == "ready", f"the disk at {path} did not start"
        try:
            yield disk
        finally:
            unmount(path)
    finally:
        process.stdin.close()
        try:
            process.wait(HANG_S)
        finally:
            process.kill()
            process.stdout.close()
