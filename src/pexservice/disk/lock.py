"""The lock of a directory: one process owns it, with those that it gave a copy of the descriptor.

A service of several processes that was killed leaves workers for some milliseconds, and with them its lock. Whoever
starts meanwhile waits for them rather than fail.
"""

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from pexservice.errors import DirectoryOwned

_ORPHANS_S: Final = 5.0
"""How long a start waits for the workers of a service that was killed: they end within some 50 ms."""
_ORPHANS_RETRY_S: Final = 0.01
_ENDED: Final = {"Z", "X"}
"""The states of a process that waits only to be asked for its status: proc_pid_stat(5)."""


def take(lock: int, directory: str, choice: str) -> None:
    """Lock an open file for this process, and write its number there. Raises DirectoryOwned, OSError.

    The directory, and how another is chosen, are as the message is to name them.
    """
    deadline_s = time.monotonic() + _ORPHANS_S
    while not _is_locked(lock):
        owner = os.pread(lock, 20, 0).decode("ascii", "replace").strip() or "unknown"
        if _is_gone(owner) and time.monotonic() < deadline_s:
            time.sleep(_ORPHANS_RETRY_S)
            continue
        message = (
            f"another process (pid {owner}) owns {directory}. "
            f"Stop it first, or give this one a directory of its own {choice}."
        )
        raise DirectoryOwned(message)
    with suppress(OSError):  # The number is a courtesy to whoever is turned away; a full disk must not stop us.
        os.ftruncate(lock, 0)
        os.pwrite(lock, b"%d\n" % os.getpid(), 0)


def _is_locked(lock: int) -> bool:
    """Tell whether the lock is ours now. Raises OSError."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_gone(owner: str) -> bool:
    """Tell whether a process of this number has ended: then its workers hold the lock, and are about to end too."""
    if not owner.isdecimal():
        return False
    try:
        state = Path(f"/proc/{owner}/stat").read_text("ascii", "replace").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    except OSError:
        return False
    return state in _ENDED
