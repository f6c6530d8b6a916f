"""Counts and states of processes, in memory that all of them share.

Each process writes numbers of its own alone, and whoever is asked sums them. A number is eight bytes at a multiple of
eight, which the processor writes whole, so none is read torn. A worker that takes the place of one that died goes on in
the same numbers: what was counted stays counted.
"""

from collections.abc import Mapping, Sequence
from enum import IntEnum, auto
from itertools import chain
from mmap import mmap
from typing import Final, Self, cast

from pexservice.core.machine import LABEL_LENGTH_MAX
from pexservice.core.measures import COUNT_BOUNDS, SECONDS_BOUNDS, Histogram
from pexservice.core.metrics import STATUSES_MAX, Metrics

_NAMES_MAX: Final = 64
"""Names that a table has room for: kinds of commands, reasons. Those beyond are counted as `other`."""
_NAME_BYTES: Final = LABEL_LENGTH_MAX
_ENTRY_BYTES: Final = _NAME_BYTES + 8
_OTHER: Final = "other"


class Live(IntEnum):
    """What a process is like now, by its place among the numbers."""

    PID = 0
    """0 where there is no process."""
    BEATS = auto()
    """Grows for as long as the process goes on."""
    CONNECTIONS = auto()
    WATCHERS = auto()
    WAITING = auto()
    UNSENT_BYTES = auto()
    LATE_US = auto()
    CPU_US = auto()
    RESIDENT_BYTES = auto()
    DESCRIPTORS = auto()
    LINES_DROPPED = auto()
    REPLAYED = auto()
    """Counted by the process that the region belongs to, since the first that had it."""
    WORKERS_REPLACED = auto()
    STARTED_US = auto()
    RECOVERY_US = auto()


class _Memory:
    """Hands out a region, piece by piece."""

    def __init__(self, memory: mmap, begin: int) -> None:
        self._memory = memoryview(memory)
        self._end = begin

    def take(self, size: int) -> memoryview:
        """Return the next bytes."""
        begin, self._end = self._end, self._end + size
        return self._memory[begin : self._end]


class SharedNames(dict[str, int]):
    """Counts by name, kept in memory that others see as well."""

    def __init__(self, memory: memoryview) -> None:
        """Go on from what is there."""
        self._memory = memory
        self._numbers = memory.cast("q")
        self._entries: dict[str, int] = {}
        super().__init__()
        for name, count in self.seen().items():
            self._entries[name] = len(self._entries)
            super().__setitem__(name, count)

    def __missing__(self, name: str) -> int:
        return 0

    def __setitem__(self, name: str, count: int) -> None:
        entry = self._entries.get(name)
        if entry is None:
            if len(self._entries) >= _NAMES_MAX - 1 and name != _OTHER:
                self[_OTHER] += count
                return
            entry = self._entries[name] = len(self._entries)
            self._count(entry, count)
            begin = entry * _ENTRY_BYTES
            written = name.encode("utf-8")[:_NAME_BYTES]
            self._memory[begin : begin + len(written)] = written
        else:
            self._count(entry, count)
        super().__setitem__(name, count)

    def __ior__(self, other: Mapping[str, int]) -> Self:  # type: ignore[override,misc]
        """Show these names from now on, with what was counted by them before."""
        for name, count in other.items():
            self[name] += count
        return self

    def seen(self) -> dict[str, int]:
        """Return what is in memory, whoever wrote it."""
        found = {}
        for entry in range(_NAMES_MAX):
            begin = entry * _ENTRY_BYTES
            name = bytes(self._memory[begin : begin + _NAME_BYTES]).rstrip(b"\0")
            if not name:
                break
            found[name.decode("utf-8", "replace")] = self._numbers[(begin + _NAME_BYTES) // 8]
        return found

    def _count(self, entry: int, count: int) -> None:
        self._numbers[(entry * _ENTRY_BYTES + _NAME_BYTES) // 8] = count


class _SharedHistogram(Histogram):
    """A histogram kept in memory that others see as well."""

    def __init__(self, bounds: tuple[float, ...], memory: _Memory) -> None:
        """Go on from what is there."""
        self._sum = memory.take(8).cast("d")
        super().__init__(bounds)
        self.counts = cast("list[int]", memory.take(8 * (len(bounds) + 1)).cast("q"))

    @property
    def total(self) -> float:
        return self._sum[0]

    @total.setter
    def total(self, value: float) -> None:
        if value:  # The 0 of a histogram that is new.
            self._sum[0] = value


class Region:
    """The numbers of one process: what it is like now, and what it counts."""

    def __init__(self, memory: mmap, begin: int) -> None:
        """Take `size()` bytes of a memory that was all 0 at first; `begin` is a multiple of 8."""
        pieces = _Memory(memory, begin)
        self.live = pieces.take(8 * len(Live)).cast("q")
        self.metrics = Metrics(
            answers=cast("list[int]", pieces.take(8 * STATUSES_MAX).cast("q")),
            commit_seconds=_SharedHistogram(SECONDS_BOUNDS, pieces),
            group_commands=_SharedHistogram(COUNT_BOUNDS, pieces),
            taken=SharedNames(pieces.take(_NAMES_MAX * _ENTRY_BYTES)),
            declined=SharedNames(pieces.take(_NAMES_MAX * _ENTRY_BYTES)),
            turned_away=SharedNames(pieces.take(_NAMES_MAX * _ENTRY_BYTES)),
            connections=SharedNames(pieces.take(_NAMES_MAX * _ENTRY_BYTES)),
        )
        """To be counted in by the process that the region belongs to alone."""

    @staticmethod
    def size() -> int:
        """Return how many bytes a region takes."""
        histograms = sum(1 + len(bounds) + 1 for bounds in (SECONDS_BOUNDS, COUNT_BOUNDS))
        return 8 * (len(Live) + STATUSES_MAX + histograms) + 4 * _NAMES_MAX * _ENTRY_BYTES


def total(regions: Sequence[Region], recovery_seconds: float, started_s: float) -> Metrics:
    """Return what all processes counted."""
    counted = Metrics(recovery_seconds=recovery_seconds, started_s=started_s)
    each = [region.metrics for region in regions]
    counted.watchers = sum(region.live[Live.WATCHERS] for region in regions)
    counted.replayed = sum(region.live[Live.REPLAYED] for region in regions)
    counted.answers = [sum(counts) for counts in zip(*(one.answers for one in each), strict=True)]
    for name in ("taken", "declined", "turned_away", "connections"):
        counts: dict[str, int] = getattr(counted, name)
        for one, many in chain.from_iterable(getattr(metrics, name).seen().items() for metrics in each):
            counts[one] = counts.get(one, 0) + many
    for name in ("commit_seconds", "group_commands"):
        histogram: Histogram = getattr(counted, name)
        parts: list[Histogram] = [getattr(metrics, name) for metrics in each]
        histogram.counts = [sum(counts) for counts in zip(*(part.counts for part in parts), strict=True)]
        histogram.total = sum(part.total for part in parts)
    return counted
