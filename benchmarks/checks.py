"""Did each load do what it says? Set up before it, judged after it.

A step that was answered was taken once. `ab` and `paced` wait for every answer, so the sequence must have advanced by
exactly the answers with 2xx; `wrk` leaves up to one batch for each connection under way, which may have been taken or
not.
"""

import time
from typing import Final

from benchmarks.asking import ask, place
from benchmarks.figures import Outcome
from benchmarks.loads import Load
from benchmarks.peers import Peer
from pexservice.core.judging import Place

_WARM_UP_STEPS: Final = 20
"""So that no load pays for imports and first allocations; few, since they are counted among the groups."""
_READ_AT: Final = 30
"""Where reads stand: F(30) = 832040, as the constant answers of the peers that store nothing."""
_SETTLE_S: Final = 0.1
"""For the requests that a load left behind; they take one sync."""


def prepare(port: int, peer: Peer, load: Load) -> Place[int] | None:
    """Warm a peer up, put its walk where the load wants it, and return that place, if it tells. Raises OSError."""
    ask(port, "/current")
    if not load.position:
        for _ in range(_WARM_UP_STEPS):
            ask(port, "/next")
        ask(port, "/reset")
        if not load.is_stepping:
            for _ in range(_READ_AT):
                ask(port, "/next")
    return place(port) if peer.tells_place else None


def judge(load: Load, before: Place[int] | None, after: Place[int] | None, outcome: Outcome) -> str:
    """Return what is wrong with the sequence after a load, nothing if it is right.

    Raises ValueError if nothing was answered.
    """
    if outcome.answers == 0:
        raise ValueError(f"nothing was answered, {outcome.errors} errors")
    if before is None or after is None:
        return ""
    advanced = after.sequence - before.sequence
    least = outcome.answers if load.is_stepping else 0
    # An error may have been a step whose answer was lost.
    most = least + (load.tool.in_flight_max + outcome.errors if load.is_stepping else 0)
    if least <= advanced <= most:
        return ""
    return f"{outcome.answers} answers, but the sequence advanced by {advanced}"


def settle(port: int, peer: Peer) -> Place[int] | None:
    """Wait for the requests that a load left behind, and return the place then, if the peer tells. Raises OSError."""
    time.sleep(_SETTLE_S)
    return place(port) if peer.tells_place else None
