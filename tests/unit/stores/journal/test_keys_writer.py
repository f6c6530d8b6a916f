"""Keys that a start knows again, whatever it reads."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from pexservice.core.judging import Place
from pexservice.core.keys import Terms, digests
from pexservice.core.known import KnownKeys
from pexservice.errors import DamagedData
from pexservice.limits import Limits
from pexservice.stores.journal import keys_writer
from pexservice.stores.journal.errors import JournalFull
from pexservice.stores.journal.history_writer import segment_names
from pexservice.stores.journal.journal import Journal
from pexservice.stores.journal.keys_writer import KeysWriter
from pexservice.stores.journal.live_keys import KEYS_NAME, LiveKeys, encode, read
from pexservice.stores.journal.opening import look
from pexservice.stores.journal.segment import begin_of
from pexservice.walk.steps import NEXT
from support.journals import CALM, WALKS, disk, opened, play
from support.simulated_disk import SimulatedDisk

SHORT = replace(CALM, limits=Limits(segment_bytes_max=300, heal_period_s=1000.0))


async def take(journal: Journal[Any, Any], numbers: Sequence[int]) -> list[Any]:
    """Take a command with each of these keys, in groups of three; return where each led."""
    places = []
    for begin in range(0, len(numbers), 3):
        part = numbers[begin : begin + 3]
        terms = {index: Terms(digests([b"%d" % number], journal.key_secret)[0]) for index, number in enumerate(part)}
        judgement = await journal.commit([NEXT] * len(part), terms)
        sequence = judgement.start.sequence
        for index in range(len(part)):
            if index in judgement.replays:
                places.append(judgement.replays[index].sequence)
            else:
                sequence += 1
                places.append(sequence)
    return places


def test_keys_are_known_again_after_a_crash_at_any_time() -> None:
    """From their file, from the segments behind it, and from the ring; each where it led."""

    async def scenario() -> None:
        on = disk()
        expected: list[int] = []
        for life in range(12):
            journal = await opened(on, SHORT)
            numbers = range(len(expected))
            assert await take(journal, numbers) == expected
            new = range(len(expected), len(expected) + 7)
            expected += await take(journal, new)
            if life % 3:
                await journal._write_history()
            on = on.powered_off() if life % 2 else on.killed()
        assert expected == list(range(1, len(expected) + 1))

    play(scenario)


def test_the_file_covers_all_before_the_newest_segment() -> None:
    """So a start that reads both has all."""

    async def scenario() -> None:
        on = disk()
        journal = await opened(on, SHORT)
        for begin in range(0, 60, 6):
            await take(journal, range(begin, begin + 6))
            await journal._write_history()
            newest = max(name for name in on.names() if begin_of(name) is not None)
            assert read(WALKS, on.read(KEYS_NAME)).sequence >= (begin_of(newest) or 0)

    play(scenario)


def test_an_older_file_is_made_up_for_by_the_history() -> None:
    """As far as that goes back; then it is damage, as is a file that is missing or of a later moment."""

    async def scenario() -> None:
        on = disk()
        journal = await opened(on, SHORT)
        older = on.read(KEYS_NAME)
        await take(journal, range(30))
        await journal.close()
        newer = on.read(KEYS_NAME)
        on.inodes[KEYS_NAME].written[:] = older
        assert await take(await opened(on.killed(), SHORT), range(30)) == list(range(1, 31))
        on.inodes[KEYS_NAME].written[:] = newer.replace(b"sequence=30", b"sequence=31")
        with pytest.raises(DamagedData, match=r"keys\.csv is damaged"):
            look(on, WALKS)
        found = read(WALKS, newer)
        on.inodes[KEYS_NAME].written[:] = encode(WALKS, replace(found, sequence=31))
        with pytest.raises(DamagedData, match="has keys up to sequence 31, and the history ends at 30"):
            look(on, WALKS)
        on.inodes[KEYS_NAME].written[:] = older
        segments = sorted(name for name in on.names() if begin_of(name) is not None)
        middle = on.read(segments[1])
        on.remove(segments[1])
        with pytest.raises(DamagedData, match=f"{segments[2]} does not begin where {segments[0]} ends"):
            look(on, WALKS)
        await (await on.create(segments[1])).append(middle)
        on.remove(min(name for name in on.names() if begin_of(name) is not None))
        with pytest.raises(DamagedData, match=r"keys\.csv ends at sequence 0, from where the history does not go on"):
            look(on, WALKS)
        on.remove(KEYS_NAME)
        with pytest.raises(DamagedData, match=r"keys\.csv is missing"):
            look(on, WALKS)

    play(scenario)


def test_segments_whose_keys_are_in_no_file_stay_until_they_are_in_one() -> None:
    """After an older file was put back a start needs them, whatever the limit; also if it was ended by a crash."""

    async def scenario() -> None:
        on = disk()
        journal = await opened(on, SHORT)
        older = on.read(KEYS_NAME)
        await take(journal, range(30))
        await journal.close()
        on.inodes[KEYS_NAME].written[:] = older
        lowered = replace(SHORT, limits=replace(SHORT.limits, history_bytes_max=1))
        on = on.killed()
        await opened(on, lowered)
        on = on.powered_off()
        journal = await opened(on, lowered)
        assert await take(journal, range(31)) == list(range(1, 32))
        assert len(segment_names(on)) > 1
        await journal.close()
        assert len(segment_names(on)) == 1
        assert await take(await opened(on.powered_off(), lowered), range(31)) == list(range(1, 32))

    play(scenario)


def test_a_file_that_cannot_be_read_ends_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in it is not known."""

    async def scenario() -> None:
        on = disk()
        await (await opened(on)).close()
        read_file = SimulatedDisk.read

        def read_other(self: SimulatedDisk, name: str) -> bytes:
            if name == KEYS_NAME:
                raise OSError(5, "Input/output error")
            return read_file(self, name)

        monkeypatch.setattr(SimulatedDisk, "read", read_other)
        with pytest.raises(Exception, match=r"cannot read keys\.csv"):
            look(on, WALKS)

    play(scenario)


def test_many_new_keys_are_written_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before a segment asks for it, so that a start has few rows to take keys from."""
    monkeypatch.setattr(keys_writer, "_UNWRITTEN_MAX", 10)

    async def scenario() -> None:
        on = disk()
        journal = await opened(on, CALM)
        running = asyncio.create_task(journal.run())
        await take(journal, range(12))
        for _ in range(50):
            await asyncio.sleep(0)
        assert read(WALKS, on.read(KEYS_NAME)).lines.count(b"\n") >= 10
        running.cancel()

    play(scenario)


@pytest.mark.parametrize("time_s", [-5.0, -0.5, 0.0])
def test_what_a_clock_before_1970_made_is_read_again(time_s: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the row and from the file, though neither has a sign for its seconds."""
    monkeypatch.setattr("time.time", lambda: time_s)
    known = KnownKeys(10, 60)
    assert known.now_s() >= 0
    writer = KeysWriter(SimulatedDisk(Random(1)), WALKS, known, LiveKeys(bytes(32), 0, b""))
    writer.read([WALKS.encode_body(Place(2, 2), "1n", time_s, "k" * 22)], Place(1, 1))
    assert read(WALKS, encode(WALKS, LiveKeys(bytes(32), 2, known.write()))).lines == b"k" * 22 + b",0,2,1n,2\n"


def test_a_row_with_keys_that_does_not_follow_is_damage() -> None:
    """Its checksum is right, and it tells of steps that do not lead there."""
    body = WALKS.encode_body(Place(2, 7), "1n", 5.0, "0123456789-_abcdefghij")
    writer = KeysWriter(SimulatedDisk(Random(1)), WALKS, KnownKeys(10, 60), LiveKeys(bytes(32), 0, b""))
    with pytest.raises(DamagedData, match=r"the keys of .* are not those of a row"):
        writer.read([body], Place(1, 1))


def test_a_group_that_is_turned_away_leaves_no_key() -> None:
    """Full, the journal takes none; with room again, whoever asks again has it taken."""

    async def scenario() -> None:
        on = disk()
        journal = await opened(on, CALM)
        taken = 0
        on.faults.free_bytes = 0
        commits = [journal.commit([NEXT], {0: Terms(b"%022d" % number)}) for number in range(60)]
        journal._wanted.set()
        running = asyncio.create_task(journal.run())
        for commit in commits:
            with suppress(JournalFull):
                await commit
                taken += 1
        assert 0 < taken < 60
        on.faults.free_bytes = None
        await journal._write_history()
        again = await journal.commit([NEXT] * 60, {number: Terms(b"%022d" % number) for number in range(60)})
        assert sorted(again.replays) == list(range(taken))
        assert again.end.sequence == 60
        running.cancel()

    play(scenario)
