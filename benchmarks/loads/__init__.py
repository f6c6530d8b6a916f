"""Which loads there are.

`/next` walks up, and with it answers grow: after some seconds they are kilobytes, while the original's values wrap and
stay short. So comparisons use loads under which the walk stays where it is: `ab` ends at position 10,000 for every peer
and is as the original's README has it; `wrk` puts one /reset in a hundred requests; /previous at position 0 answers the
same bytes for ever, as the floor does. Every load starts on a fresh service.
"""

from dataclasses import dataclass
from typing import Final

from benchmarks.loads.tools import ONE_RESET_IN_100, UP_AND_DOWN, Ab, Paced, Tool, Wrk
from benchmarks.peers.catalogue import BEFORE, DURABLE_GO, FLOOR, FSYNC, INTERVAL, NGINX, ORIGINAL, REDIS, TITLES

EVERY: Final = tuple(TITLES)
PEX: Final = (FSYNC, INTERVAL, BEFORE)
CURVES: Final = (FSYNC, INTERVAL, ORIGINAL, DURABLE_GO, REDIS, FLOOR)
"""Those whose curves against connections are drawn."""
_SMALL: Final = (FSYNC, INTERVAL, ORIGINAL, FLOOR)
_CLASSIC: Final = (FSYNC, INTERVAL, ORIGINAL, REDIS, FLOOR)

CONNECTIONS: Final = (1, 10, 64, 256)
_MAIN_CONNECTIONS: Final = 64
"""Those of the targets."""
_WITH_CONNECTIONS: Final = {10: (*CURVES, BEFORE), _MAIN_CONNECTIONS: EVERY}
"""Whom a target or the first picture needs besides."""
POSITIONS: Final = (10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000)
_POSITION_CONNECTIONS: Final = 16
"""At position 10,000,000 answers of 2 MB each: within the 128 MiB that may wait unsent."""


@dataclass(frozen=True, slots=True)
class Load:
    """One load, and who gets it."""

    name: str
    title: str
    tool: Tool
    peers: tuple[str, ...]
    is_stepping: bool = True
    """Whether each answer must have advanced the sequence by one."""
    position: int = 0
    """Where the walk stands before it; above 0 only pexservice can start there."""
    half_rate_of: str = ""
    """The load, earlier in the same round, whose rate is halved for this one."""
    on_one_core: tuple[str, ...] = ()
    """Who gets it in the second set-up, too."""
    is_quick: bool = True
    """Whether a quick run has it."""


def keep_alive(connections: int) -> str:
    """Return the name of the load with so many connections kept alive."""
    return f"next-{connections}"


def at_position(position: int) -> str:
    """Return the name of the load at a position."""
    return f"position-{position}"


AB_10: Final = "ab-10"
AB_64: Final = "ab-64"
AB_KEEP_ALIVE: Final = "ab-keep-alive"
MAIN: Final = keep_alive(_MAIN_CONNECTIONS)
SINGLE: Final = keep_alive(1)
FEW: Final = keep_alive(10)
BUSY: Final = keep_alive(256)
PIPELINED: Final = "pipelined"
CONSTANT: Final = "previous"
CURRENT: Final = "current"
HOME: Final = "home"
MINIMAL_LOW: Final = "minimal-10"
MINIMAL_HIGH: Final = "minimal-1000000"
HALF_RATE: Final = "half-rate"


def _minimal(name: str, position: int) -> Load:
    tool = Wrk(64, UP_AND_DOWN, method="POST", prefer="return=minimal")
    return Load(name, f"`POST`, `Prefer: return=minimal`, at position {position:,}", tool, (FSYNC,), position=position)


LOADS: Final = (
    Load(AB_10, "`ab -l -c 10` on `/next`, a connection each", Ab(10), (*_SMALL, BEFORE, NGINX), on_one_core=_SMALL),
    Load(AB_64, "`ab -l -c 64` on `/next`, a connection each", Ab(64), (*_SMALL, NGINX)),
    Load(AB_KEEP_ALIVE, "`ab -l -k -c 64` on `/next`", Ab(64, keep_alive=True), _SMALL, is_quick=False),
    *(
        Load(
            keep_alive(connections),
            f"`wrk`, {connections} connection{'s' if connections > 1 else ''} kept alive, on `/next`",
            Wrk(connections),
            _WITH_CONNECTIONS.get(connections, CURVES),
            on_one_core=CURVES if connections == _MAIN_CONNECTIONS else (),
        )
        for connections in CONNECTIONS
    ),
    Load(PIPELINED, "`wrk`, 64 connections, 16 requests in one go, on `/next`", Wrk(64, ONE_RESET_IN_100, 16), _SMALL),
    Load(CONSTANT, "`wrk`, 64 connections, on `/previous` at position 0", Wrk(64, ("/previous:1",)), _SMALL),
    Load(CURRENT, "`wrk`, 64 connections, on `/current`", Wrk(64, ("/current:1",)), _CLASSIC, is_stepping=False),
    Load(HOME, "`wrk`, 64 connections, on `/`", Wrk(64, ("/:1",)), (FSYNC, ORIGINAL, FLOOR), is_stepping=False),
    _minimal(MINIMAL_LOW, 10),
    _minimal(MINIMAL_HIGH, 1_000_000),
    Load(
        HALF_RATE,
        "a fixed rate, half of what `wrk` reached with 64 connections, on `/next`",
        Paced(64),
        _CLASSIC,
        half_rate_of=MAIN,
    ),
    *(
        Load(
            at_position(position),
            f"`wrk`, 16 connections, `/next` and `/previous` in turn, at position {position:,}",
            Wrk(_POSITION_CONNECTIONS, UP_AND_DOWN),
            (FSYNC,),
            position=position,
            is_quick=position in {10, 1_000, 1_000_000},
        )
        for position in POSITIONS
    ),
)
