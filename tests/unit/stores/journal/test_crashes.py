"""Thousands of lives on a simulated disk, each ended by a crash, and what the next one finds.

PEXSERVICE_TEST_SEED replays a run that failed; the seed is in the failure's message.
"""

import asyncio
import errno
import os
from collections.abc import Callable, Iterable
from functools import partial
from random import Random
from typing import Any

import pytest
from structlog.testing import capture_logs

from pexservice.core.machine import Machine
from pexservice.errors import DamagedData, Fatal
from pexservice.walk.machine import WALK
from support.faults import PowerCut
from support.ledger import LEDGER, Entry
from support.lives import Model, ViolationError, live, options
from support.simulated_disk import SimulatedDisk

SEED = int(os.environ.get("PEXSERVICE_TEST_SEED", Random().randrange(10**9)))


def _steps(rng: Random) -> Iterable[Any]:
    return rng.choices(b"nnnnpr", k=rng.choice([0, 0, 1, 1, 3, 9]))


def _entries(rng: Random) -> Iterable[Any]:
    return [
        Entry(rng.randint(-60, 70), "ab" * rng.choice([1, 1, 1, 5, 150])) for _ in range(rng.choice([0, 0, 1, 1, 3]))
    ]


MACHINES: list[tuple[Machine[Any, Any], Callable[[Random], Iterable[Any]]]] = [(WALK, _steps), (LEDGER, _entries)]


def _with_room_lost(disk: SimulatedDisk, rng: Random, commands: Callable[[Random], Iterable[Any]]) -> Iterable[Any]:
    """While groups are under way: the ring goes on for a while, then they are turned away until there is room again."""
    if rng.random() < 0.1:
        disk.faults.free_bytes = rng.choice([0, 500, None])
    return commands(rng)


def crash(cycles: int, seed: int, *, lies: bool = False, interval: bool = False, errors: bool = False) -> None:
    """Let so many lives come and go. Raises ViolationError, DamagedData."""
    rng = Random(seed)
    machine, commands = MACHINES[seed % len(MACHINES)]
    disk, model = SimulatedDisk(rng, sector_bytes=rng.choice([512, 4096])), Model(machine)
    with asyncio.Runner() as runner, capture_logs():
        for _ in range(cycles):
            opts = options(rng, is_interval=interval and rng.random() < 0.7)
            if opts.shape is not None and opts.shape.slot_bytes < disk.sector_bytes:
                continue
            disk.in_flight_max = rng.choice([1, 2, 8])
            disk.faults.lies = lies
            if rng.random() < 0.8:
                disk.faults.operations_until_cut = rng.choice([rng.randint(1, 30), rng.randint(1, 300)])
            if errors and rng.random() < 0.5:
                disk.faults.operations_until_error = rng.randint(1, 100)
                disk.faults.error = rng.choice([errno.EIO, errno.ENOSPC])
            if errors and rng.random() < 0.3:
                disk.faults.free_bytes = rng.choice([0, 500, 9000, 50000])
            model.may_be_full = errors
            ask = (
                partial(_with_room_lost, disk, rng, commands)
                if errors and rng.random() < 0.5
                else partial(commands, rng)
            )
            turns = rng.randint(0, 200)
            life = live(
                disk,
                model,
                opts,
                rng=rng,
                commands=ask,
                turns=turns,
                stop=rng.random() < 0.3,
            )
            try:
                error = runner.run(life)
            except PowerCut:
                error = None
            if error is not None and not (errors and isinstance(error, Fatal) and not isinstance(error, DamagedData)):
                raise error
            if rng.random() < 0.3:
                disk = disk.killed()
            else:
                if opts.is_interval:
                    model.told = model.base.sequence if model.base else 0
                disk = disk.powered_off()


def _crash_often(runs: int, cycles: int, **how: bool) -> None:
    for seed in range(SEED, SEED + runs):
        try:
            crash(cycles, seed, **how)
        except Exception as error:
            error.add_note(f"PEXSERVICE_TEST_SEED={seed}")
            raise


def test_no_answered_command_is_lost_and_no_clean_directory_refused() -> None:
    """A start finds all that was answered, nothing that was not asked for, and never damage."""
    _crash_often(30, 20)


def test_interval_loses_nothing_to_a_kill_and_starts_after_a_power_cut() -> None:
    """Under interval a power cut may cost what was not synced, and never stops the start."""
    _crash_often(20, 20, interval=True)


def test_errors_of_the_disk_end_a_life_or_are_waited_out() -> None:
    """Whatever fails, at whatever operation: nothing that was answered is lost, and the next start finds it."""
    _crash_often(12, 12, errors=True)


def test_a_disk_that_lies_is_noticed() -> None:
    """The negative control: with syncs and writes that do nothing, answered commands are lost, and that is seen."""
    with pytest.raises((ViolationError, DamagedData)):
        _crash_often(10, 20, lies=True)
