"""One group on its way through the ring, which the engine awaits; and where the machine stands meanwhile."""

import asyncio
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any, Generic

from pexservice.core.judging import Judgement, Place
from pexservice.core.keys import NO_KEYS, Keys
from pexservice.core.machine import C, S
from pexservice.errors import PexError


@dataclass(slots=True, eq=False)
class Flight(Generic[S, C]):
    """A group, its row, and the lines that the row takes; or one of several rows (`rows.py`). See `core.store.Commit`.

    A group of which nothing was taken has no row: it waits for those before it, since it was judged on what they lead
    to. The line that seals has no judgement: nobody waits for it.
    """

    expected: Judgement[S, C] | None
    parts: list[bytes]
    keys: Keys = field(default_factory=lambda: NO_KEYS)
    """Those that are in the row."""
    continues: bool = False
    """Whether the row before it is of the same group: if that was sent, this one may not be turned away."""
    first: int = 0
    last: int = 0
    """Its lines are numbered from `first` to `last`; without any, `last` is that of the group before."""
    writes_left: int = 0
    is_done: bool = False
    error: PexError | None = None
    _waiter: asyncio.Future[None] | None = None

    @property
    def end(self) -> Place[S]:
        """Where its row leads."""
        assert self.expected is not None, "only a line that seals has no row"
        return self.expected.end

    def finish(self, error: PexError | None = None) -> None:
        """Let it be answered, or say why it may not be."""
        assert not self.is_done, "a group ends once"
        self.is_done = True
        self.error = error
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def __await__(self) -> Generator[Any, None, Judgement[S, C]]:
        """As `Commit`. Raises JournalFull, JournalFailed."""
        if not self.is_done:
            self._waiter = asyncio.get_running_loop().create_future()
            yield from self._waiter
        if self.error is not None:
            raise self.error
        assert self.expected is not None, "only a group is awaited"
        return self.expected


@dataclass(slots=True)
class Places(Generic[S]):
    """Where the machine stands, by what may be known of it."""

    shown: Place[S]
    """After the last group that may be answered."""
    sent: Place[S]
    """After the last one that went to the disk."""
    tail: Place[S]
    """After the last one that was committed."""
    is_unsealed: bool = False
    """Whether the last line has a row."""
