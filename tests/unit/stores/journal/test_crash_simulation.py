"""Thousands of crashes on a simulated disk, each compared with a model.

PEXSERVICE_TEST_SEED replays a run that failed; the seed is in the failure's message.
"""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import chain
from random import Random
from typing import Any, Final

import pytest

from pexservice.core.judging import Place, judge
from pexservice.core.machine import Machine
from pexservice.errors import DamagedData
from pexservice.limits import DEFAULT
from pexservice.stores.journal.record import Codec
from pexservice.stores.journal.writer import Options
from pexservice.walk.machine import WALK
from support.journals import open_journal, recovered, whole
from support.machines import COUNTER
from support.simulated_disk import PowerCut, SimulatedDisk

SEED = int(os.environ.get("PEXSERVICE_TEST_SEED", Random().randrange(10**9)))
LIMITS: Final = replace(DEFAULT, segment_bytes_max=1500)


@dataclass(frozen=True)
class Play:
    """A machine, and how one of its commands is chosen."""

    machine: Machine[Any, Any]
    command: Callable[[Random], Any]


WALKING = Play(WALK, lambda rng: rng.choice(b"nnnnpr"))
COUNTING = Play(COUNTER, lambda rng: rng.randint(-3, 5))
"""Some of these are refused, and now and then all of a group."""

each_play = pytest.mark.parametrize("play", [WALKING, COUNTING], ids=["walk", "counter"])


class ViolationError(AssertionError):
    """A promise was broken."""


class Model:
    """What must be so: where the machine stands, and where it may stand because a group is in flight."""

    def __init__(self, machine: Machine[Any, Any]) -> None:
        self.machine = machine
        self.answered: Place[Any] = Place(0, machine.initial)
        self.possible = [self.answered]

    def submit(self, commands: list[Any]) -> None:
        self.possible.append(judge(self.machine, self.answered, commands).end)

    def answer(self) -> None:
        self.answered = self.possible[-1]

    def recovered(self, place: Place[Any]) -> None:
        allowed = self.possible[self.possible.index(self.answered) :]
        if place not in allowed:
            message = f"seed {SEED}: recovered {place}, but it must be one of {allowed}"
            raise ViolationError(message)
        self.answered = place
        self.possible = [place]


async def _play(disk: SimulatedDisk, model: Model, play: Play, rng: Random, options: Options) -> None:
    """Open the journal and commit groups until the power goes."""
    model.recovered(recovered(disk, play.machine).place)
    journal = await open_journal(disk, play.machine, options, LIMITS)
    for _ in range(rng.randrange(12)):
        commands = [play.command(rng) for _ in range(rng.choice([1, 1, 2, 5, 600]))]
        model.submit(commands)
        judgement = await journal.commit(commands)
        assert judgement.start == model.answered
        model.answer()
        if options.sync_interval_s is not None and rng.random() < 0.3:
            await journal.flush()
            model.possible = [model.answered]
    raise PowerCut


def _simulate(
    play: Play, cycles: int, *, sync_interval_s: float | None = None, lies: bool = False, garbage: bool = False
) -> int:
    """Crash so many times. Return how many starts were refused for damage, which only garbage may cause."""
    rng = Random(SEED)
    disk, model, refused = SimulatedDisk(rng), Model(play.machine), 0
    with asyncio.Runner() as runner:
        for _ in range(cycles):
            disk.faults.lies = lies
            disk.faults.operations_until_cut = rng.randint(1, 40)
            options = Options(sync_interval_s, history_bytes_max=rng.choice([3000, 6000]))
            try:
                runner.run(_play(disk, model, play, rng, options))
            except PowerCut:
                pass
            except DamagedData:
                if not garbage:
                    raise
                refused += 1
                disk, model = SimulatedDisk(rng), Model(play.machine)
                continue
            disk.faults.operations_until_cut = None
            if rng.random() < 0.3:
                disk = disk.killed()
            else:
                if sync_interval_s is not None:  # The last interval may be lost.
                    model.answered = model.possible[0]
                disk = disk.powered_off(garbage=garbage)
            if not garbage:
                _verify(disk, model)
    return refused


def _verify(disk: SimulatedDisk, model: Model) -> None:
    """The whole history that is there proves itself, and ends where a start would find it."""
    machine = model.machine
    found, codec = whole(disk, machine), Codec(machine)
    groups = chain.from_iterable(segment.rows(codec) for segment in found)
    places = [segment.opening.place for segment in found] + [row.place for row in groups]
    last = max(places, key=lambda place: place.sequence, default=Place(0, machine.initial))
    assert last == recovered(disk, machine).place
    if last.sequence < model.answered.sequence:
        message = f"seed {SEED}: {model.answered} was answered, but the history ends at {last}"
        raise ViolationError(message)


@each_play
def test_no_answered_command_is_lost_and_none_is_made_up(play: Play) -> None:
    """After each of thousands of power cuts and kills the machine stands where it was answered to stand."""
    assert _simulate(play, 2000) == 0


@each_play
def test_interval_loses_nothing_to_a_kill_and_starts_after_a_power_cut(play: Play) -> None:
    """Under interval a power cut may cost what was not synced, and never stops the start."""
    assert _simulate(play, 1000, sync_interval_s=1) == 0


@each_play
def test_garbage_is_left_behind_or_refused(play: Play) -> None:
    """A torn row of random bytes never changes the state: it is left behind, or the start refuses."""
    refused = _simulate(play, 1000, garbage=True)
    assert refused < 200


@each_play
def test_the_simulation_finds_a_sync_that_lies(play: Play) -> None:
    """The negative control: with syncs that do nothing, answered commands are lost, and that is seen."""
    with pytest.raises((ViolationError, DamagedData)):
        _simulate(play, 500, lies=True)
