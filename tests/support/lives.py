"""One service after the other on one simulated disk: engine, journal, callers; and what must be true between them."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any, Generic

from pexservice.core.budget import Budget
from pexservice.core.engine import Engine
from pexservice.core.judging import Place
from pexservice.core.keys import Terms
from pexservice.core.machine import C, Machine, Refusal, S
from pexservice.core.metrics import Metrics
from pexservice.errors import Fatal, NotApplied
from pexservice.limits import Limits
from pexservice.stores.journal.journal import Journal
from pexservice.stores.journal.opening import look
from pexservice.stores.journal.options import Options
from pexservice.stores.journal.record import Codec
from pexservice.stores.journal.ring import Shape
from support.simulated_disk import SimulatedDisk


class ViolationError(AssertionError):
    """A promise was broken."""


@dataclass(eq=False)
class Asked(Generic[S, C]):
    """One command, who asked for it, and what came of it: asked and caller in one."""

    command: C
    carries_value: bool = False
    terms: Terms | None = None
    answered: Place[S] | None = None
    is_answered: bool = False
    is_turned_away: bool = False

    def render(self, sequence: int, state: S) -> bytes:
        self.answered = Place(sequence, state)
        return b"ok"

    def render_replay(self, sequence: int, state: S) -> bytes:
        self.answered = Place(sequence, state)
        return b"again"

    def render_refusal(self, sequence: int, state: S, refusal: Refusal) -> bytes:
        self.answered = Place(sequence, state)
        return b"no"


@dataclass(eq=False)
class Model(Generic[S, C]):
    """What was asked for, in its order, and what was answered."""

    machine: Machine[S, C]
    asked: list[Asked[S, C]] = field(default_factory=list)
    told: int = 0
    """The highest sequence that anybody was told."""
    base: Place[S] | None = None
    may_be_full: bool = False

    def deliver(self, asked: Asked[S, C], answer: bytes) -> None:
        assert asked.answered is not None
        asked.is_answered = True
        self.told = max(self.told, asked.answered.sequence)

    def turn_away(self, asked: Asked[S, C], error: NotApplied) -> None:
        asked.is_turned_away = True

    def abort(self) -> None:
        raise AssertionError

    def check(self, place: Place[S]) -> None:
        """Raise ViolationError unless a start may find this place."""
        base = self.base or Place(0, self.machine.initial)
        now, possible = {base}, {base}
        for asked in self.asked:
            if asked.is_turned_away:
                continue
            after = {self._after(each, asked.command) for each in now}
            if asked.answered is not None and asked.is_answered:
                if asked.answered not in after:
                    message = f"{asked.command} was answered with {asked.answered}, of {after}"
                    raise ViolationError(message)
                now = {asked.answered}
            else:  # Without word it may have been turned away, while others behind it were taken: the journal was full.
                now = now | after if self.may_be_full else after
            possible |= now
        if place not in possible or place.sequence < self.told:
            message = f"answered up to {self.told}, asked up to {max(each.sequence for each in now)}, found {place}"
            raise ViolationError(message)
        self.base, self.asked, self.told = place, [], place.sequence

    def _after(self, place: Place[S], command: C) -> Place[S]:
        outcome = self.machine.step(place.state, command)
        return place if isinstance(outcome, Refusal) else Place(place.sequence + 1, outcome)


async def live(  # noqa: C901 - a life in its order.
    disk: SimulatedDisk,
    model: Model[Any, Any],
    options: Options,
    *,
    rng: Random,
    commands: Callable[[], Iterable[Any]],
    turns: int,
    stop: bool = False,
) -> Exception | None:
    """Open the journal, take commands for some turns of the loop, and end as the disk wants. Return what ended it."""
    loop = asyncio.get_running_loop()
    caller: Any = model
    loop.set_exception_handler(lambda _loop, _context: None)
    codec = Codec(model.machine)
    tasks: list[asyncio.Task[Any]] = []
    try:
        opening = asyncio.create_task(_open(disk, codec, options, model))
        await _until(opening.done, disk)
        if not opening.done():
            tasks.append(opening)
            return None
        journal = opening.result()
        engine: Engine[Any, Any] = Engine(
            model.machine, Metrics(dict.fromkeys(model.machine.kinds, 0)), Budget(1 << 20), options.limits
        )
        tasks += [asyncio.create_task(engine.run(journal)), asyncio.create_task(journal.run())]
        for _ in range(turns):
            if disk.is_cut or any(task.done() for task in tasks):
                break
            # Each without word may have been taken or not, so many would make `check` long.
            few = not model.may_be_full or engine.waiting < 30
            for command in commands() if few else ():
                asked: Asked[Any, Any] = Asked(command)
                with suppress(NotApplied):
                    engine.submit(asked, caller)
                    model.asked.append(asked)
            await asyncio.sleep(0)
        if stop and not disk.is_cut and not any(task.done() for task in tasks):
            draining = asyncio.create_task(engine.drained())
            tasks.append(draining)
            await _until(lambda: any(task.done() for task in tasks), disk)
            if draining.done() and not disk.is_cut:
                closing = asyncio.create_task(journal.close())
                await _until(closing.done, disk)
                tasks.append(closing)
        for task in tasks:
            if task.done() and not task.cancelled():
                error = task.exception()
                if isinstance(error, Exception):
                    return error
    except Fatal as error:
        return error
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return None


async def _open(
    disk: SimulatedDisk, codec: Codec[Any, Any], options: Options, model: Model[Any, Any]
) -> Journal[Any, Any]:
    found = look(disk, codec)
    model.check(found.plan.place)
    return await Journal.open(disk, codec, found, options)


async def _until(is_so: Callable[[], bool], disk: SimulatedDisk) -> None:
    for _ in range(10_000):
        if is_so() or disk.is_cut:
            return
        await asyncio.sleep(0)
    raise AssertionError("nothing happens any more")


def options(rng: Random, **more: Any) -> Options:
    """Return options for a small ring, so that it goes round often."""
    lines = rng.choice([16, 40, 44, 64, 100])
    shape = Shape(lines, rng.choice([512, 4096]), lines // 2)
    limits = Limits(
        segment_bytes_max=rng.choice([300, 1500]),
        history_bytes_max=rng.choice([0, 3000]),
        heal_period_s=rng.choice([0.0, 0.0, 10.0]),
        group_commands_max=4,
    )
    more.setdefault("shape", shape)
    return Options(limits, sync_interval_s=rng.choice([0.0, 0.001]), **more)
