"""The protocol that the engine commits through.

The idea: the engine hands over a group and learns where the group *began*. Replaying the group from there gives every
answer, so a store returns two integers however large the group. Nothing here assumes that this process is the only
writer; a store shared by several would order their groups and tell each where its own began.
"""

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Protocol

from pexservice.errors import NotApplied


@dataclass(frozen=True, slots=True)
class Place:
    """Where the walk stands: `sequence` steps were ever committed, and they led to `position`. Both are >= 0."""

    sequence: int
    position: int


class Store(Protocol):
    """Keeps the walk. One group is in flight at a time."""

    @property
    def place(self) -> Place:
        """The last durable place that this process knows of."""
        ...

    def commit(self, steps: bytes) -> Awaitable[Place]:
        """Make a group of one or more steps durable, all or nothing, and give the place where it began.

        The work begins with the call, or with the await where something else must come first; the engine does its own
        in between. Call or await raises NotApplied when the group was not taken and the store is as before, and Fatal
        when that cannot be known: then nothing of the group may be answered, and the process must end.
        """
        ...

    async def heal(self) -> NotApplied | None:
        """Try to become able to commit again after `commit` raised NotApplied; return what is still in the way."""
        ...

    async def close(self) -> None:
        """Make everything durable and let go of the store."""
        ...
