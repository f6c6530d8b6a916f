"""How a journal is to be kept."""

from dataclasses import dataclass
from math import inf
from typing import Final

from pexservice.limits import Limits
from pexservice.stores.journal.ring import Shape

IN_FLIGHT_MAX: Final = 4
"""Groups under way at once (docs/speed.md). More answer few clients sooner, and each costs what a group costs."""
ROWS_IN_FLIGHT_MAX: Final = 16
"""Rows under way at once, where a group takes several. Each is one write or two, of the 64 that `disk.syncer` has."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a journal is to be kept."""

    limits: Limits
    is_interval: bool = False
    """Answer once a row is written, and sync now and again."""
    sync_interval_s: float = 1.0
    shape: Shape | None = None
    """Of the ring, if not the one that suits the disk."""

    @property
    def chores_period_s(self) -> float:
        """How long what is to be done now and again may wait."""
        return min(self.limits.heal_period_s, self.sync_interval_s if self.is_interval else inf)
