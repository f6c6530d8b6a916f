"""Reading all of the journal: of a service that stopped, of one that runs, of a copy; and backing it up."""

import asyncio
import errno
from collections.abc import Iterator
from random import Random
from typing import Any, NoReturn

import pytest
from structlog.testing import capture_logs

from pexservice.errors import CannotCreate, DamagedData
from pexservice.limits import Limits
from pexservice.stores.journal.backup import backup
from pexservice.stores.journal.errors import JournalFailed
from pexservice.stores.journal.history import History
from pexservice.stores.journal.journal import Journal
from pexservice.stores.journal.opening import look
from pexservice.stores.journal.options import Options
from pexservice.stores.journal.record import Codec
from pexservice.stores.journal.ring import RING_NAME, Shape
from pexservice.stores.journal.segment import segment_name
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


def rows(disk: SimulatedDisk) -> Iterator[int]:
    """Yield the sequence of each row, proving that the pieces go on from each other."""
    end = None
    for piece in History.look(disk, CODEC).pieces():
        assert end is None or piece.start == end
        last = piece.start
        for row in piece.rows:
            last = row.place
            yield row.place.sequence
        assert last == piece.end
        end = piece.end


def play(scenario: Any) -> list[Any]:
    with capture_logs() as logs:
        asyncio.run(scenario())
    return list(logs)


def test_all_rows_are_read_once_and_in_order() -> None:
    """From the segments and then from the ring, while the service runs and after it stopped."""

    async def scenario() -> None:
        service = await Service.start(SimulatedDisk(Random(1)))
        assert list(rows(service.disk)) == []
        for total in (3, 50, 120):
            await service.step(total - service.journal.read().sequence)
            assert list(rows(service.disk)) == list(range(1, total + 1))
        service.running.cancel()
        await service.journal.close()
        assert list(rows(service.disk)) == list(range(1, 121))
        assert [file.name for file in History.look(service.disk, CODEC).files][-1] == RING_NAME

    play(scenario)


def test_an_empty_directory_has_no_history() -> None:
    """Nor has one whose first start was cut off."""
    assert list(rows(SimulatedDisk(Random(1)))) == []

    async def scenario() -> None:
        service = await Service.start(SimulatedDisk(Random(1)))
        service.running.cancel()
        del service.disk.inodes[segment_name(0)]
        assert list(rows(service.disk)) == []

    play(scenario)


class Interrupted(SimulatedDisk):
    """A disk on which something happens before each read."""

    def __init__(self, disk: SimulatedDisk) -> None:
        super().__init__(disk.rng)
        self.inodes = disk.inodes
        self.happenings: list[Any] = []

    def read(self, name: str) -> bytes:
        if self.happenings:
            self.happenings.pop(0)()
        return super().read(name)


async def _moments(steps: int) -> list[dict[str, bytes]]:
    """Return what a running service's directory holds after each step."""
    service = await Service.start(SimulatedDisk(Random(1)))
    moments = []
    for _ in range(steps):
        await service.step(1)
        await asyncio.sleep(0)
        moments.append({name: bytes(inode.written) for name, inode in service.disk.inodes.items()})
    service.running.cancel()
    number = service.disk.inodes[RING_NAME].number
    return [{**moment, "inode": str(number).encode()} for moment in moments]


def _as_of(disk: SimulatedDisk, moment: dict[str, bytes], *names: str) -> None:
    """Bring files to what they were at a moment."""
    for name, data in moment.items():
        if name != "inode" and (not names or name in names):
            if name not in disk.inodes:
                disk.inodes[name] = type(disk.inodes[RING_NAME])()
            disk.inodes[name].written[:] = data


def test_a_reader_beside_a_running_service_sees_all_that_was_answered_before_it_began() -> None:
    """Whenever the files change between its reads: a prefix of the rows, at least as long as when it began."""

    async def scenario() -> None:
        moments = await _moments(150)
        rng = Random(2)
        for _ in range(300):
            began = rng.randrange(149)
            later = sorted(rng.choices(range(began, 150), k=6))
            disk = Interrupted(SimulatedDisk(Random(1), {k: v for k, v in moments[began].items() if k != "inode"}))
            disk.inodes[RING_NAME].number = int(moments[0]["inode"])
            disk.happenings = [lambda: None, *(lambda m=moments[each], d=disk: _as_of(d, m) for each in later)]
            seen = list(rows(disk))
            assert seen == list(range(1, len(seen) + 1))
            assert len(seen) >= began + 1

    play(scenario)


def test_a_copy_of_files_of_different_moments_starts_and_says_so() -> None:
    """With the ring copied first it holds what was answered before; a start goes on from there, loudly."""

    async def scenario() -> None:
        moments = await _moments(150)
        rng = Random(3)
        for _ in range(400):
            began = rng.randrange(149)
            ended = rng.randrange(min(149, began + 2), 150)
            disk = SimulatedDisk(Random(1))
            for name, data in moments[ended].items():
                if name != "inode":
                    file = disk.create(name)
                    file.append(_copied_ring(moments, began, rng) if name == RING_NAME else data)
            place = look(disk, CODEC).plan.place
            assert place.sequence >= began + 1
            assert list(rows(disk)) == list(range(1, place.sequence + 1))
            journal = await Journal.open(disk, CODEC, look(disk, CODEC), OPTIONS)
            assert (await journal.commit([NEXT])).end.sequence == place.sequence + 1

    logs = play(scenario)
    assert any("a copy of a journal" in entry["event"] for entry in logs)


def _copied_ring(moments: list[dict[str, bytes]], began: int, rng: Random) -> bytes:
    """Return a ring whose first slots were copied a little before the others."""
    later = moments[min(149, began + rng.randrange(3))][RING_NAME]
    slot = rng.randrange(1, 41) * 512
    return moments[began][RING_NAME][:slot] + later[slot:]


def test_damage_is_no_copy() -> None:
    """The same files, in the file that the service wrote to, are damage to a reader as to a start."""

    async def scenario() -> None:
        service = await Service.start(SimulatedDisk(Random(1)))
        await service.step(3)
        service.running.cancel()
        disk = service.disk.killed()
        disk.inodes[RING_NAME].written[600] ^= 1
        for reads in (lambda: list(rows(disk)), lambda: look(disk, CODEC)):
            with pytest.raises(DamagedData, match=r"ring\.csv is damaged at line 2"):
                reads()
        disk.inodes[RING_NAME].number += 1
        assert list(rows(disk)) == []

    play(scenario)


def test_segments_must_go_on_from_each_other() -> None:
    """One in the middle that is missing is found, and the oldest ones may be missing."""

    async def scenario() -> None:
        service = await Service.start(SimulatedDisk(Random(1)))
        for _ in range(60):
            await service.step(1)
            await service.journal._write_history()
        service.running.cancel()
        names = sorted(name for name in service.disk.names() if name.startswith("journal-"))
        kept = service.disk.inodes.pop(names[0])
        assert next(iter(rows(service.disk))) > 1
        service.disk.inodes[names[0]] = kept
        del service.disk.inodes[names[1]]
        with pytest.raises(DamagedData, match=f"{names[2]} begins at .* but {names[0]} ends at"):
            list(rows(service.disk))

    play(scenario)


def test_a_segment_that_goes_while_it_is_read_was_the_oldest() -> None:
    """The service let go of it; any other that goes is an error."""

    async def scenario() -> None:
        service = await Service.start(SimulatedDisk(Random(1)))
        for _ in range(60):
            await service.step(1)
            await service.journal._write_history()
        service.running.cancel()
        names = sorted(name for name in service.disk.names() if name.startswith("journal-"))
        history = History.look(service.disk, CODEC)
        del service.disk.inodes[names[0]]
        assert next(history.pieces()).name == names[1]
        del service.disk.inodes[names[2]]
        with pytest.raises(JournalFailed, match=f"cannot read {names[2]}"):
            list(history.pieces())

    play(scenario)


def _broken(*_: object) -> NoReturn:
    raise OSError(errno.EIO, "Input/output error")


@pytest.mark.parametrize("what", ["names", "size", "read", "inode"])
def test_what_cannot_be_read_is_told(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever call it is that fails."""

    async def scenario() -> None:
        service = await Service.start(SimulatedDisk(Random(1)))
        await service.step(1)
        service.running.cancel()
        disk = service.disk
        history = History.look(disk, CODEC)
        with monkeypatch.context() as patch:
            patch.setattr(disk, what, _broken)
            if what in {"names", "size"}:
                with pytest.raises(JournalFailed):
                    History.look(disk, CODEC)
            elif what == "read":
                with pytest.raises(JournalFailed):
                    list(history.pieces())
            else:
                disk.inodes[RING_NAME].written[600] ^= 1
                damaged = History.look(disk, CODEC)
                with pytest.raises(JournalFailed):
                    list(damaged.pieces())
        if what == "names":
            with monkeypatch.context() as patch:
                patch.setattr("pexservice.stores.journal.history.segment_names", _broken)
                with pytest.raises(JournalFailed):
                    History.look(disk, CODEC)

    play(scenario)


def test_a_file_that_cannot_be_read_again_is_an_error() -> None:
    """A reader that finds damage looks whether somebody writes; when it cannot, it says so."""

    async def scenario() -> None:
        service = await Service.start(SimulatedDisk(Random(1)))
        await service.step(1)
        service.running.cancel()
        service.disk.inodes[RING_NAME].written[600] ^= 1
        history = History.look(service.disk, CODEC)
        pieces = history.pieces()
        next(pieces)
        service.disk.read = _broken  # type: ignore[method-assign, assignment]  # a disk that breaks now.
        with pytest.raises(JournalFailed):
            next(pieces)

    play(scenario)


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
        assert list(rows(target)) == list(range(1, end.sequence + 1))
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
        monkeypatch.setattr(target, "names", _broken)
        with pytest.raises(JournalFailed):
            await backup(service.disk, target, CODEC)

    play(scenario)
