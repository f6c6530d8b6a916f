"""From a group to its rows: one, or as many as a long one takes."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pexservice.core.judging import Place, judge
from pexservice.stores.journal import journal as journals
from pexservice.stores.journal.errors import CommandTooLong, JournalFailed, JournalFull, RowTooLong
from pexservice.stores.journal.ring import PART_BYTES_MAX, RING_NAME
from pexservice.stores.journal.rows import flights
from support.journals import LEDGERS, OPTIONS, disk, found, opened, play, rows
from support.ledger import LEDGER, Balance, Entry

LONG = "b" * PART_BYTES_MAX
START = Place(0, LEDGER.initial)
LINES = 3
"""Of a row with an entry of `LONG * 2`."""


@given(st.lists(st.builds(Entry, st.integers(-60, 60), st.sampled_from(["a", LONG, LONG * 2])), min_size=1))
def test_rows_of_a_group_lead_where_the_group_does(commands: list[Entry]) -> None:
    """Each goes on from the one before, none is too long, and the one that is awaited has the judgement of all."""
    judgement = judge(LEDGER, START, commands)
    made = flights(LEDGERS, judgement, 3, 1.5)
    assert made[-1].expected is judgement
    assert [flight.continues for flight in made] == [False] + [True] * (len(made) - 1)
    place = START
    for flight in made:
        assert len(flight.parts) <= 3
        if flight.parts:
            row = LEDGERS.decode_body(b"".join(flight.parts))
            LEDGERS.follow(row, place)
            place = row.place
    assert place == judgement.end


def test_a_single_command_that_is_too_long_is_turned_away() -> None:
    """There is no smaller group to ask for it in; asked for alone, it is told that it never succeeds."""
    commands = [Entry(1), Entry(1, LONG * 3)]
    told = "the row after sequence {} takes 4 lines of the ring, 1.6 KiB, of at most 1.2"
    with pytest.raises(RowTooLong, match=told.format(1)):
        flights(LEDGERS, judge(LEDGER, START, commands), 3, 1.5)
    with pytest.raises(CommandTooLong, match=told.format(0)):
        flights(LEDGERS, judge(LEDGER, START, commands[1:]), 3, 1.5)
    refused_too = judge(LEDGER, START, [Entry(170), *commands[1:]])
    with pytest.raises(RowTooLong, match=told.format(0)):
        flights(LEDGERS, refused_too, 3, 1.5)


def test_a_long_group_is_answered_once_its_last_row_is_durable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are sent as those before them become durable; who reads sees whole ones meanwhile."""

    async def scenario() -> None:
        on = disk()
        journal = await opened(on, codec=LEDGERS)
        running = asyncio.create_task(journal.run())
        held = on.fixed[-1].held = []
        commit = journal.commit([Entry(1, LONG * 2) for _ in range(20)])
        answered = asyncio.ensure_future(_result(commit))
        seen = set()
        while (sequence := journal.read().sequence) < 20:
            seen.add(sequence)
            assert not answered.done()
            assert journal._ring is not None
            assert journal._ring.rows_under_way <= 2
            if held:
                held.pop(0)()
            await asyncio.sleep(0)
        assert await answered is commit.expected
        assert len(seen) == 20
        running.cancel()
        assert found(on.powered_off(), LEDGERS) == Place(20, Balance(20, "bbbbbbbb"))
        assert [row.place.sequence for row in rows(on, LEDGERS)] == list(range(1, 21))

    monkeypatch.setattr(journals, "ROWS_IN_FLIGHT_MAX", 2)
    play(scenario)


def test_what_is_begun_is_not_turned_away() -> None:
    """On a full disk the rows of a group whose first was written wait for room; groups behind it are turned away."""

    async def scenario() -> None:
        on = disk()
        journal = await opened(on, codec=LEDGERS)
        on.faults.free_bytes = 0
        running = asyncio.create_task(journal.run())
        groups = [[Entry(1, LONG * 2) for _ in range(30)], [Entry(1)]]
        long, behind = [asyncio.ensure_future(_result(journal.commit(group))) for group in groups]
        with pytest.raises(JournalFull):
            await behind
        assert not long.done()
        with pytest.raises(JournalFull):
            journal.commit([Entry(1)])
        on.faults.free_bytes = None
        assert (await long).end.sequence == 30
        assert (await journal.commit([Entry(1)])).end.sequence == 31
        running.cancel()

    play(scenario)


async def _result(commit: Any) -> Any:
    return await commit


def test_after_a_row_that_cannot_be_written_no_other_is() -> None:
    """Of the same group neither; and it is not answered."""

    async def scenario() -> None:
        on = disk()
        journal = await opened(on, replace(OPTIONS, is_interval=True), codec=LEDGERS)
        on.faults.operations_until_error = 2
        before = bytes(on.inodes[RING_NAME].written)
        with pytest.raises(JournalFailed, match=r"cannot write to ring.csv"):
            await journal.commit([Entry(1, LONG * 2) for _ in range(5)])
        after, slot_bytes = on.inodes[RING_NAME].written, on.sector_bytes
        slots = [slice(begin, begin + slot_bytes) for begin in range(0, len(after), slot_bytes)]
        changed = [slot for slot in slots if before[slot] != after[slot]]
        assert len(changed) == 2 * LINES

    play(scenario)
