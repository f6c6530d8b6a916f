"""How the service is, in the words of sd_notify(3).

A report at all shows that the event loop turns. While a group is at the store, the service is healthy however long the
disk takes: a restart makes no disk faster, and would only lose the queue. But when commands wait from one report to the
next and no group is at the store, nothing will ever take them, and only a restart helps. So it does where a worker is
silent that cannot be replaced. In these two cases alone the watchdog is not fed. Every report is complete, so the next
makes up for one that is lost.
"""

import time
from collections.abc import Callable
from math import inf
from typing import Any, Protocol

import structlog

from pexservice.core.judging import Place
from pexservice.core.machine import Machine
from pexservice.errors import NotApplied, Recovering
from pexservice.process.beginning import in_a_line

log = structlog.get_logger()


class Reported(Protocol):
    """What reports are about: an engine, or a writer that has several."""

    machine: Machine[Any, Any]

    @property
    def unready(self) -> NotApplied | None:
        """Why commands are turned away just now, if they are."""
        ...

    @property
    def place(self) -> Place[Any]:
        """The durable place."""
        ...

    @property
    def waiting(self) -> int:
        """How many commands are not yet durable."""
        ...

    @property
    def is_stalled(self) -> bool:
        """Whether commands wait and nobody works on them."""
        ...


class Crewed(Protocol):
    """The workers of a service that has some."""

    @property
    def is_silent(self) -> bool:
        """Whether one is, for longer than it takes to replace it."""
        ...

    def describe(self) -> str:
        """Tell how many serve."""
        ...


class Reports:
    """Makes the reports on one service."""

    def __init__(
        self, engine: Reported, is_draining: Callable[[], bool], start_patience_s: float, crew: Crewed | None = None
    ) -> None:
        self._start_patience_s = start_patience_s
        self._engine = engine
        self._is_draining = is_draining
        self._crew = crew
        self._stalled_at: int | None = None
        self._told: tuple[int, float] | None = None

    def report(self) -> list[str]:
        """Return the assignments that tell the state as of now."""
        if self._is_draining():
            return ["STOPPING=1", "STATUS=Answering what was accepted.", "WATCHDOG=1"]
        if isinstance(self._engine.unready, Recovering):
            return ["STATUS=Reading the journal.", f"EXTEND_TIMEOUT_USEC={int(self._start_patience_s * 10**6)}"]
        return ["READY=1", f"STATUS={self._status()}", *(["WATCHDOG=1"] if self._is_going_on() else [])]

    def _status(self) -> str:
        place, unready = self._engine.place, self._engine.unready
        now_s = time.monotonic()
        sequence, told_s = self._told or (place.sequence, -inf)  # The first report has none before it.
        self._told = place.sequence, now_s
        rate = (place.sequence - sequence) / (now_s - told_s)
        state = in_a_line(self._engine.machine.describe(place.state))
        text = f"Sequence {place.sequence}, {state}, {rate:.0f} steps/s"
        if self._crew is not None:
            text = f"{text}, {self._crew.describe()}"
        return f"{text}; commands are turned away: {unready.code}." if unready else f"{text}."

    def _is_going_on(self) -> bool:
        if self._crew is not None and self._crew.is_silent:
            log.critical("a worker is silent and cannot be replaced; a watchdog would restart")
            return False
        was_stalled_at, self._stalled_at = self._stalled_at, None
        if self._engine.is_stalled:
            self._stalled_at = self._engine.place.sequence
            if self._stalled_at == was_stalled_at:
                log.critical(
                    "commands wait and no group is at the store; a watchdog would restart", waiting=self._engine.waiting
                )
                return False
        return True
