"""A backup of a journal, also while a service writes to it."""

import asyncio
import errno
from random import Random

import pytest

from pexservice.core.judging import Place
from pexservice.core.keys import Terms
from pexservice.errors import CannotCreate, DamagedData, NotPermitted, Scarce
from pexservice.stores.journal.backup import Backup, backup
from pexservice.stores.journal.errors import JournalFailed
from pexservice.stores.journal.journal import Journal
from pexservice.stores.journal.keys_writer import check_span
from pexservice.stores.journal.live_keys import KEYS_NAME, LiveKeys
from pexservice.stores.journal.opening import look
from pexservice.stores.journal.ring import RING_NAME
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
        made = await backup(service.disk, target, CODEC)
        assert made is not None
        assert made.has_keys
        end = made.end
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


@pytest.mark.parametrize("left", [(KEYS_NAME, RING_NAME), (RING_NAME,), (KEYS_NAME,)])
def test_a_backup_without_its_history_is_no_new_directory(left: tuple[str, ...]) -> None:
    """Its ring is of a first life and has no line, as that of a first start that was cut off; but neither is of 0."""

    async def scenario() -> None:
        service = await Service.start(SimulatedDisk(Random(1)))
        await service.step(3)
        target = SimulatedDisk(Random(2))
        await backup(service.disk, target, CODEC)
        service.running.cancel()
        for name in set(target.inodes) - {*left}:
            del target.inodes[name]
        with pytest.raises(DamagedData, match=r"sequence 3, and .*the history (is|are) missing"):
            look(target, CODEC)
        if RING_NAME in left:
            with pytest.raises(DamagedData, match="the history is missing"):
                list(sequences(target))

    play(scenario)


def test_nothing_gives_no_backup() -> None:
    """And nothing is written."""
    target = SimulatedDisk(Random(1))
    assert asyncio.run(backup(SimulatedDisk(Random(1)), target, CODEC)) is None
    assert target.names() == []


def test_a_backup_that_is_not_whole_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without room it ends with an error, and with room the same directory will do."""

    async def scenario() -> None:
        service = await Service.start(SimulatedDisk(Random(1)))
        await service.step(30)
        service.running.cancel()
        target = SimulatedDisk(Random(2))
        target.faults.free_bytes = 3000
        with pytest.raises(
            JournalFailed,
            match=r"no room for the backup, .* was removed: No space left on device\. Make room, and run it again",
        ):
            await backup(service.disk, target, CODEC)
        assert target.names() == []
        target.faults.free_bytes = None
        assert await backup(service.disk, target, CODEC) == Backup(Place(30, 30), has_keys=True)
        monkeypatch.setattr(target, "names", broken)
        with pytest.raises(JournalFailed):
            await backup(service.disk, target, CODEC)

    play(scenario)


@pytest.mark.parametrize("answered", [0, 1])
def test_a_directory_that_cannot_be_listed_ends_a_backup(answered: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often it could be before: what is asked is asked where the answer may be an error."""

    async def scenario() -> None:
        service = await Service.start(SimulatedDisk(Random(1)))
        await service.step(3)
        service.running.cancel()
        target = SimulatedDisk(Random(2))
        answers = iter([["lock"]] * answered)
        monkeypatch.setattr(target, "names", lambda: next(answers, None) or broken())
        if answered:
            assert await backup(service.disk, target, CODEC) == Backup(Place(3, 3), has_keys=True)
        else:
            with pytest.raises(JournalFailed, match="cannot read the directory of the backup"):
                await backup(service.disk, target, CODEC)

    play(scenario)


def test_what_the_ring_holds_becomes_no_more_segments_than_it_takes() -> None:
    """A group each would be a thousand files."""

    async def scenario() -> None:
        service = await Service.start(SimulatedDisk(Random(1)))
        await service.step(15)
        service.running.cancel()
        target = SimulatedDisk(Random(2))
        await backup(service.disk, target, CODEC)
        assert len(target.names()) == len({RING_NAME, KEYS_NAME, "a segment"})

    play(scenario)


def test_a_backup_knows_the_keys_that_were_known() -> None:
    """Those that were written down, and those of later rows."""

    async def scenario() -> None:
        service = await Service.start(SimulatedDisk(Random(1)))
        terms = [Terms(b"%022d" % number) for number in range(60)]
        for each in terms:
            await service.journal.commit([NEXT], {0: each})
        target = SimulatedDisk(Random(2))
        assert await backup(service.disk, target, CODEC) == Backup(Place(60, 60), has_keys=True)
        service.running.cancel()
        journal = await Journal.open(target, CODEC, look(target, CODEC), OPTIONS)
        assert journal.key_secret == service.journal.key_secret
        again = await journal.commit([NEXT] * 60, dict(enumerate(terms)))
        assert [place.sequence for place in again.replays.values()] == list(range(1, 61))

    play(scenario)


@pytest.mark.parametrize("is_there", [True, False])
def test_what_is_salvaged_without_its_keys_knows_none(*, is_there: bool) -> None:
    """With a damaged file of keys, or none, there is a backup only if it is asked for in spite of that."""

    async def scenario() -> None:
        service = await Service.start(SimulatedDisk(Random(1)))
        await service.journal.commit([NEXT], {0: Terms(b"%022d" % 1)})
        await service.journal.close()
        disk = service.disk
        if is_there:
            disk.inodes[KEYS_NAME].written[5] ^= 1
        else:
            disk.remove(KEYS_NAME)
        target = SimulatedDisk(Random(2))
        with pytest.raises(DamagedData, match=r"keys\.csv is (damaged|missing)"):
            await backup(disk, target, CODEC)
        assert target.names() == []
        salvaged = await backup(disk, target, CODEC, is_salvaging=True)
        assert salvaged == Backup(Place(1, 1), has_keys=False)
        journal = await Journal.open(target, CODEC, look(target, CODEC), OPTIONS)
        assert (await journal.commit([NEXT], {0: Terms(b"%022d" % 1)})).replays == {}

    play(scenario)


@pytest.mark.parametrize("error", [DamagedData, JournalFailed, NotPermitted, Scarce])
@pytest.mark.parametrize("lost", [RING_NAME, KEYS_NAME])
def test_what_cannot_be_read_counts_as_missing_when_salvaged(lost: str, error: type[Exception]) -> None:
    """A file that is too long, or that the disk does not give. But who lacks rights or memory is told so."""

    async def scenario() -> None:
        service = await Service.start(SimulatedDisk(Random(1)))
        await service.step(3)
        await service.journal.close()
        disk, size, read = service.disk, service.disk.size, service.disk.read
        codes = {JournalFailed: errno.EIO, NotPermitted: errno.EACCES, Scarce: errno.ENOMEM}

        def read_or_fail(name: str) -> bytes:
            if name == lost:
                assert error in codes, "what is too long is not read"
                raise OSError(codes[error], "so it is")
            return read(name)

        disk.read = read_or_fail  # type: ignore[method-assign]  # a disk that is broken in this.
        if error not in codes:
            disk.size = lambda name: 300 << 20 if name == lost else size(name)  # type: ignore[method-assign]
        target = SimulatedDisk(Random(2))
        told = "no memory is left" if error is Scarce else lost
        with pytest.raises(error, match=told):
            await backup(disk, target, CODEC)
        if error in {NotPermitted, Scarce}:
            with pytest.raises(error, match=told):
                await backup(disk, target, CODEC, is_salvaging=True)
            return
        made = await backup(disk, target, CODEC, is_salvaging=True)
        assert made == Backup(Place(3, 3), has_keys=lost != KEYS_NAME, has_whole_ring=lost != RING_NAME)
        assert look(target, CODEC).plan.place == Place(3, 3)

    play(scenario)


def test_a_ring_that_cannot_be_read_is_told_where_there_is_nothing_else() -> None:
    """Without a segment there is nothing to salvage, and why is that of the ring."""

    async def scenario() -> None:
        disk = SimulatedDisk(Random(1), {RING_NAME: b""})
        disk.read = broken  # type: ignore[method-assign]  # a disk that is broken in this.
        with pytest.raises(JournalFailed, match=RING_NAME):
            await backup(disk, SimulatedDisk(Random(2)), CODEC, is_salvaging=True)

    play(scenario)


@pytest.mark.parametrize(("sequence", "told"), [(40, "has keys up to sequence 40"), (3, "does not go on")])
def test_keys_of_another_moment_are_damage(sequence: int, told: str) -> None:
    """Those of a later one, and those of one before the history begins: a start refuses both."""
    end, begin = 30, 10
    with pytest.raises(DamagedData, match=told):
        check_span(LiveKeys(b"", sequence, b""), begin, end)
    assert check_span(LiveKeys(b"", end, b""), begin, end).sequence == end


def test_keys_that_are_written_down_meanwhile_are_found() -> None:
    """A backup may begin before the very first start has got so far."""

    async def scenario() -> None:
        service = await Service.start(SimulatedDisk(Random(1)))
        await service.step(3)
        disk, names = service.disk, service.disk.names
        left = iter([[name for name in names() if name != KEYS_NAME]])
        disk.names = lambda: next(left, None) or names()  # type: ignore[method-assign]
        made = await backup(disk, SimulatedDisk(Random(2)), CODEC)
        assert made == Backup(Place(3, 3), has_keys=True)

    play(scenario)
