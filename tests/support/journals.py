"""What the tests of the journal begin with."""

import asyncio
import errno
from collections.abc import Awaitable, Callable
from dataclasses import replace
from random import Random
from typing import Any, NoReturn

from structlog.testing import capture_logs

from pexservice.core.judging import Place
from pexservice.disk import Disk
from pexservice.limits import Limits
from pexservice.stores.journal.history import History
from pexservice.stores.journal.journal import Journal
from pexservice.stores.journal.opening import look
from pexservice.stores.journal.options import Options
from pexservice.stores.journal.record import Codec, Row
from pexservice.stores.journal.ring import Shape
from pexservice.walk.machine import WALK
from support.ledger import LEDGER
from support.simulated_disk import SimulatedDisk

WALKS: Codec[Any, Any] = Codec(WALK)
LEDGERS: Codec[Any, Any] = Codec(LEDGER)
OPTIONS = Options(Limits(heal_period_s=0.0), shape=Shape(40, 512, 20))
CALM = replace(OPTIONS, limits=Limits(heal_period_s=1000.0))
"""Nothing is done in the background but what is due."""


def disk() -> SimulatedDisk:
    return SimulatedDisk(Random(1))


async def opened(on: Disk, options: Options = OPTIONS, codec: Codec[Any, Any] = WALKS) -> Journal[Any, Any]:
    return await Journal.open(on, codec, look(on, codec), options)


async def until(is_so: Callable[[], bool]) -> None:
    for _ in range(5000):
        if is_so():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came to be")


def play(scenario: Callable[[], Awaitable[None]]) -> list[Any]:
    """Run a scenario, and return what was logged."""
    with capture_logs() as logs:
        asyncio.run(_awaited(scenario))
    return list(logs)


async def _awaited(scenario: Callable[[], Awaitable[None]]) -> None:
    await scenario()


def found(on: SimulatedDisk, codec: Codec[Any, Any] = WALKS) -> Place[Any]:
    return look(on, codec).plan.place


def rows(on: Disk, codec: Codec[Any, Any] = WALKS) -> list[Row[Any]]:
    """Return all rows that were written."""
    return [row for piece in History.look(on, codec).pieces() for row in piece.rows]


def broken(*_: object, **__: object) -> NoReturn:
    raise OSError(errno.EIO, "Input/output error")
