"""What can be made to go wrong on the simulated disk."""

import errno
from dataclasses import dataclass


class PowerCut(BaseException):
    """Raised in the middle of an operation: the process is no more."""


@dataclass
class Faults:
    """What is to go wrong. Counts run down with each operation; None is never."""

    operations_until_cut: int | None = None
    operations_until_error: int | None = None
    error: int = errno.EIO
    """What the operation that `operations_until_error` counts down to fails with; only that one."""
    free_bytes: int | None = None
    write_error: int | None = None
    sync_error: int | None = None
    fixed_error: int | None = None
    """What the next direct write fails with, while others that are under way succeed."""
    is_short: bool = False
    """Direct writes write a part and say so."""
    lies: bool = False
    """Syncs and direct writes report success and do nothing: a negative control."""
