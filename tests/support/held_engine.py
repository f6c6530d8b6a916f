"""An engine whose commands are answered when the test says so, always from the same place."""

from typing import Any, cast

from pexservice.core.caller import Asked, Caller, Reader, resume
from pexservice.core.engine import Engine
from pexservice.core.judging import Place
from pexservice.errors import NotApplied
from pexservice.http.access import Access
from pexservice.http.clock import Clock
from pexservice.http.endpoint import Endpoint
from pexservice.http.resource import Site
from pexservice.http.text import probes
from pexservice.limits import DEFAULT
from pexservice.walk.endpoints import endpoints
from pexservice.walk.machine import WALK


class HeldEngine:
    """As `Engine`, as far as a connection and its endpoints know it."""

    machine = WALK

    def __init__(self, place: Place[int]) -> None:
        self.place = place
        self.unready: NotApplied | None = None
        self.labels = {"durability": "fsync"}
        self.asked: list[tuple[Asked[int, Any], Caller[Any]]] = []
        self.is_remote = False
        self.looking: list[tuple[Any, Reader[Any]]] = []
        """Who asked for the place of now, of a store that is far away."""

    @property
    def as_engine(self) -> Engine[int, Any]:
        """Itself, as those take it who want the real one."""
        return cast("Engine[int, Any]", self)

    def check_room(self) -> None:
        """Find room for any answer."""

    def look(self, asked: object, reader: Reader[Any]) -> bool:
        """Have the place at once, or, where it is far away, when the test says so."""
        if self.is_remote:
            self.looking.append((asked, reader))
        return self.is_remote

    def submit(self, asked: Asked[int, Any], caller: Caller[Any]) -> None:
        """Keep the command until it is answered."""
        self.asked.append((asked, caller))

    def answer(self) -> None:
        """Answer the oldest."""
        asked, caller = self.asked.pop(0)
        caller.deliver(asked, asked.render(self.place.sequence, self.place.state))

    def show(self, error: NotApplied | None = None) -> None:
        """Let the oldest read go on, or turn it away."""
        resume(*self.looking.pop(0), error)

    def turn_away(self, error: NotApplied) -> None:
        """Turn the oldest away."""
        asked, caller = self.asked.pop(0)
        caller.turn_away(asked, error)

    def table(self, clock: Clock) -> list[Endpoint]:
        """Return the endpoints of the walk and the probes."""
        site = Site(self.as_engine, Access(()), clock, DEFAULT)
        return endpoints(site, probes(clock, lambda: None, lambda: ""))
