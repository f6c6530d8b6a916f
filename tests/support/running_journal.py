"""A journal that is written to in the background of a test, and what is read of one."""

import asyncio
from collections.abc import Iterator
from typing import Any

from pexservice.limits import Limits
from pexservice.stores.journal.history import History
from pexservice.stores.journal.journal import Journal
from pexservice.stores.journal.opening import look
from pexservice.stores.journal.options import Options
from pexservice.stores.journal.record import Codec
from pexservice.stores.journal.ring import Shape
from pexservice.walk.machine import WALK
from pexservice.walk.steps import NEXT
from support.simulated_disk import SimulatedDisk

CODEC: Codec[Any, Any] = Codec(WALK)
OPTIONS = Options(Limits(segment_bytes_max=500, heal_period_s=0.0), shape=Shape(40, 512, 20))


class Service:
    """A journal that is written to in the background of a test."""

    def __init__(self, disk: SimulatedDisk, journal: Journal[Any, Any]) -> None:
        self.disk = disk
        self.journal = journal
        self.running = asyncio.create_task(journal.run())

    @classmethod
    async def start(cls, disk: SimulatedDisk) -> "Service":
        return cls(disk, await Journal.open(disk, CODEC, look(disk, CODEC), OPTIONS))

    async def step(self, times: int) -> None:
        for _ in range(times):
            await self.journal.commit([NEXT])


def sequences(disk: SimulatedDisk, *, is_salvaging: bool = False) -> Iterator[int]:
    """Yield the sequence of each row, proving that the pieces go on from each other."""
    end = None
    for piece in History.look(disk, CODEC, is_salvaging=is_salvaging).pieces():
        assert end is None or piece.start == end
        last = piece.start
        for row in piece.rows:
            last = row.place
            yield row.place.sequence
        assert last == piece.end
        end = piece.end
