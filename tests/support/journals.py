"""Journals on any disk, of any machine."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from itertools import chain
from typing import Any, Final

from pexservice.core.machine import Machine
from pexservice.disk import Disk
from pexservice.errors import NotApplied
from pexservice.limits import DEFAULT, Limits
from pexservice.stores.journal.history import segment_files, segments
from pexservice.stores.journal.record import Codec, Row
from pexservice.stores.journal.recovery import Recovered, recover
from pexservice.stores.journal.segment import Segment
from pexservice.stores.journal.writer import Journal, Options
from pexservice.walk.machine import WALK

IMPATIENT: Final = replace(DEFAULT, heal_period_s=0.0)
"""Bounds with which room is looked for all the time."""


async def open_journal(
    disk: Disk, machine: Machine[Any, Any] = WALK, options: Options | None = None, limits: Limits = IMPATIENT
) -> Journal[Any, Any]:
    """Open a journal as a start does."""
    codec = Codec(machine)
    return await Journal.open(codec, disk, recover(codec, disk), options or Options(), limits)


def recovered(disk: Disk, machine: Machine[Any, Any] = WALK) -> Recovered[Any]:
    """Return where a start would go on."""
    return recover(Codec(machine), disk)


def whole(disk: Disk, machine: Machine[Any, Any] = WALK) -> list[Segment[Any]]:
    """Return all segments, each proved to begin where the one before it ended."""
    return list(segments(Codec(machine), disk, segment_files(disk)))


def rows(disk: Disk, machine: Machine[Any, Any] = WALK) -> list[Row[Any]]:
    """Return all rows, proved one by one."""
    return list(chain.from_iterable(segment.rows(Codec(machine)) for segment in whole(disk, machine)))


async def healed(journal: Journal[Any, Any]) -> NotApplied | None:
    """Let a journal look for room, once; return why it takes nothing still. Raises Fatal."""
    before = journal.unready
    working = asyncio.create_task(journal.run())
    while journal.unready is before and not working.done():  # noqa: ASYNC110 - a journal tells nobody of it.
        await asyncio.sleep(0)
    working.cancel()
    with suppress(asyncio.CancelledError):
        await working
    return journal.unready
