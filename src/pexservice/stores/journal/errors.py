"""What can go wrong with a journal, and the one translation from what the operating system says."""

import errno
from typing import Final

from pexservice.errors import NotApplied, NotPermitted, StorageFailed

_NO_ROOM: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EMFILE, errno.ENFILE}


class JournalFailed(StorageFailed):
    """Raised when the journal cannot be trusted to hold what was written: a failed sync, read or write.

    Never retried: after a failed sync the kernel may drop the dirty pages and report success the next time
    (measured on ext4: EIO, EIO, then 0, while the bytes on the device were zeros).
    """


class JournalFull(NotApplied):
    """Raised when there is no space for the row of a group, or no space or no descriptor for a new segment.

    The journal was cut back to its last durable byte.
    """

    code = "journal-full"
    title = "No room for the journal"
    detail = (
        "The journal has no disk space, or no file descriptor, for another step. None was taken; steps resume by "
        "themselves when there is room."
    )
    retry_after_s = 5


def failure(verb: str, what: str, error: OSError) -> JournalFull | JournalFailed | NotPermitted:
    """Return the error for something that could not be done to a file: `verb` and `what` say which."""
    if isinstance(error, PermissionError):
        return NotPermitted(f"may not {verb} {what}: {error.strerror}. Give this user the right to.")
    if error.errno in _NO_ROOM:
        return JournalFull(f"cannot {verb} {what}: {error.strerror}")
    return JournalFailed(f"cannot {verb} {what}: {error.strerror}. Check the disk and the kernel's log.")
