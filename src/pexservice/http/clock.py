"""The time as of the last sweep: one reading a second serves every deadline and every answer."""

import time
from typing import Final

from pexservice.limits import DEFAULT, Limits

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


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
        self.date = http_date(time.time())


def http_date(since_epoch_s: float) -> str:
    """Return a time as HTTP writes it, to the second (RFC 9110, 5.6.7).

    PERF: `email.utils.formatdate` costs a start 3 ms of imports; `time.strftime` goes by the locale.
    """
    at = time.gmtime(since_epoch_s)
    day, month = _DAYS[at.tm_wday], _MONTHS[at.tm_mon - 1]
    return f"{day}, {at.tm_mday:02} {month} {at.tm_year:04} {at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02} GMT"
