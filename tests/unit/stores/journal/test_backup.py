"""A backup of a journal, also while a service writes to it."""

import asyncio
from random import Random

import pytest

from pexservice.errors import CannotCreate, DamagedData
from pexservice.stores.journal.backup import backup
from pexservice.stores.journal.errors import JournalFailed
from pexservice.stores.journal.journal import Journal
from pexservice.stores.journal.opening import look
from pexservice.walk.steps import NEXT
from support.journals import broken, play
from support.running_journal import CODEC, OPTIONS, Service, sequences
from support.simulated_disk import SimulatedDisk


@pytest.mark.parametrize("steps", [0, 1, 30, 150])
def test_a_backup_of_a_running_service_is_a_journal_that_holds_all_that_was_answered(steps: int) -> None:
    """Whole by itself: a start on it finds the place, and goes on."""

    async def scenario() -> None:
        service = await Service.start(SimulatedDisk(Random(1)))
        await service.step(steps)
        stepping = asyncio.create_task(service.step(100))
        target = SimulatedDisk(Random(2))
        end = await backup(service.disk, target, CODEC)
        assert end is not None
        assert end.sequence >= steps
        stepping.cancel()
        service.running.cancel()
        target = target.powered_off()
        assert look(target, CODEC).plan.place == end
        assert list(sequences(target)) == list(range(1, end.sequence + 1))
        journal = await Journal.open(target, CODEC, look(target, CODEC), OPTIONS)
        assert (await journal.commit([NEXT])).end.sequence == end.sequence + 1
        with pytest.raises(CannotCreate, match="Name an empty one"):
            await backup(service.disk, target, CODEC)

    play(scenario)


def test_nothing_gives_no_backup() -> None:
    """And nothing is written."""
    target = SimulatedDisk(Random(1))
    assert asyncio.run(backup(SimulatedDisk(Random(1)), target, CODEC)) is None
    assert target.names() == []


def test_a_backup_that_is_not_whole_is_no_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without room it ends with an error; what is there is refused by a start."""

    async def scenario() -> None:
        service = await Service.start(SimulatedDisk(Random(1)))
        await service.step(30)
        service.running.cancel()
        target = SimulatedDisk(Random(2))
        target.faults.free_bytes = 3000
        with pytest.raises(JournalFailed, match="the backup is not whole"):
            await backup(service.disk, target, CODEC)
        with pytest.raises(DamagedData, match="missing"):
            look(target, CODEC)
        monkeypatch.setattr(target, "names", broken)
        with pytest.raises(JournalFailed):
            await backup(service.disk, target, CODEC)

    play(scenario)
