"""Thousands of crashes on a simulated disk, each compared with a model.

PEXSERVICE_TEST_SEED replays a run that failed; the seed is in the failure's message.
"""

import asyncio
import os
from itertools import chain
from random import Random

import pytest

from pexservice.core.store import Place
from pexservice.errors import DamagedData
from pexservice.stores.journal import writer
from pexservice.stores.journal.history import segment_files, segments
from pexservice.stores.journal.recovery import recover
from pexservice.stores.journal.writer import Journal
from pexservice.walk.steps import positions
from support.simulated_disk import PowerCut, SimulatedDisk

SEED = int(os.environ.get("PEXSERVICE_TEST_SEED", Random().randrange(10**9)))


class ViolationError(AssertionError):
    """A promise was broken."""


class Model:
    """What must be so: where the walk stands, and where it may stand because a group is in flight."""

    def __init__(self) -> None:
        self.answered = Place(0, 0)
        self.possible = [self.answered]

    def submit(self, steps: bytes) -> None:
        *_, position = positions(self.answered.position, steps)
        self.possible.append(Place(self.answered.sequence + len(steps), position))

    def answer(self) -> None:
        self.answered = self.possible[-1]

    def recovered(self, place: Place) -> None:
        allowed = self.possible[self.possible.index(self.answered) :]
        if place not in allowed:
            message = f"seed {SEED}: recovered {place}, but it must be one of {allowed}"
            raise ViolationError(message)
        self.answered = place
        self.possible = [place]


async def _walk(disk: SimulatedDisk, model: Model, rng: Random, *, interval: bool, history_bytes_max: int) -> None:
    """Open the journal and commit groups until the power goes."""
    recovered = recover(disk)
    model.recovered(recovered.place)
    journal = await Journal.open(disk, recovered, interval=interval, history_bytes_max=history_bytes_max)
    for _ in range(rng.randrange(12)):
        steps = bytes(rng.choice(b"nnnnpr") for _ in range(rng.choice([1, 1, 2, 5, 600])))
        model.submit(steps)
        start = await journal.commit(steps)
        assert start == model.answered
        model.answer()
        if interval and rng.random() < 0.3:
            await journal.flush()
            model.possible = [model.answered]
    raise PowerCut


def _simulate(cycles: int, *, seed: int, interval: bool = False, lies: bool = False, garbage: bool = False) -> int:
    """Crash so many times. Return how many starts were refused for damage, which only garbage may cause."""
    rng = Random(seed)
    disk, model, refused = SimulatedDisk(rng), Model(), 0
    with pytest.MonkeyPatch.context() as patch, asyncio.Runner() as runner:
        patch.setattr(writer, "SEGMENT_BYTES_MAX", 1500)
        for _ in range(cycles):
            disk.faults.lies = lies
            disk.faults.operations_until_cut = rng.randint(1, 40)
            history_bytes_max = rng.choice([3000, 6000])
            try:
                runner.run(_walk(disk, model, rng, interval=interval, history_bytes_max=history_bytes_max))
            except PowerCut:
                pass
            except DamagedData:
                if not garbage:
                    raise
                refused += 1
                disk, model = SimulatedDisk(rng), Model()
                continue
            disk.faults.operations_until_cut = None
            if rng.random() < 0.3:
                disk = disk.killed()
            else:
                if interval:  # The last interval may be lost.
                    model.answered = model.possible[0]
                disk = disk.powered_off(garbage=garbage)
            if not garbage:
                _verify(disk, model)
    return refused


def _verify(disk: SimulatedDisk, model: Model) -> None:
    """The whole history that is there proves itself, and ends where a start would find it."""
    found = list(segments(disk, segment_files(disk)))
    groups = list(chain.from_iterable(segment.groups() for segment in found))
    places = [segment.opening.place for segment in found] + [group.place for group in groups]
    last = max(places, key=lambda place: place.sequence, default=Place(0, 0))
    assert last == recover(disk).place
    if last.sequence < model.answered.sequence:
        message = f"seed {SEED}: {model.answered} was answered, but the history ends at {last}"
        raise ViolationError(message)


def test_no_answered_step_is_lost_and_none_is_made_up() -> None:
    """After each of thousands of power cuts and kills the walk stands where it was answered to stand."""
    assert _simulate(3000, seed=SEED) == 0


def test_interval_loses_nothing_to_a_kill_and_starts_after_a_power_cut() -> None:
    """Under interval a power cut may cost what was not synced, and never stops the start."""
    assert _simulate(1000, seed=SEED, interval=True) == 0


def test_garbage_is_left_behind_or_refused() -> None:
    """A torn row of random bytes never changes the walk: it is left behind, or the start refuses."""
    refused = _simulate(1000, seed=SEED, garbage=True)
    assert refused < 200


def test_the_simulation_finds_a_sync_that_lies() -> None:
    """The negative control: with syncs that do nothing, answered steps are lost, and that is seen."""
    with pytest.raises((ViolationError, DamagedData)):
        _simulate(500, seed=SEED, lies=True)
