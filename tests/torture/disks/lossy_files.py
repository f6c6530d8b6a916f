"""A directory that loses what was not synced when its power is cut (`lossy_tree.py` says what that is).

The cut can be aimed. It is told to come after a number of operations that change or sync something; from then on all of
them fail, so nothing that the cut came before can happen any more, or be told to anyone. The contents live in the
memory of a process of their own, read from a *backing* directory, an ordinary one. After the cut, `drop` leaves there
what survived, for the next such disk to begin with. Where `mend` comes first, it was a passing failure.
"""

import errno
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from math import inf
from pathlib import Path, PurePosixPath
from random import Random
from shutil import rmtree

from torture.disks.fuse import Disk, FileSystem, failure, running
from torture.disks.lossy_tree import Change, Directory, File, Node, Resize, Write, load


class LossyFiles(FileSystem):
    """The file system. Its methods are the operations of libfuse."""

    def __init__(self, mount_point: Path, backing: Path, rng: Random) -> None:
        super().__init__(mount_point)
        self._backing = backing
        self._rng = rng
        self._operations_left: float = inf
        self._code = errno.EIO
        self._root = load(backing)
        self._open: list[File] = []

    def obey(self, words: list[str]) -> str:
        """Take `fail N ERRNO`: fail after N more operations; `mend`: never fail; `drop`: leave what survives a cut."""
        match words:
            case ["fail", operations, code]:
                self.has_failed.clear()
                self._code = int(code)
                self._operations_left = int(operations)
            case ["mend"]:
                self._operations_left = inf
            case ["drop"]:
                self._root.lose_power(self._rng)
                rmtree(self._backing)
                self._root.save(self._backing)
            case _:
                raise ValueError(words)
        return "done"

    def getattr(self, path: str, fh: int | None = None) -> dict[str, int]:
        node = self._node(path)
        if isinstance(node, Directory):
            return {"st_mode": stat.S_IFDIR | 0o750, "st_nlink": 2}
        return {"st_mode": stat.S_IFREG | 0o640, "st_nlink": 1, "st_size": len(node.content)}

    def readdir(self, path: str, fh: int) -> list[str]:
        return [".", "..", *self._directory(path).content]

    def open(self, path: str, flags: int) -> int:
        node = self._node(path)
        assert isinstance(node, File)
        return self._handle(node)

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        return bytes(self._open[fh].content[offset : offset + size])

    def create(self, path: str, mode: int) -> int:
        file = File()
        self._change_names(path, {PurePosixPath(path).name: file})
        return self._handle(file)

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        self._operate()
        self._open[fh].change(Write(offset, data))
        return len(data)

    def truncate(self, path: str, length: int, fh: int | None = None) -> None:
        self._operate()
        file = self._node(path)
        assert isinstance(file, File)
        file.change(Resize(length))

    def fsync(self, path: str, datasync: int, fh: int) -> None:
        self._operate()
        self._open[fh].sync()

    def fsyncdir(self, path: str, datasync: int, fh: int) -> None:
        self._operate()
        self._directory(path).sync()

    def mkdir(self, path: str, mode: int) -> None:
        self._change_names(path, {PurePosixPath(path).name: Directory()})

    def rename(self, old: str, new: str) -> None:
        if PurePosixPath(old).parent != PurePosixPath(new).parent:
            raise failure(errno.EXDEV)
        self._change_names(old, {PurePosixPath(old).name: None, PurePosixPath(new).name: self._node(old)})

    def link(self, target: str, source: str) -> None:
        self._change_names(target, {PurePosixPath(target).name: self._node(source)})

    def unlink(self, path: str) -> None:
        self._change_names(path, {PurePosixPath(path).name: None})

    def _operate(self) -> None:
        """Count one operation, or fail it."""
        if self._operations_left == 0:
            self.has_failed.set()
            raise failure(self._code)
        self._operations_left -= 1

    def _change_names(self, path: str, change: Change) -> None:
        self._operate()
        self._directory(str(PurePosixPath(path).parent)).change(change)

    def _node(self, path: str) -> Node:
        node: Node | None = self._root
        for name in PurePosixPath(path).parts[1:]:
            node = node.content.get(name) if isinstance(node, Directory) else None
        if node is None:
            raise failure(errno.ENOENT)
        return node

    def _directory(self, path: str) -> Directory:
        node = self._node(path)
        assert isinstance(node, Directory)
        return node

    def _handle(self, file: File) -> int:
        self._open.append(file)
        return len(self._open) - 1


@contextmanager
def lossy_files(path: Path, backing: Path, rng: Random) -> Iterator[Disk]:
    """Mount such a directory at `path` until the end of the block. Raises Unsupported.

    Tell it to `fail` after a number of operations. Once it has, and nobody uses it any more, tell it `drop` or `mend`.
    """
    with running("torture.disks.lossy_files", path, backing, rng.random()) as disk:
        yield disk


if __name__ == "__main__":
    _, given_path, given_backing, seed = sys.argv
    LossyFiles(Path(given_path), Path(given_backing), Random(seed)).serve()
