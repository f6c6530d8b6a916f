"""Who owns a directory, while processes come and go."""

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pexservice.disk import lock as locking
from pexservice.disk.lock import take
from pexservice.errors import DirectoryOwned


@pytest.fixture
def held(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """A lock file, and a descriptor that holds it, as a worker has one: apart from that of who comes next."""
    path = tmp_path / "lock"
    holder = os.open(path, os.O_RDWR | os.O_CREAT)
    fcntl.flock(holder, fcntl.LOCK_EX)
    yield path, holder
    os.close(holder)


def ended() -> int:
    """Return the number of a process that has ended and was waited for."""
    pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitpid(pid, 0)
    return pid


def test_the_owner_is_named(tmp_path: Path) -> None:
    """Whoever is turned away can see whom to stop."""
    lock = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    os.write(lock, b"1234567890\n")
    take(lock, "the data directory", "with --data-dir")
    assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"
    os.close(lock)


@pytest.mark.parametrize(
    ("owner", "named"),
    [(f"{os.getpid()}\n", str(os.getpid())), ("", "unknown"), ("x", "x")],
    ids=["alive", "none", "no number"],  # Those of all processes that run tests are to be alike.
)
def test_a_directory_of_a_process_that_lives_is_not_waited_for(held: tuple[Path, int], owner: str, named: str) -> None:
    """Nor is one of which nobody knows whose it is."""
    path, _ = held
    path.write_text(owner)
    lock = os.open(path, os.O_RDWR)
    began_s = time.monotonic()
    with pytest.raises(DirectoryOwned, match=rf"\(pid {named}\) owns"):
        take(lock, "the data directory", "with --data-dir")
    assert time.monotonic() - began_s < 4
    os.close(lock)


def test_the_workers_of_a_service_that_was_killed_are_waited_for(held: tuple[Path, int]) -> None:
    """They hold its lock until they have ended, which takes a moment."""
    path, holder = held
    path.write_text(f"{ended()}\n")
    lock = os.open(path, os.O_RDWR)
    ending = threading.Timer(0.1, fcntl.flock, (holder, fcntl.LOCK_UN))
    ending.start()
    take(lock, "the data directory", "with --data-dir")
    assert path.read_text() == f"{os.getpid()}\n"
    ending.join()
    os.close(lock)


def test_they_are_not_waited_for_for_ever(held: tuple[Path, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """One that does not end is told of."""
    monkeypatch.setattr(locking, "_ORPHANS_S", 0.05)
    path, _ = held
    path.write_text(f"{ended()}\n")
    lock = os.open(path, os.O_RDWR)
    with pytest.raises(DirectoryOwned):
        take(lock, "the data directory", "with --data-dir")
    os.close(lock)


def test_a_process_that_was_not_waited_for_has_ended(held: tuple[Path, int]) -> None:
    """Its parent may never ask for its status."""
    path, holder = held
    pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    path.write_text(f"{pid}\n")
    lock = os.open(path, os.O_RDWR)
    ending = threading.Timer(0.1, fcntl.flock, (holder, fcntl.LOCK_UN))
    ending.start()
    take(lock, "the data directory", "with --data-dir")
    ending.join()
    os.waitpid(pid, 0)
    os.close(lock)
