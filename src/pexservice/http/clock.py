"""The time as of the last sweep: one reading a second serves every deadline and every answer."""

import time
from email.utils import formatdate

from pexservice.limits import DEFAULT, Limits


class Clock:
    """What the time was when it last ticked."""

    def __init__(self, limits: Limits = DEFAULT) -> None:
        self.now_s = 0.0
        """Seconds that the service was running, for deadlines. While it was suspended, no client was late."""
        self.date = ""
        """Wall clock, for the Date field (RFC 9110, 6.6.1)."""
        self.late_s = 0.0
        """By how much sweeps came late, in all: while the event loop was busy, or the process suspended."""
        self._limits = limits
        self._ticked_s = time.monotonic()
        self.tick()

    def tick(self) -> None:
        """Read the clocks."""
        ticked_s = time.monotonic()
        passed_s = ticked_s - self._ticked_s
        self.now_s += min(passed_s, self._limits.tick_s_max)
        self.late_s += max(0.0, passed_s - self._limits.sweep_period_s)
        self._ticked_s = ticked_s
        self.date = formatdate(usegmt=True)
