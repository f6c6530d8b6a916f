"""What all processes of a service share in memory, and what it amounts to.

    board | numbers of worker 0 | numbers of worker 1 | ... | numbers of the writer

`/metrics` is one for the service, whichever process is asked.
"""

from collections.abc import Sequence
from mmap import mmap
from typing import Final, Generic

from pexservice.config import Settings
from pexservice.core.budget import Budget
from pexservice.core.machine import C, Machine, S
from pexservice.errors import NotApplied, Recovering
from pexservice.limits import Limits
from pexservice.process.counts import Live, Region, total
from pexservice.process.exposition import State
from pexservice.process.usage import Usage, share_bytes, usage
from pexservice.stores.shared.board import Board

_SHARE_BEATS: Final = 8
"""How often the share of memory is looked at: it takes some 2 ms."""


class Together(Generic[S, C]):
    """The memory, as one process sees it. To be made before there are others."""

    def __init__(self, machine: Machine[S, C], settings: Settings) -> None:
        board_bytes = -(-Board.size(settings.limits) // 8) * 8
        memory = mmap(-1, board_bytes + (settings.workers + 1) * Region.size())
        begins = [board_bytes + index * Region.size() for index in range(settings.workers + 1)]
        *self.workers, self.writer = (Region(memory, begin) for begin in begins)
        self._begins = begins
        self._machine = machine
        self._memory = memory
        self._settings = settings

    def take(self, number: int) -> Region:
        """Return the numbers of a worker, to go on from what those before it counted."""
        self.workers[number] = Region(self._memory, self._begins[number])
        return self.workers[number]

    def board(self, reasons: Sequence[type[NotApplied]]) -> Board[S, C]:
        """Return the board; `reasons` are all that the store may have to be unready."""
        return Board(self._machine, self._memory, self._settings.limits, reasons)

    def serving(self) -> int:
        """Return how many workers there are."""
        return sum(1 for region in self.workers if region.live[Live.PID])

    def state(self, board: Board[S, C], unready: NotApplied | None) -> State:
        """Return what the service is like now."""
        is_open = not isinstance(board.unready, Recovering)
        place = board.place if is_open else None
        live = self.writer.live
        regions = [*self.workers, self.writer]
        return State(
            place=place,
            machine=self._machine.measures(place.state) if place else (),
            store=board.status if is_open else None,
            unready=unready,
            waiting=_sum(self.workers, Live.WAITING),
            connections=_sum(self.workers, Live.CONNECTIONS),
            unsent_bytes=_sum(self.workers, Live.UNSENT_BYTES),
            # All wait for the writer, so it counts in full. Of workers, the largest would hide what others come to
            # after it: these only grow.
            late_s=(live[Live.LATE_US] + _sum(self.workers, Live.LATE_US) / len(self.workers)) / 1e6,
            limits=self._settings.limits,
            metrics=total(regions, live[Live.RECOVERY_US] / 1e6, live[Live.STARTED_US] / 1e6),
            usage=Usage(
                _sum(regions, Live.CPU_US) / 1e6,
                _sum(regions, Live.RESIDENT_BYTES),
                _sum(regions, Live.DESCRIPTORS),
                _sum(regions, Live.LINES_DROPPED),
            ),
            workers_replaced=live[Live.WORKERS_REPLACED],
            workers={
                number: region.live[Live.CONNECTIONS]
                for number, region in enumerate(self.workers)
                if region.live[Live.PID]
            },
        )


class Heartbeat:
    """Shows that a process goes on, and what it uses: on top of what those used that had its numbers before."""

    def __init__(self, region: Region) -> None:
        self._live = region.live
        self._before = {each: region.live[each] for each in (Live.CPU_US, Live.LATE_US, Live.LINES_DROPPED)}
        self._beats = 0

    def beat(self, late_s: float) -> None:
        """Show it, as of now. `late_s` is `Clock.late_s` of the process."""
        used, live, before = usage(), self._live, self._before
        live[Live.CPU_US] = before[Live.CPU_US] + int(used.cpu_s * 1e6)
        live[Live.LATE_US] = before[Live.LATE_US] + int(late_s * 1e6)
        live[Live.LINES_DROPPED] = before[Live.LINES_DROPPED] + used.lines_dropped
        live[Live.DESCRIPTORS] = used.descriptors
        if self._beats % _SHARE_BEATS == 0:
            live[Live.RESIDENT_BYTES] = share_bytes()
        self._beats += 1
        live[Live.BEATS] += 1


class Silence:
    """How long another process has not shown that it goes on, by its heartbeat.

    It is counted in looks, not in seconds, so a service that was suspended as a whole finds nobody late.
    """

    def __init__(self, live: memoryview) -> None:
        """Begin now; `live` are the numbers of the other, as of `Region.live`."""
        self._live = live
        self._beats = live[Live.BEATS]
        self.missed = 0
        """How many looks ago there was a beat."""

    def look(self) -> int:
        """Look again, once a period; return `missed`."""
        beats = self._live[Live.BEATS]
        self.missed = 0 if beats != self._beats else self.missed + 1
        self._beats = beats
        return self.missed


class SharedBudget(Budget):
    """A budget of which other processes take, too: as much is left here as they leave, as of the last `look`."""

    def __init__(self, bytes_max: int, own: Region, regions: Sequence[Region]) -> None:
        super().__init__(bytes_max)
        self._all_bytes_max = bytes_max
        self._own = own.live
        self._others = [region.live for region in regions if region is not own]

    def take(self, more_bytes: int) -> None:
        """As `Budget.take`."""
        super().take(more_bytes)
        self._own[Live.UNSENT_BYTES] = self.taken_bytes

    def look(self) -> None:
        """Look how much the others took."""
        self.bytes_max = self._all_bytes_max - sum(live[Live.UNSENT_BYTES] for live in self._others)


class SharedOccupancy:
    """As `joint.Occupancy`."""

    def __init__(self, own: Region, regions: Sequence[Region], limits: Limits) -> None:
        self._own = own.live
        self._all = [region.live for region in regions]
        self._limits = limits

    def count(self, connections: int) -> None:
        """As `Occupancy.count`."""
        self._own[Live.CONNECTIONS] = connections

    def connections(self) -> int:
        """As `Occupancy.connections`."""
        return sum(live[Live.CONNECTIONS] for live in self._all)

    def pause_s(self) -> float:
        """As `Occupancy.pause_s`: a moment, if there are a quarter more here than where there are fewest."""
        fewest = min(
            (live[Live.CONNECTIONS] for live in self._all if live[Live.PID]), default=self._own[Live.CONNECTIONS]
        )
        limits = self._limits
        is_crowded = self._own[Live.CONNECTIONS] > fewest * limits.crowded_share + limits.crowded_more
        return limits.crowded_pause_s if is_crowded else 0.0


def _sum(regions: Sequence[Region], what: Live) -> int:
    return sum(region.live[what] for region in regions)
