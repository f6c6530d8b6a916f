"""The workers of a service, started by a nursery that the test plays."""

import asyncio
import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from pexservice.config import Settings
from pexservice.errors import Scarce
from pexservice.http.access import Access
from pexservice.limits import DEFAULT, Limits
from pexservice.process.counts import Live
from pexservice.process.crew import Crew
from pexservice.process.together import Together
from pexservice.process.worker import Order
from pexservice.stores.shared.ordering import Writer
from pexservice.walk.machine import WALK
from support.engine_scenes import settled

LIMITS = replace(DEFAULT, replace_pause_s=0.001, replace_pause_s_max=0.004)
HUNG = replace(LIMITS, nursery_patience_s=0.01)
"""For workers that do not end: how long they are waited for."""


class Nursery:
    """Starts nobody, and keeps what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []
        self.kept: list[socket.socket] = []
        """The workers' ends of channels, if they are to stay open."""
        self.are_kept = False
        self.tried = asyncio.Event()
        """Is set with each start."""
        self.lacks = 0
        """How many times more no process can be had."""
        self.status = -9
        """With which each ends."""

    async def start(self, number: int, _order: object, fds: Sequence[int], is_wanted: Callable[[], bool]) -> int:
        """As `nursery.Nursery.start`."""
        self.asked.append(("start", number))
        self.tried.set()
        await asyncio.sleep(0)
        if not is_wanted():
            return 0
        if self.lacks:
            self.lacks -= 1
            raise Scarce("no worker process can be started.")
        if self.are_kept:
            self.kept.append(socket.socket(fileno=os.dup(fds[0])))
        return 100 + number

    async def kill(self, number: int) -> None:
        """As `nursery.Nursery.kill`."""
        self.asked.append(("kill", number))

    async def end(self, number: int) -> int:
        """As `nursery.Nursery.end`."""
        self.asked.append(("end", number))
        return self.status


class Scene:
    """A crew of two. Each of its workers ends at once, unless channels are kept."""

    def __init__(self, nursery: Nursery, limits: Limits) -> None:
        self.together: Together[Any, Any] = Together(WALK, Settings(workers=2))
        self.nursery = nursery
        writer: Writer[Any, Any] = Writer(WALK, self.together.board([]), limits)
        self.crew: Crew[Any, Any] = Crew(
            nursery,  # type: ignore[arg-type]
            writer,
            self.together.workers,
            self.together.writer,
            limits,
        )


def play(scenario: Any, nursery: Nursery | None = None, limits: Limits = LIMITS) -> Nursery:
    """Run a scenario on a crew that has yet to begin."""
    nursery = nursery or Nursery()

    async def run() -> None:
        scene = Scene(nursery, limits)
        await scenario(scene)
        await scene.crew.stop(0.01)
        for each in nursery.kept:
            each.close()
        while scene.crew.channels:
            await settled()

    asyncio.run(run())
    return nursery


ORDER = Order(0, Access(()), (), 0)


def test_a_start_without_processes_fails() -> None:
    """The operator is told what to raise."""
    nursery = Nursery()
    nursery.lacks = 1

    async def scenario(scene: Scene) -> None:
        with pytest.raises(Scarce):
            await scene.crew.begin(ORDER, [])
        assert scene.crew.channels == []

    play(scenario, nursery)


def test_a_worker_that_cannot_be_replaced_yet_is_replaced_later() -> None:
    """The others serve meanwhile: a service does not end because no process can be had for a moment."""

    async def scenario(scene: Scene) -> None:
        nursery = scene.nursery
        await scene.crew.begin(ORDER, [])
        assert scene.crew.describe() == "2 of 2 workers"
        nursery.lacks = 5
        async with asyncio.timeout(20):
            while nursery.asked.count(("start", 0)) < 7:
                nursery.tried.clear()
                await nursery.tried.wait()
        assert not scene.crew.failed.done()

    play(scenario)


@pytest.mark.parametrize(("status", "unanswered"), [(74, 2), (-9, 0)])
def test_workers_that_hear_first_that_all_are_to_stop_are_not_taken_for_dead(status: int, unanswered: int) -> None:
    """A terminal tells every process; what they did not answer counts. One that was killed was not told to stop."""

    async def scenario(scene: Scene) -> None:
        scene.nursery.status = status
        await scene.crew.begin(ORDER, [])
        async with asyncio.timeout(20):
            while scene.crew.channels or scene.nursery.asked.count(("end", 1)) < 1:
                await settled()
        await scene.crew.stop(1)
        assert scene.crew.unanswered == unanswered
        assert scene.together.writer.live[Live.WORKERS_REPLACED] == 0

    play(scenario, limits=replace(LIMITS, replace_pause_s=0.2))


def test_who_is_being_started_is_wanted_no_more_once_it_stops() -> None:
    """The listeners that it would get copies of are closed: the order failed, and a stop ended with 71."""

    async def scenario(scene: Scene) -> None:
        beginning = asyncio.create_task(scene.crew.begin(ORDER, []))
        await scene.nursery.tried.wait()
        await scene.crew.stop(1)
        await beginning
        assert scene.crew.channels == []

    nursery = Nursery()
    nursery.are_kept = True
    play(scenario, nursery)
    assert nursery.kept == []


def test_nobody_is_replaced_once_it_stops() -> None:
    """Also if one was about to be, and could not."""

    async def scenario(scene: Scene) -> None:
        await scene.crew.begin(ORDER, [])
        scene.nursery.lacks = 1_000_000
        await asyncio.sleep(0.05)
        await scene.crew.stop(1)
        before = list(scene.nursery.asked)
        await asyncio.sleep(0.05)
        assert scene.nursery.asked == before

    play(scenario)


def test_who_is_silent_is_killed_once_and_then_past_help() -> None:
    """It is silent for so many looks; and when it does not end for as many again, only a restart helps."""

    async def scenario(scene: Scene) -> None:
        scene.nursery.are_kept = True
        await scene.crew.begin(ORDER, [])
        told = []
        for _ in range(2 * LIMITS.beats_missed_max + 1):
            scene.together.workers[1].live[Live.BEATS] += 1
            scene.crew.look()
            told.append(scene.crew.is_silent)
        await settled()
        assert scene.nursery.asked.count(("kill", 0)) == 1
        assert ("kill", 1) not in scene.nursery.asked
        assert told == [False] * (2 * LIMITS.beats_missed_max) + [True]

    play(scenario, limits=HUNG)


def test_one_that_not_even_a_kill_ends_has_not_answered() -> None:
    """It was told to stop, and hangs in a call that nothing interrupts. The service must not say that all is well."""

    async def scenario(scene: Scene) -> None:
        scene.nursery.are_kept = True
        await scene.crew.begin(ORDER, [])
        await scene.crew.stop(0.01)
        assert [each for each in scene.nursery.asked if each[0] == "kill"] == [("kill", 0), ("kill", 1)]
        assert scene.crew.unanswered == 2

    play(scenario, limits=HUNG)
