"""What the journal alone may end with, and the one translation of the operating system's errors into it."""

import errno
import os
from typing import ClassVar, Final

from pexservice.disk import NOT_REGULAR
from pexservice.errors import DamagedData, NotApplied, NotPermitted, Scarce, StorageFailed, reason, scarcity

_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EMFILE, errno.ENFILE})
_NO_RIGHT: Final = frozenset({errno.EACCES, errno.EPERM})


class JournalFailed(StorageFailed):
    """Raised when the journal cannot be trusted to hold what was written: a failed sync, read or write.

    Never retried: after a failed sync the kernel may drop the dirty pages and report success the next time
    (measured on ext4: EIO, EIO, then 0, while the bytes on the device were zeros).
    """


class JournalFull(NotApplied):
    """Raised when the ring is full and there is no space, or no descriptor, for the history that would empty it."""

    is_lasting: ClassVar[bool] = True
    code: ClassVar[str] = "journal-full"
    title: ClassVar[str] = "No room for the journal"
    detail: ClassVar[str] = (
        "The journal has no disk space, or no file descriptor, for another step. None was taken; steps resume by "
        "themselves when there is room."
    )
    retry_after_s: ClassVar[int] = 5


class RowTooLong(NotApplied):
    """Raised when a group needs more lines of the ring than one may have. Asked for in smaller groups, it may fit."""

    code: ClassVar[str] = "row-too-long"
    title: ClassVar[str] = "Too much in one group"
    detail: ClassVar[str] = "What was asked for at the same time is too long to be written in one row. None was taken."


class CommandTooLong(NotApplied):
    """Raised when that is so of a command that was asked for alone: it never succeeds."""

    code: ClassVar[str] = "command-too-long"
    title: ClassVar[str] = "Too long for a row"
    detail: ClassVar[str] = (
        "What was asked for, with the state that it leads to, is too long for a row of the journal; the log says how "
        "long. It was not taken, and asking again does not help."
    )
    retry_after_s: ClassVar[int] = 0


def translate(doing: str, name: str, error: OSError) -> NotPermitted | JournalFull | JournalFailed | Scarce:
    """Return the error for what the operating system said when we were `doing` something to a file."""
    if error.errno in _NO_RIGHT:
        return NotPermitted(f"may not {doing} {name}: {reason(error)}. Give user id {os.geteuid()} the right to.")
    if error.errno == errno.EISDIR:
        return JournalFailed(f"cannot {doing} {name}: a directory has this name, or the same and .new. Move it away.")
    if error.errno == NOT_REGULAR:
        return JournalFailed(f"cannot {doing} {name}: {reason(error)}. Move it away.")
    if error.errno in _NO_ROOM:
        then = ", then start again." if error.errno == errno.EFBIG else "; nothing else needs to be done."
        return JournalFull(f"cannot {doing} {name}: {reason(error)}. {make_room(error)}{then}")
    message = f"cannot {doing} {name}: {reason(error)}. Check the disk and the kernel's log."
    return scarcity(error) or JournalFailed(message)


def failed(doing: str, name: str, error: OSError) -> NotPermitted | JournalFailed | Scarce:
    """As `translate`, for what may not be tried again: then a lack of room is a failure like any other.

    But a lack of descriptors or memory is that of the process: nothing is wrong with the disk.
    """
    found = translate(doing, name, error)
    if isinstance(found, JournalFull):
        remedy = f"{make_room(error)}, then start again."
        return scarcity(error) or JournalFailed(f"cannot {doing} {name}: {reason(error)}. {remedy}")
    return found


def make_room(error: BaseException | None) -> str:
    """Return what to do about an error that tells of no room, as the beginning of a sentence.

    A limit is set when a process starts, and no room on the disk helps against it. Descriptors come back as connections
    end.
    """
    code = error.errno if isinstance(error, OSError) else None
    if code == errno.EFBIG:
        return "Raise the limit on the size of files (ulimit -f; LimitFSIZE= of systemd)"
    if code in {errno.EMFILE, errno.ENFILE}:
        return "Have fewer connections, or a higher limit on file descriptors (ulimit -n; LimitNOFILE= of systemd)"
    return "Make room"


def gone(name: str) -> JournalFailed:
    """Return the error for a file that is not as it was put in place, while nobody but us may have changed it."""
    return JournalFailed(
        f"{name} was removed, renamed or cut while it was in use. Put it back as it was, or restore the data "
        "directory; and keep log rotation and the like away from it."
    )


def damage(name: str, line: int, offset: int, why: str) -> DamagedData:
    """Return the error for a damaged line of a file, with what an operator can do about it."""
    return DamagedData(
        f"{name} is damaged at line {line}, byte offset {offset}: {why}. Nothing was changed. "
        "Restore the data directory from a backup, or see 'Damaged journal' in docs/operations.md."
    )


def mismatch(why: str) -> DamagedData:
    """Return the error for files that are whole, each by itself, and do not belong together."""
    return DamagedData(
        f"the journal is damaged: {why}. Nothing was changed. "
        "Restore the data directory from a backup, or see 'Damaged journal' in docs/operations.md."
    )
