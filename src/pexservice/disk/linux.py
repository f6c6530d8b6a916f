"""A data directory on a real disk.

Every name is resolved relative to one open directory descriptor, so the directory may be renamed or remounted over
while the service runs without a file landing elsewhere.
"""

import errno
import os
import resource
import stat
import sys
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import structlog

from pexservice.disk import LOCK_NAME, NOT_REGULAR, FixedFile
from pexservice.disk import lock as locking
from pexservice.disk.daemons import off_loop
from pexservice.disk.fixed import NOT_DIRECT, LinuxFixedFile, let_go
from pexservice.disk.growing import LinuxFile
from pexservice.disk.syncer import Syncer
from pexservice.errors import CannotCreate, Fatal, NotPermitted, StorageFailed, reason, scarcity

log = structlog.get_logger()

_FILE_MODE = 0o640
_PRIVATE_MODE: Final = 0o600
_DIRECTORY_MODE = 0o750
_NO_DIRECTORY_SYNC = {errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS}
"""What a file system says that has no sync of directories: fsync(2)."""
_DIRECT_FILE_SYSTEMS = {"ext4", "xfs"}
"""Where a direct write with O_DSYNC is known to be durable once it is done. FUSE leaves that to its server, and many
take no notice; what an unknown one makes of it shows only after a power cut."""
_BLOCK_BYTES_MIN = 512
_BLOCK_BYTES_UNKNOWN = 4096
"""As large as any that is common."""
_NOT_OURS_TO_SYNC = {errno.EACCES, errno.EPERM, errno.EROFS} | _NO_DIRECTORY_SYNC
"""What a directory says that this user did not make: it may not be read, or its file system keeps nothing."""
"""For a lock that is a pipe or a device; no system call says so."""
_HINTS: Final[dict[int | None, str]] = {
    errno.EROFS: "Let its file system be writable, or choose another directory {choice}.",
    errno.ENOSPC: "Free some space, or choose another directory {choice}.",
    errno.EDQUOT: "Free some space, or choose another directory {choice}.",
    errno.EISDIR: "Remove it, and a file is made.",
    NOT_REGULAR: "Remove it, and a file is made.",
    errno.ENOLCK: "Its file system has no locks: choose another directory {choice}.",
    errno.EOPNOTSUPP: "Its file system has no locks: choose another directory {choice}.",
}


class Role(NamedTuple):
    """What a directory is to who named it, for messages."""

    name: str = "the data directory"
    choice: str = "with --data-dir"
    """How another one is named."""

    def choice_beside(self, path: Path) -> str:
        """Return `choice`; for a data directory with files, with what to do so that another does not begin anew."""
        try:
            is_used = bool(set(os.listdir(path)) - {LOCK_NAME})
        except OSError as error:
            is_used = isinstance(error, PermissionError)
        return f"{self.choice}, and move there what is in this one" if is_used and self == _DATA else self.choice


_DATA: Final = Role()


class LinuxDisk:
    """A directory on this machine. See `disk.Disk`. Its `path` is for messages."""

    def __init__(self, path: Path, fd: int, syncer: Syncer | None) -> None:
        self.path = path
        self._fd = fd
        self._syncer = syncer
        self._lock: int | None = None

    @classmethod
    def own(cls, path: Path, syncer: Syncer, role: Role = _DATA) -> "LinuxDisk":
        """Create the directory if there is none, open it, and lock it for this process until it ends.

        `role` is what it is called, if not the data directory. Raises CannotCreate, NotPermitted, DirectoryOwned,
        StorageFailed, Scarce.
        """
        what = f"{role.name} {path}"
        try:
            path.mkdir(_DIRECTORY_MODE, parents=True, exist_ok=True)
            _sync_ancestors(path.resolve())
            fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise _cannot("use", what, error, role.choice_beside(path)) from error
        disk = cls(path, fd, syncer)
        try:
            disk._take_lock(what, role.choice)
        except OSError as error:
            if not os.access(LOCK_NAME, os.F_OK, dir_fd=fd, follow_symlinks=False):
                raise _cannot("write in", what, error, role.choice_beside(path)) from error
            lock_file = f"the lock file {path / LOCK_NAME}"
            raise _cannot("use", lock_file, error, role.choice_beside(path)) from error
        try:
            os.fsync(fd)
        except OSError as error:
            if error.errno in _NO_DIRECTORY_SYNC:
                message = (
                    f"the file system of {what} cannot sync a directory ({reason(error)}), so a file could vanish in a "
                    f"power cut. Choose a directory on another {role.choice_beside(path)}."
                )
                raise CannotCreate(message) from error
            raise _cannot("sync", what, error, role.choice_beside(path)) from error
        return disk

    @classmethod
    def inspect(cls, path: Path) -> "LinuxDisk":
        """Open the directory for reading, beside whoever owns it. Raises NotPermitted, CannotCreate."""
        try:
            return cls(path, os.open(path, os.O_RDONLY | os.O_DIRECTORY), None)
        except OSError as error:
            raise _cannot("read", f"the data directory {path}", error) from error

    @property
    def locks(self) -> Sequence[int]:
        """The descriptor of the lock, if there is one."""
        return [self._lock] if self._lock is not None else []

    def names(self) -> list[str]:
        """As `Disk.names`."""
        return os.listdir(self._fd)

    def size(self, name: str) -> int:
        """As `Disk.size`."""
        return os.stat(name, dir_fd=self._fd).st_size

    def read(self, name: str) -> bytes:
        """As `Disk.read`."""
        return read_regular(name, dir_fd=self._fd, from_disk=self._lock is not None)

    async def create(self, name: str, *, is_private: bool = False) -> LinuxFile:
        """As `Disk.create`."""
        assert self._syncer is not None, "a directory opened for reading"
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL
        mode = _PRIVATE_MODE if is_private else _FILE_MODE
        return LinuxFile(await off_loop(partial(os.open, name, flags, mode, dir_fd=self._fd)), self._syncer)

    async def open_fixed(self, name: str, *, is_cached: bool) -> FixedFile:
        """As `Disk.open_fixed`. Falls back from direct to cached writes where the file system has no direct ones."""
        assert self._syncer is not None, "a directory opened for reading"
        if not is_cached and self._file_system() in _DIRECT_FILE_SYSTEMS:
            try:
                return await LinuxFixedFile.open_direct(name, self._fd, self._syncer, self.block_bytes())
            except OSError as error:
                if error.errno not in NOT_DIRECT:
                    raise
                log.info("no direct writes here, using the page cache", error=str(error))
        return LinuxFixedFile.open_cached(name, self._fd, self._syncer, is_cached=is_cached)

    async def rename(self, old: str, new: str) -> None:
        """As `Disk.rename`."""
        await off_loop(partial(os.rename, old, new, src_dir_fd=self._fd, dst_dir_fd=self._fd))

    async def remove(self, name: str) -> None:
        """As `Disk.remove`."""
        await off_loop(partial(os.unlink, name, dir_fd=self._fd))

    def sync_names(self) -> Awaitable[None]:
        """As `Disk.sync_names`."""
        assert self._syncer is not None, "a directory opened for reading"
        return self._syncer.sync(self._fd, is_directory=True)

    def block_bytes(self) -> int:
        """As `Disk.block_bytes`: the physical block of the device, or 4,096 bytes where that cannot be known."""
        device = os.fstat(self._fd).st_dev
        for queue in ("queue", "../queue"):  # Of a disk, or of the disk that a partition is on.
            path = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/{queue}/physical_block_size")
            with suppress(OSError, ValueError):
                return max(_BLOCK_BYTES_MIN, int(path.read_text("ascii")))
        return _BLOCK_BYTES_UNKNOWN

    def _file_system(self) -> str:
        """Return the type of the file system by its mount (proc_pid_mountinfo(5)), or nothing if that is not told."""
        device = os.fstat(self._fd).st_dev
        number = f"{os.major(device)}:{os.minor(device)}"
        with suppress(OSError), Path("/proc/self/mountinfo").open(encoding="utf-8", errors="replace") as mounts:
            for mount in mounts:
                before, _, after = mount.partition(" - ")
                if before.split()[2] == number:
                    return after.split()[0]
        return ""

    def file_bytes_max(self) -> int:
        """As `Disk.file_bytes_max`."""
        limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
        return sys.maxsize if limit == resource.RLIM_INFINITY else limit

    def free_bytes(self) -> int:
        """As `Disk.free_bytes`."""
        found = os.fstatvfs(self._fd)
        return found.f_bavail * found.f_frsize

    def close(self) -> None:
        """Let go of the directory, and of its lock."""
        if self._lock is not None:
            let_go(self._lock)
        let_go(self._fd)

    def _take_lock(self, what: str, choice: str) -> None:
        # Without O_NONBLOCK some devices would wait to be opened.
        lock = os.open(LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_NONBLOCK, _FILE_MODE, dir_fd=self._fd)
        if not stat.S_ISREG(os.fstat(lock).st_mode):
            let_go(lock)
            raise OSError(NOT_REGULAR, "it is not a regular file")
        try:
            locking.take(lock, what, choice)
        except BaseException:
            let_go(lock)
            raise
        self._lock = lock


def read_regular(name: str | Path, *, bytes_max: int = -1, dir_fd: int | None = None, from_disk: bool = False) -> bytes:
    """Return the beginning, or the whole, of a regular file. Raises OSError, also for any other kind of file.

    With `from_disk`, what a write left in the page cache when its sync failed is not taken for what is on the disk.
    """
    # Without O_NONBLOCK a named pipe would wait for somebody to write to it.
    with os.fdopen(os.open(name, os.O_RDONLY | os.O_NONBLOCK, dir_fd=dir_fd), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(NOT_REGULAR, "it is not a regular file")
        if from_disk:
            os.fdatasync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return file.read(bytes_max)


def _sync_ancestors(path: Path) -> None:
    """Make the names of a directory and of those above it durable, up to the mount point, which has none to lose.

    Whoever made them: it may have been a start that was killed before it came to this.
    """
    for directory in (path, *path.parents):
        if directory.is_mount():
            return
        try:
            fd = os.open(directory.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)
        except OSError as error:
            if error.errno not in _NOT_OURS_TO_SYNC:
                raise


def _cannot(verb: str, what: str, error: OSError, choice: str = _DATA.choice) -> Fatal:
    """Return the error for a part of the directory that cannot be had."""
    if isinstance(error, PermissionError):
        return NotPermitted(
            f"may not {verb} {what}: {reason(error)}. Give user id {os.geteuid()} the right to, or choose another "
            f"directory {choice}."
        )
    if isinstance(error, FileNotFoundError) and verb == "read":
        return CannotCreate(f"there is no {what.removeprefix('the ')}. Name it with --data-dir.")
    if isinstance(error, FileExistsError):
        return CannotCreate(f"cannot {verb} {what}: it is no directory. Choose another {choice}.")
    message = f"cannot {verb} {what}: {reason(error)}."
    if error.errno == errno.EIO:
        return StorageFailed(f"{message} Check the disk and the kernel's log.")
    hint = _HINTS.get(error.errno, "Choose another directory {choice}.").format(choice=choice)
    return scarcity(error) or CannotCreate(f"{message} {hint}")
