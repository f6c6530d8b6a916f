"""What a start makes of a directory that is not as a stop leaves it."""

import asyncio
import errno
from dataclasses import replace
from random import Random
from typing import Any, NoReturn
from zlib import crc32

import pytest
from structlog.testing import capture_logs

from pexservice.core.judging import Place
from pexservice.core.keys import digests, keyed
from pexservice.errors import DamagedData
from pexservice.stores.journal.errors import JournalFailed
from pexservice.stores.journal.journal import Journal
from pexservice.stores.journal.live_keys import KEYS_NAME
from pexservice.stores.journal.opening import look, shape_for
from pexservice.stores.journal.record import seal
from pexservice.stores.journal.ring import RING_NAME, Shape
from pexservice.stores.journal.segment import segment_name
from pexservice.stores.journal.whole_file import new_name
from pexservice.walk.steps import NEXT
from support.journals import CALM, LEDGERS, OPTIONS, WALKS, broken, disk, found, opened, play
from support.simulated_disk import SimulatedDisk


@pytest.mark.parametrize(
    ("free_bytes", "lines"),
    [(1 << 30, 1024), (1 << 20, 511), (40_000, 18), (0, 16)],
)
def test_a_ring_is_small_on_a_small_disk(free_bytes: int, lines: int) -> None:
    """A quarter of the room that there is, but never so small that groups in flight have no line each."""
    on = disk()
    on.faults.free_bytes = free_bytes
    assert shape_for(on) == Shape(lines, 512, lines // 2)


@pytest.mark.parametrize(("free_bytes", "allowed"), [(1 << 30, []), (1 << 20, [511])])
def test_a_smaller_ring_is_told_of(free_bytes: int, allowed: list[int]) -> None:
    """Fewer groups can wait for room there than the pages promise, whoever made the room small."""

    async def scenario() -> None:
        on = disk()
        on.faults.free_bytes = free_bytes
        with capture_logs() as logs:
            await (await opened(on, replace(OPTIONS, shape=None))).close()
        told = [each["allowed"] for each in logs if "allows a smaller ring" in each["event"]]
        assert told == allowed

    asyncio.run(scenario())


@pytest.mark.parametrize("asked", ["free_bytes", "block_bytes", "file_bytes_max"])
def test_a_file_system_that_tells_nothing_ends_the_start(asked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it says decides how large the ring gets."""
    on = disk()
    monkeypatch.setattr(on, asked, broken)
    with pytest.raises(JournalFailed, match="cannot look at the file system"):
        shape_for(on)


def test_what_is_in_flight_when_a_ring_is_made_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """A defect while the new ring gets its name lets go of its file."""

    async def scenario() -> None:
        on = disk()

        def rename(old: str, new: str) -> NoReturn:
            raise KeyError(old)

        monkeypatch.setattr(on, "rename", rename)
        with pytest.raises(KeyError):
            await opened(on)

    play(scenario)


def test_leftovers_are_written_over() -> None:
    """What an earlier life did not finish is in nobody's way."""

    async def scenario() -> None:
        on = disk()
        for name in map(new_name, (RING_NAME, segment_name(0), KEYS_NAME)):
            on.create(name)
        journal = await opened(on)
        await journal.commit([NEXT])
        await journal.close()
        assert sorted(on.names()) == [segment_name(0), KEYS_NAME, RING_NAME]

    play(scenario)


def test_a_settled_line_that_cannot_be_written_ends_the_start() -> None:
    """Nothing may be served that is not known to be durable."""

    async def scenario() -> None:
        on = disk()
        journal = await opened(on, CALM)
        await journal.commit([NEXT])
        after = on.killed()
        after.faults.sync_error = errno.EIO
        with pytest.raises(JournalFailed, match=r"cannot settle ring\.csv"):
            await opened(after)
        after = on.killed()
        after.faults.write_error = errno.EIO
        with pytest.raises(JournalFailed, match=r"cannot settle ring\.csv"):
            await opened(after)

    play(scenario)


def test_a_directory_that_belongs_to_another_machine_is_left_alone() -> None:
    """The ring and the history both say whose they are."""

    async def scenario() -> None:
        on = disk()
        await opened(on)
        with pytest.raises(DamagedData, match=r"journal-.*another machine, 'fibonacci'"):
            look(on, LEDGERS)
        del on.inodes[segment_name(0)]
        with pytest.raises(DamagedData, match=r"ring.csv belongs to another machine, 'fibonacci'"):
            look(on, LEDGERS)

    play(scenario)


def test_a_journal_of_the_first_format_is_told_as_such() -> None:
    """It has no ring, and that is not what is wrong with it."""
    header = b"sequence,position,steps,time,checksum\n"
    row, _ = seal(b"0,0,v1,2026-11-23T18:55:31.000000Z", crc32(header))
    with pytest.raises(DamagedData, match="format version 1, which was never released"):
        look(SimulatedDisk(Random(1), {segment_name(0): header + row}), WALKS)


@pytest.mark.parametrize("missing", [RING_NAME, segment_name(0)])
def test_a_ring_or_a_history_that_is_missing_is_damage(missing: str) -> None:
    """A start that goes on without either could lose what was answered."""

    async def scenario() -> None:
        on = disk()
        journal = await opened(on)
        await journal.commit([NEXT])
        await journal.close()
        del on.inodes[missing]
        with pytest.raises(DamagedData, match="missing"):
            look(on, WALKS)

    play(scenario)


def test_keys_without_ring_and_history_are_damage() -> None:
    """Keys tell that commands were taken; a new walk would forget them, and the secret that their digests need."""

    async def scenario() -> None:
        on = disk()
        journal = await opened(on)
        key = digests([b"a"], journal.key_secret)[0]
        await journal.commit([NEXT], {0: keyed(key)})
        await journal.close()
        for name in set(on.inodes) - {KEYS_NAME}:
            del on.inodes[name]
        with pytest.raises(DamagedData, match=r"has keys, and .* and the history are missing"):
            look(on, WALKS)

    play(scenario)


def test_a_first_start_that_takes_over_a_walk_may_be_cut_off() -> None:
    """It begins again where it was to begin; one that would begin elsewhere does not hide that walk."""

    async def scenario() -> None:
        on, begin = disk(), Place(7, 3)
        await Journal.open(on, WALKS, look(on, WALKS, begin=lambda: begin), OPTIONS)
        del on.inodes[segment_name(begin.sequence)]
        assert look(on, WALKS, begin=lambda: begin).plan.place == begin
        with pytest.raises(DamagedData, match="goes on from sequence 7"):
            look(on, WALKS)

    play(scenario)


def test_a_first_start_that_was_cut_off_is_begun_again_where_it_was_to_begin() -> None:
    """A ring without a line and without a history was never served from."""

    async def scenario() -> None:
        on = disk()
        await opened(on)
        del on.inodes[segment_name(0)]
        begin = Place(7, 3)
        journal = await Journal.open(on, WALKS, look(on, WALKS, begin=lambda: begin), OPTIONS)
        assert journal.read() == begin
        await journal.commit([NEXT])
        assert found(on.powered_off()) == Place(8, 4)

    play(scenario)


@pytest.mark.parametrize("name", [RING_NAME, segment_name(0)])
def test_what_cannot_be_read_ends_the_start(name: str) -> None:
    """With status 74, and without a change."""

    async def scenario() -> None:
        on = disk()
        await opened(on)
        on.faults.operations_until_error = 1 if name == RING_NAME else 2
        with pytest.raises(JournalFailed, match=f"cannot read {name}"):
            look(on, WALKS)

    play(scenario)


def test_a_changed_durability_begins_a_new_segment() -> None:
    """The opening row says how all rows behind it came to be."""

    async def scenario() -> None:
        on = disk()
        journal = await opened(on)
        await journal.commit([NEXT])
        await journal.close()
        on = on.killed()
        await (await opened(on, replace(OPTIONS, is_interval=True))).close()
        newest = look(on, WALKS).newest
        assert newest is not None
        assert (newest.name, newest.opening.is_interval) == (segment_name(1), True)

    play(scenario)


@pytest.mark.parametrize("name", [KEYS_NAME, RING_NAME, segment_name(0)])
def test_a_first_start_without_room_for_a_file_waits_for_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever of the three it is; with room, commands are taken."""

    async def scenario() -> None:
        on = disk()
        create = on.create

        def create_other(wanted: str, *, is_private: bool = False) -> Any:
            if wanted == new_name(name):
                raise OSError(errno.ENOSPC, "No space left on device")
            return create(wanted, is_private=is_private)

        with monkeypatch.context() as patched:
            patched.setattr(on, "create", create_other)
            journal = await opened(on, CALM)
            assert journal.unready is not None
        await journal._heal()
        assert (await journal.commit([NEXT])).end.sequence == 1

    play(scenario)


def test_a_ring_without_room_for_its_name_is_made_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """As one without room for itself: the start goes on, and takes no steps until there is room."""

    async def scenario() -> None:
        on = disk()
        await (await opened(on)).close()

        def rename(old: str, new: str) -> NoReturn:
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patched:
            patched.setattr(on, "rename", rename)
            journal = await opened(on, CALM)
            assert journal.unready is not None
        assert new_name(RING_NAME) not in on.names()
        await journal._heal()
        assert (await journal.commit([NEXT])).end.sequence == 1

    play(scenario)


def test_a_ring_that_cannot_be_named_ends_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not known which one is there."""

    async def scenario() -> None:
        on = disk()
        await (await opened(on)).close()
        monkeypatch.setattr(on, "rename", broken)
        with pytest.raises(JournalFailed, match="cannot make the new ring"):
            await opened(on)

    play(scenario)
