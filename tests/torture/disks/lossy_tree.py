"""Files and directories that keep apart what is written and what is durable. No file system here, only its contents.

It keeps what POSIX promises, and not a bit more. Bytes become durable with a sync of their file, names (create, rename,
link, unlink, mkdir) with a sync of the directory that they are in, and neither vouches for the other. After a power cut
each change since then is there or not, on its own: a write kept, lost or torn, its missing sectors reading as NULs or
not being there; a name operation done or not, a rename always whole. Journaling file systems keep more than that; a
service that needs more needs luck.
"""

from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TypeAlias

from torture.disks.fates import survivors


@dataclass(frozen=True)
class Write:
    """Bytes that were written."""

    offset: int
    data: bytes

    def happen(self, content: bytearray) -> None:
        """Be there, whole."""
        _put(content, self.offset, self.data)

    def survive(self, rng: Random, content: bytearray) -> None:
        """Be kept, lost or torn. The size may have grown in any case: what is missing then reads as NULs."""
        for offset, piece in survivors(rng, self.offset, self.data):
            _put(content, offset, piece)
        if rng.random() < 0.5:
            _put(content, self.offset + len(self.data), b"")


@dataclass(frozen=True)
class Resize:
    """A new size."""

    size: int

    def happen(self, content: bytearray) -> None:
        """Be done."""
        del content[self.size :]
        _put(content, self.size, b"")

    def survive(self, rng: Random, content: bytearray) -> None:
        """Be done or not."""
        if rng.random() < 0.5:
            self.happen(content)


def _put(content: bytearray, offset: int, data: bytes) -> None:
    content += bytes(max(0, offset - len(content)))
    content[offset : offset + len(data)] = data


@dataclass(eq=False)
class File:
    """The bytes of a file."""

    durable: bytes = b""
    content: bytearray = field(default_factory=bytearray)
    unsynced: list[Write | Resize] = field(default_factory=list)

    def change(self, change: Write | Resize) -> None:
        """Let something happen that is not durable."""
        change.happen(self.content)
        self.unsynced.append(change)

    def sync(self) -> None:
        """Make it durable."""
        self.durable = bytes(self.content)
        self.unsynced.clear()

    def lose_power(self, rng: Random) -> None:
        """Decide what survives. Without effect on a file that has been here before by another name."""
        content = bytearray(self.durable)
        for change in self.unsynced:
            change.survive(rng, content)
        self.content = content
        self.sync()

    def save(self, path: Path) -> None:
        """Write it to an ordinary file."""
        path.write_bytes(self.content)


@dataclass(eq=False)
class Directory:
    """The names in a directory."""

    durable: "Names" = field(default_factory=dict)
    content: "Names" = field(default_factory=dict)
    unsynced: list["Change"] = field(default_factory=list)

    def change(self, change: "Change") -> None:
        """Let something happen that is not durable."""
        _apply(change, self.content)
        self.unsynced.append(change)

    def sync(self) -> None:
        """Make the names durable; what they stand for may not be."""
        self.durable = dict(self.content)
        self.unsynced.clear()

    def lose_power(self, rng: Random) -> None:
        """Decide what survives, here and below."""
        self.content = dict(self.durable)
        for change in self.unsynced:
            if rng.random() < 0.5:
                _apply(change, self.content)
        self.sync()
        for node in self.content.values():
            node.lose_power(rng)

    def save(self, path: Path) -> None:
        """Write it to an ordinary directory, which must not be there."""
        path.mkdir()
        for name, node in self.content.items():
            node.save(path / name)


Node: TypeAlias = File | Directory
Names: TypeAlias = dict[str, Node]
Change: TypeAlias = dict[str, Node | None]
"""One operation on names: what each stands for afterwards, None being nothing."""


def _apply(change: Change, names: Names) -> None:
    for name, node in change.items():
        names.pop(name, None)
        if node is not None:
            names[name] = node


def load(path: Path) -> Directory:
    """Read an ordinary directory, all of it being durable."""
    directory = Directory()
    for each in sorted(path.iterdir()):
        directory.content[each.name] = load(each) if each.is_dir() else File(content=bytearray(each.read_bytes()))
        directory.content[each.name].sync()
    directory.sync()
    return directory
