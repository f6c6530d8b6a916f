"""A store in memory, whose commits can be held back and made to fail."""

import asyncio

from pexservice.core.store import Place
from pexservice.errors import NotApplied, PexError
from pexservice.walk.steps import positions

_BEGINNING = Place(0, 0)


class MemoryStore:
    """See `store.Store`. With `is_held`, a commit waits for `release` or `fail`."""

    def __init__(self, place: Place = _BEGINNING, *, is_held: bool = False) -> None:
        self.place = place
        self.groups: list[bytes] = []
        self.refusal: NotApplied | None = None
        self._is_held = is_held
        self._outcome: asyncio.Future[None] | None = None

    async def commit(self, steps: bytes) -> Place:
        """As `Store.commit`."""
        self.groups.append(steps)
        if self._is_held:
            self._outcome = asyncio.get_running_loop().create_future()
            await self._outcome
        if self.refusal is not None:
            raise self.refusal
        start = self.place
        *_, position = positions(start.position, steps)
        self.place = Place(start.sequence + len(steps), position)
        return start

    async def heal(self) -> NotApplied | None:
        """As `Store.heal`."""
        return self.refusal

    async def close(self) -> None:
        """As `Store.close`."""

    def release(self) -> None:
        """Let the group in flight become durable."""
        assert self._outcome is not None
        self._outcome.set_result(None)

    def fail(self, error: PexError) -> None:
        """Let the group in flight fail."""
        assert self._outcome is not None
        self._outcome.set_exception(error)
