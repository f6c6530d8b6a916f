"""A file of the simulated disk."""

from dataclasses import dataclass, field


@dataclass(eq=False)
class Inode:
    """The bytes of a file: as written, and as durable."""

    written: bytearray = field(default_factory=bytearray)
    durable: bytearray = field(default_factory=bytearray)
    under_way: list[tuple[int, bytes]] = field(default_factory=list)
    """Direct writes that were begun and are not done."""
    syncing: int = 0
    """Syncs under way. The system tells of a failed one once only, so of two at a time one would lie."""
