"""Each rule of the journal taken out once: the crashes of `test_crashes.py` must notice, or they prove nothing."""

import asyncio
from functools import partial
from random import Random
from typing import Any

import pytest
from structlog.testing import capture_logs

from pexservice.errors import DamagedData
from pexservice.stores.journal import opening, ring_writer
from pexservice.stores.journal.history_writer import HistoryWriter
from pexservice.stores.journal.journal import Journal
from pexservice.stores.journal.opening import Opener
from pexservice.stores.journal.record import Codec
from pexservice.stores.journal.recovery import recover
from pexservice.stores.journal.ring import Shape, read
from pexservice.stores.journal.ring_writer import RingWriter
from pexservice.walk.machine import WALK
from support.faults import PowerCut
from support.lives import Model, ViolationError, live, options
from support.simulated_disk import SimulatedDisk, SimulatedFixedFile

RUNS = 300


def _steps(rng: Random) -> list[int]:
    return rng.choices(b"np", k=rng.choice([0, 1, 2]))


def notices(seeds: range = range(RUNS), *, is_interval: bool = False) -> str | None:
    """Crash until something is wrong, and return what."""
    for seed in seeds:
        rng = Random(seed)
        disk, model = SimulatedDisk(rng), Model(WALK)
        with asyncio.Runner() as runner, capture_logs():
            for _ in range(12):
                opts = options(rng, is_interval=is_interval)
                disk.faults.operations_until_cut = rng.choice([rng.randint(1, 40), rng.randint(1, 300)])
                try:
                    life = live(disk, model, opts, rng=rng, commands=partial(_steps, rng), turns=200)
                    error = runner.run(life)
                except PowerCut:
                    error = None
                except ViolationError:
                    return "lost"
                if isinstance(error, DamagedData):
                    return "refused"
                assert error is None, error
                if is_interval and model.base is not None:  # The last interval may be lost.
                    model.told = model.base.sequence
                disk = disk.powered_off()
    return None


def test_nothing_is_noticed_where_nothing_is_wrong() -> None:
    """The same crashes, with all rules in place."""
    assert notices(range(30)) is None


def test_a_watermark_of_the_highest_done_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """`durable` is the end of what is done without a gap; the highest line done says too much."""

    class Watermark(RingWriter[Any, Any]):
        highest = 0

        def _written(self, flight: Any, error: OSError | None) -> None:
            self.highest = max(self.highest, flight.last)
            super()._written(flight, error)

        def _encode(self, parts: list[bytes]) -> bytes:
            durable, self.durable = self.durable, max(self.durable, self.highest)
            try:
                return super()._encode(parts)
            finally:
                self.durable = durable

    monkeypatch.setattr("pexservice.stores.journal.journal.RingWriter", Watermark)
    assert notices() == "refused"


def test_history_before_durable_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row may go to the history only when its line is durable."""

    class Early(Journal[Any, Any]):
        def _send(self, ring: RingWriter[Any, Any], flight: Any) -> None:
            super()._send(ring, flight)
            self._history.add(b"".join(flight.parts), flight.expected.end, flight.first)

        def _on_durable(self, flight: Any) -> None:
            parts, flight.parts = flight.parts, []
            super()._on_durable(flight)
            flight.parts = parts

    monkeypatch.setattr("support.lives.Journal", Early)
    assert notices() in {"refused", "lost"}


def test_answers_out_of_order_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A group that is done waits for those before it."""

    class Hasty(RingWriter[Any, Any]):
        def _written(self, flight: Any, error: OSError | None) -> None:
            super()._written(flight, error)
            if not flight.is_done:
                for before in list(self._under_way):
                    if before.last <= flight.last and not before.is_done:
                        before.finish()

    monkeypatch.setattr("pexservice.stores.journal.journal.RingWriter", Hasty)
    assert notices() == "lost"


def test_a_new_ring_before_the_history_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A start brings the history up to date before the ring that has the rows goes."""

    async def renew(self: Opener[Any, Any], shape: Shape, *, is_cached: bool) -> Any:
        header = self._header(shape)
        file = await ring_writer.create(self._disk, header, is_cached=is_cached)
        await self._history.write()
        self._history.renumber()
        return file, header

    monkeypatch.setattr(Opener, "renew", renew)
    assert notices() == "refused"


def test_wiped_lines_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line in flight may be the only one to say that another was durable, or the only one in its slot."""
    settle = ring_writer.settle

    async def wipe(disk: Any, data: bytes, shape: Shape, slots: tuple[int, ...]) -> None:
        codec = Codec(WALK)
        newest = opening.read_newest(disk, codec)
        assert newest is not None
        ring = read(codec, data)
        end = recover(codec, ring, newest).end
        late = [shape.slot(number) for number in ring.lines if number > end]
        if late:
            file = await disk.open_fixed("ring.csv", is_cached=True)
            for slot in late:
                file.write(slot * shape.slot_bytes, shape.blank, lambda _error: None)
            await file.sync()
        await settle(disk, data, shape, slots)

    monkeypatch.setattr(opening, "settle", wipe)
    assert notices() == "refused"


def test_lines_written_over_too_early_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line is kept until its row is in the synced history."""
    monkeypatch.setattr(RingWriter, "has_room", lambda _self, _count, _kept: True)
    monkeypatch.setattr(HistoryWriter, "write", _never(HistoryWriter.write))
    assert notices() == "refused"


def test_a_history_ahead_of_a_cached_ring_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under interval the ring is synced before the history gets its rows."""

    async def sync(_: SimulatedFixedFile) -> None:
        pass

    monkeypatch.setattr(SimulatedFixedFile, "sync", sync)
    assert notices(is_interval=True) == "refused"


def _never(write: Any) -> Any:
    async def only_at_the_start(self: HistoryWriter[Any, Any]) -> None:
        if self._growing is not None and self._growing.kept == 0:
            await write(self)

    return only_at_the_start
