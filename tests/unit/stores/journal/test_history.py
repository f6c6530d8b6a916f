"""Reading all of the journal: of a service that stopped, of one that runs, of one that is damaged."""

import asyncio
from random import Random
from typing import Any

import pytest

from pexservice.errors import DamagedData
from pexservice.stores.journal.errors import JournalFailed
from pexservice.stores.journal.history import History
from pexservice.stores.journal.opening import look
from pexservice.stores.journal.ring import RING_NAME
from pexservice.stores.journal.segment import segment_name
from support.journals import broken, play
from support.running_journal import CODEC, Service, sequences
from support.simulated_disk import SimulatedDisk


def test_all_rows_are_read_once_and_in_order() -> None:
    """From the segments and then from the ring, while the service runs and after it stopped."""

    async def scenario() -> None:
        service = await Service.start(SimulatedDisk(Random(1)))
        assert list(sequences(service.disk)) == []
        for total in (3, 50, 120):
            await service.step(total - service.journal.read().sequence)
            assert list(sequences(service.disk)) == list(range(1, total + 1))
        service.running.cancel()
        await service.journal.close()
        assert list(sequences(service.disk)) == list(range(1, 121))
        assert [file.name for file in History.look(service.disk, CODEC).files][-1] == RING_NAME

    play(scenario)


def test_an_empty_directory_has_no_history() -> None:
    """Nor has one whose first start was cut off."""
    assert list(sequences(SimulatedDisk(Random(1)))) == []

    async def scenario() -> None:
        service = await Service.start(SimulatedDisk(Random(1)))
        service.running.cancel()
        del service.disk.inodes[segment_name(0)]
        assert list(sequences(service.disk)) == []

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
    return moments


def _as_of(disk: SimulatedDisk, moment: dict[str, bytes], *names: str) -> None:
    """Bring files to what they were at a moment."""
    for name, data in moment.items():
        if not names or name in names:
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
            disk = Interrupted(SimulatedDisk(Random(1), moments[began]))
            disk.happenings = [lambda: None, *(lambda m=moments[each], d=disk: _as_of(d, m) for each in later)]
            seen = list(sequences(disk))
            assert seen == list(range(1, len(seen) + 1))
            assert len(seen) >= began + 1

    play(scenario)


def test_files_of_different_moments_are_a_journal_or_damage_and_can_be_salvaged() -> None:
    """A start takes them only as what a crash may have left. What is salvaged of them is always a beginning.

    With the ring copied first it holds all that was answered before.
    """

    async def scenario() -> None:
        moments = await _moments(150)
        rng = Random(3)
        outcomes = set()
        for _ in range(400):
            began = rng.randrange(149)
            ended = rng.randrange(min(149, began + 2), 150)
            files = moments[ended] | {RING_NAME: _copied_ring(moments, began, rng)}
            disk = SimulatedDisk(Random(1), files)
            salvaged = list(sequences(disk, is_salvaging=True))
            assert salvaged == list(range(1, len(salvaged) + 1))
            assert len(salvaged) >= began + 1
            try:
                assert look(disk, CODEC).plan.place.sequence == len(salvaged)
                outcomes.add("journal")
            except DamagedData:
                outcomes.add("damage")
        assert outcomes == {"journal", "damage"}

    play(scenario)


def _copied_ring(moments: list[dict[str, bytes]], began: int, rng: Random) -> bytes:
    """Return a ring whose first slots were copied a little before the others."""
    later = moments[min(149, began + rng.randrange(3))][RING_NAME]
    slot = rng.randrange(1, 41) * 512
    return moments[began][RING_NAME][:slot] + later[slot:]


@pytest.mark.parametrize("offset", [5, 600])
def test_damage_is_told_and_salvaged_only_when_asked(offset: int) -> None:
    """To a reader as to a start. What is salvaged ends where the lines that are whole go on from the segments."""

    async def scenario() -> None:
        service = await Service.start(SimulatedDisk(Random(1)))
        await service.step(3)
        service.running.cancel()
        disk = service.disk.killed()
        disk.inodes[RING_NAME].written[offset] ^= 1
        for reads in (lambda: list(sequences(disk)), lambda: look(disk, CODEC)):
            with pytest.raises(DamagedData, match=rf"ring\.csv is damaged at line {1 + offset // 512}"):
                reads()
        assert list(sequences(disk, is_salvaging=True)) == []
        history = History.look(disk, CODEC, is_salvaging=True)
        assert history.is_ring_whole
        assert list(history.pieces())
        assert not history.is_ring_whole

    play(scenario)


async def _with_segments() -> tuple[Service, list[str]]:
    """Return a service that has written several segments and ended, and their names, oldest first."""
    service = await Service.start(SimulatedDisk(Random(1)))
    for _ in range(60):
        await service.step(1)
        await service.journal._write_history()
    service.running.cancel()
    return service, sorted(name for name in service.disk.names() if name.startswith("journal-"))


def test_segments_must_go_on_from_each_other() -> None:
    """One in the middle that is missing is found, and the oldest ones may be missing."""

    async def scenario() -> None:
        service, names = await _with_segments()
        kept = service.disk.inodes.pop(names[0])
        assert next(iter(sequences(service.disk))) > 1
        service.disk.inodes[names[0]] = kept
        del service.disk.inodes[names[1]]
        with pytest.raises(DamagedData, match=f"{names[2]} begins at .* but {names[0]} ends at"):
            list(sequences(service.disk))

    play(scenario)


def test_a_segment_that_goes_while_it_is_read_was_the_oldest() -> None:
    """The service let go of it; any other that goes is an error."""

    async def scenario() -> None:
        service, names = await _with_segments()
        history = History.look(service.disk, CODEC)
        del service.disk.inodes[names[0]]
        assert next(history.pieces()).name == names[1]
        del service.disk.inodes[names[2]]
        with pytest.raises(JournalFailed, match=f"{names[2]} was removed while .* Read it again"):
            list(history.pieces())

    play(scenario)


def test_a_reader_of_whom_the_service_let_go_all_that_was_listed_says_so() -> None:
    """That is no damage. Nor is it if the newest goes while a reader looks whether somebody writes."""

    async def scenario() -> None:
        moments = await _moments(150)
        name = max(name for name in moments[140] if name.startswith("journal-"))
        disk = Interrupted(SimulatedDisk(Random(1), moments[140] | {RING_NAME: moments[0][RING_NAME]}))
        disk.happenings = [lambda: None, lambda: None, lambda: disk.inodes.pop(name)]
        history = History.look(disk, CODEC)
        assert [piece.name for piece in history.pieces(len(history.files))] == [name, RING_NAME]
        with pytest.raises(JournalFailed, match=r"all that was listed of it was removed while .* Read it again"):
            list(history.pieces(len(history.files)))

    play(scenario)


def test_a_segment_that_goes_while_they_are_listed_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service let go of it between its name and its size."""

    async def scenario() -> None:
        service, names = await _with_segments()
        monkeypatch.setattr("pexservice.stores.journal.history.segment_names", lambda _: names)
        del service.disk.inodes[names[0]]
        assert next(History.look(service.disk, CODEC).pieces()).name == names[1]

    play(scenario)


@pytest.mark.parametrize("what", ["names", "size", "read"])
def test_what_cannot_be_read_is_told(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever call it is that fails."""

    async def scenario() -> None:
        service = await Service.start(SimulatedDisk(Random(1)))
        await service.step(1)
        service.running.cancel()
        disk = service.disk
        history = History.look(disk, CODEC)
        with monkeypatch.context() as patch:
            patch.setattr(disk, what, broken)
            if what in {"names", "size"}:
                with pytest.raises(JournalFailed):
                    History.look(disk, CODEC)
            else:
                with pytest.raises(JournalFailed):
                    list(history.pieces())
        if what == "names":
            with monkeypatch.context() as patch:
                patch.setattr("pexservice.stores.journal.history.segment_names", broken)
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
        service.disk.read = broken  # type: ignore[method-assign]  # a disk that breaks now.
        with pytest.raises(JournalFailed):
            next(pieces)

    play(scenario)
