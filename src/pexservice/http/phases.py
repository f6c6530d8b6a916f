"""The life of a connection, as one table. No sockets.

A connection is in one phase at a time. What happens to it is an event, and the table says which phase comes next: what
it does not list cannot happen, and is a defect of ours, not of the client. Three questions shape the phases: does the
client wait for an answer, may it ask for more, and may it still be sending? The last decides how a connection ends: to
close a socket with bytes unread resets it, and might destroy the answer on its way (RFC 9112, 9.6).

Two things are no phases, since they are independent of all of this: that a client does not take its answers
(`Transport.is_clogged`), and that the whole server is about to stop (`Shared.draining`).
"""

from enum import Enum
from math import inf
from typing import Final

from pexservice.limits import Limits


class Phase(Enum):
    """Where a connection is in its life, in the order in which phases follow each other."""

    __hash__ = object.__hash__  # PERF: 17 ns; Enum's own is interpreted, 70 ns, and each command takes four.

    NEW = "new"
    """Nothing has come yet, or nothing but empty lines."""
    IDLE = "idle"
    """All that was asked is answered, and nothing more has come."""
    READING = "reading"
    """A part of a request has come, and the client waits for nothing before it."""
    WAITING = "waiting"
    """Requests are under way, and more may come."""
    LAST = "last"
    """Requests are under way, and the client said that there are no more. What comes now overruns."""
    CUT = "cut"
    """Requests are under way, and what the client may still be sending is discarded."""
    HALF = "half"
    """Requests are under way, and the client has closed its half."""
    STREAMING = "streaming"
    """The client is told what happens until one of the two has enough. Nothing that it asks behind that is taken."""
    LINGERING = "lingering"
    """All is answered and our half is closed. What the client was still sending is discarded until it hears of that."""
    CLOSING = "closing"
    """Nothing more is read; closed as soon as what was written is sent."""
    CLOSED = "closed"
    """Nothing more happens."""


class Event(Enum):
    """What happens to a connection."""

    __hash__ = object.__hash__  # PERF: as above.

    EMPTY = "empty"
    """Bytes came that are no part of a request: empty lines before one are ignored (RFC 9112, 2.2)."""
    PART = "part"
    """Bytes came that do not complete a request."""
    ASKED = "asked"
    """A request is complete, and may be followed by another."""
    ASKED_LAST = "asked last"
    """A request is complete that says that it is the last, with nothing behind it."""
    OVERRAN = "overran"
    """More came than is taken: bytes behind the last request, or what is no request."""
    BEGAN = "began"
    """Of what was under way, the last is an answer without an end, and that has begun."""
    ANSWERED = "answered"
    """Of what was under way, the last is answered."""
    ENDED = "ended"
    """The client closed its half."""
    STOPPED = "stopped"
    """The server takes nothing new from this client: it stops, or needs the connection for another."""
    TIMED_OUT = "timed out"
    """The deadline of the phase has passed."""
    LOST = "lost"
    """The socket is closed, by whichever side."""


UNDER_WAY: Final = frozenset({Phase.WAITING, Phase.LAST, Phase.CUT, Phase.HALF})
"""The client waits for an answer."""
OPEN_ENDED: Final = UNDER_WAY | {Phase.STREAMING}
"""The client is not late, however long it sends nothing."""
AT_REST: Final = frozenset({Phase.NEW, Phase.IDLE})
"""The client waits for nothing and is in the middle of nothing."""
DISCARDING: Final = frozenset({Phase.LAST, Phase.CUT, Phase.STREAMING, Phase.LINGERING})
"""What comes is not carried out."""
UNREAD: Final = frozenset({Phase.HALF, Phase.CLOSING, Phase.CLOSED})
"""Nothing is received."""


def patience_s(phase: Phase, limits: Limits) -> float:
    """Return how long a connection may be in a phase without traffic."""
    if phase is Phase.IDLE:
        return limits.keep_alive_s
    if phase is Phase.LINGERING:
        return limits.linger_s
    return inf if phase in OPEN_ENDED else limits.request_timeout_s


LIFE: Final[dict[Phase, dict[Event, Phase]]] = {
    Phase.NEW: {
        Event.EMPTY: Phase.NEW,
        Event.PART: Phase.READING,
        Event.ASKED: Phase.WAITING,
        Event.ASKED_LAST: Phase.LAST,
        Event.OVERRAN: Phase.CUT,
        Event.ENDED: Phase.CLOSING,
        Event.STOPPED: Phase.CLOSING,
        Event.TIMED_OUT: Phase.CLOSING,
        Event.LOST: Phase.CLOSED,
    },
    Phase.IDLE: {
        Event.EMPTY: Phase.IDLE,
        Event.PART: Phase.READING,
        Event.ASKED: Phase.WAITING,
        Event.ASKED_LAST: Phase.LAST,
        Event.OVERRAN: Phase.CUT,
        Event.ENDED: Phase.CLOSING,
        Event.STOPPED: Phase.CLOSING,
        Event.TIMED_OUT: Phase.CLOSING,
        Event.LOST: Phase.CLOSED,
    },
    Phase.READING: {
        Event.PART: Phase.READING,
        Event.ASKED: Phase.WAITING,
        Event.ASKED_LAST: Phase.LAST,
        Event.OVERRAN: Phase.CUT,
        Event.ENDED: Phase.CLOSING,
        Event.STOPPED: Phase.READING,  # It was on its way before, and its answer will say close.
        Event.TIMED_OUT: Phase.CUT,  # 408
        Event.LOST: Phase.CLOSED,
    },
    Phase.WAITING: {
        Event.EMPTY: Phase.WAITING,
        Event.PART: Phase.WAITING,
        Event.ASKED: Phase.WAITING,
        Event.ASKED_LAST: Phase.LAST,
        Event.OVERRAN: Phase.CUT,
        Event.BEGAN: Phase.STREAMING,
        Event.ANSWERED: Phase.IDLE,
        Event.ENDED: Phase.HALF,
        Event.STOPPED: Phase.CUT,
        Event.LOST: Phase.CLOSED,
    },
    Phase.LAST: {
        Event.OVERRAN: Phase.CUT,
        Event.BEGAN: Phase.STREAMING,
        Event.ANSWERED: Phase.CLOSING,
        Event.ENDED: Phase.HALF,
        Event.STOPPED: Phase.LAST,
        Event.LOST: Phase.CLOSED,
    },
    Phase.CUT: {
        Event.EMPTY: Phase.CUT,  # This and what follows: received before the cut, and read only now.
        Event.PART: Phase.CUT,
        Event.ASKED: Phase.CUT,
        Event.ASKED_LAST: Phase.CUT,
        Event.OVERRAN: Phase.CUT,
        Event.ANSWERED: Phase.LINGERING,
        Event.ENDED: Phase.HALF,
        Event.STOPPED: Phase.CUT,
        Event.LOST: Phase.CLOSED,
    },
    Phase.HALF: {  # It was read from, so nothing that it sent before waits to be carried out.
        Event.ANSWERED: Phase.CLOSING,
        Event.STOPPED: Phase.HALF,
        Event.LOST: Phase.CLOSED,
    },
    Phase.STREAMING: {
        Event.OVERRAN: Phase.STREAMING,
        Event.ENDED: Phase.CLOSING,  # Who watches and sends no more has gone, or cannot be told from who has.
        Event.STOPPED: Phase.LINGERING,
        Event.LOST: Phase.CLOSED,
    },
    Phase.LINGERING: {
        Event.OVERRAN: Phase.LINGERING,
        Event.ENDED: Phase.CLOSING,
        Event.STOPPED: Phase.LINGERING,
        Event.TIMED_OUT: Phase.CLOSING,
        Event.LOST: Phase.CLOSED,
    },
    Phase.CLOSING: {
        Event.STOPPED: Phase.CLOSING,
        Event.LOST: Phase.CLOSED,
    },
}
"""The phase that follows, by phase and event."""


class _Column(dict[Phase, Phase]):
    def __init__(self, event: Event) -> None:
        super().__init__({phase: row[event] for phase, row in LIFE.items() if event in row})
        self._event = event

    def __missing__(self, phase: Phase) -> Phase:
        raise AssertionError(f"a connection that is {phase.value} cannot meet {self._event.value}")


ON: Final = {event: _Column(event) for event in Event}
"""The same by event, then phase: `phase = ON[event][phase]`. Raises AssertionError for what cannot be."""
