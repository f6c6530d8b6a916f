"""The phases of a connection: the table, the connection that goes by it, and the diagram of it in the docs."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from math import inf
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pexservice.errors import QueueFull
from pexservice.http import connection
from pexservice.http.phases import AT_REST, DISCARDING, LIFE, ON, UNDER_WAY, UNREAD, Event, Phase, patience_s
from pexservice.http.request import parse_head
from pexservice.limits import DEFAULT
from support.client import message
from support.messages import NEXT
from support.wire import Wire

DOCS = Path(__file__).parents[3] / "docs"
READ = message("GET", "/livez")
WATCH = message("GET", "/watch")
LAST = message("GET", "/next", "Connection: close")
EXPECTING = message("POST", "/next", "Expect: 100-continue", "Content-Length: 3")
PART = NEXT[:-2]
REST_OF = {Event.ASKED: b"\r\n", Event.ASKED_LAST: b"Connection: close\r\n\r\n", Event.OVERRAN: b"nothing\r\n\r\n"}
"""What completes the part of a request."""
WHOLE = {
    Event.EMPTY: b"\r\n",
    Event.PART: PART,
    Event.ASKED: NEXT,
    Event.ASKED_LAST: LAST,
    Event.OVERRAN: b"\0",
}
PAIRS = [(phase, event) for phase, row in LIFE.items() for event in row]
Seen = list[tuple[Phase, Event]]


def name(value: Phase | Event) -> str:
    return value.name


@contextmanager
def watched() -> Iterator[Seen]:
    """Yield what connections look up in the table."""
    seen: Seen = []

    class Column(dict[Phase, Phase]):
        def __init__(self, event: Event) -> None:
            super().__init__()
            self.event = event

        def __missing__(self, phase: Phase) -> Phase:  # It is empty.
            seen.append((phase, self.event))
            return ON[self.event][phase]

    on = {event: Column(event) for event in Event}
    with (
        patch.object(connection, "ON", on),
        patch.object(connection, "_ON_ASKED", on[Event.ASKED]),
        patch.object(connection, "_ON_ASKED_LAST", on[Event.ASKED_LAST]),
        patch.object(connection, "_ON_ANSWERED", on[Event.ANSWERED]),
    ):
        yield seen


def follow(seen: Seen) -> None:
    """Check that each phase is the one that the table gave."""
    for (before, met), (after, _) in pairwise(seen):
        assert LIFE[before][met] is after


def reach(wire: Wire, phase: Phase) -> None:
    """Bring a new connection into a phase."""
    ways = {
        Phase.NEW: [],
        Phase.IDLE: [lambda: wire.receive(NEXT), wire.held.answer],
        Phase.READING: [lambda: wire.receive(PART)],
        Phase.WAITING: [lambda: wire.receive(NEXT)],
        Phase.LAST: [lambda: wire.receive(LAST)],
        Phase.CUT: [lambda: wire.receive(NEXT), wire.connection.stop],
        Phase.HALF: [lambda: wire.receive(NEXT), wire.connection.on_end],
        Phase.STREAMING: [lambda: wire.receive(WATCH)],
        Phase.LINGERING: [lambda: wire.receive(WHOLE[Event.OVERRAN])],
        Phase.CLOSING: [lambda: wire.receive(LAST), wire.transport.clog, wire.held.answer],
    }
    for do in ways[phase]:
        do()
    assert wire.connection.phase is phase


def cause(wire: Wire, phase: Phase, event: Event) -> None:
    """Have an event happen to the connection."""
    if event is Event.BEGAN:  # It stood in the queue, behind what is answered now.
        wire.connection._queue.append(wire.shared.memo.action(parse_head(WATCH)))
        wire.held.answer()
    elif event is Event.ANSWERED:
        wire.held.answer()
    elif event is Event.ENDED:
        wire.connection.on_end()
    elif event is Event.STOPPED:
        wire.connection.stop()
    elif event is Event.LOST:
        wire.transport.lose()
    elif event is Event.TIMED_OUT:
        wire.pass_s(0)
        wire.pass_s(1000)
    else:
        wire.receive(REST_OF.get(event, b"X: y\r\n") if phase is Phase.READING else WHOLE[event])


@pytest.mark.parametrize(("phase", "event"), PAIRS, ids=name)
def test_a_connection_goes_by_the_table(phase: Phase, event: Event) -> None:
    """Every pair of the table can happen, and leads to where the table says."""
    wire = Wire()
    with watched() as seen:
        if phase is Phase.CUT and event in WHOLE:  # Received before the cut, behind more than is read ahead.
            wire.receive(NEXT + 3 * READ + WHOLE[event])
            wire.connection.stop()
            wire.held.answer()
            assert (phase, event) in seen
            assert (phase, Event.ANSWERED) not in seen[: seen.index((phase, event))]
        else:
            reach(wire, phase)
            seen.clear()
            cause(wire, phase, event)
            assert seen[0] == (phase, event)
    if len(seen) == 1:
        assert wire.connection.phase is LIFE[phase][event]
    follow(seen)


@pytest.mark.parametrize("phase", Phase, ids=name)
@pytest.mark.parametrize("event", Event, ids=name)
def test_what_the_table_does_not_list_is_a_defect(phase: Phase, event: Event) -> None:
    """An event that cannot be in a phase raises, and says which."""
    if event in LIFE.get(phase, {}):
        assert ON[event][phase] is LIFE[phase][event]
    else:
        with pytest.raises(AssertionError, match=f"{phase.value} cannot meet {event.value}"):
            ON[event][phase]


def test_every_phase_has_an_end() -> None:
    """From wherever a connection is, it can be lost, and nothing happens after that. A stop leaves none at rest."""
    assert {phase for phase in Phase if phase not in LIFE} == {Phase.CLOSED}
    assert all(row[Event.LOST] is Phase.CLOSED for row in LIFE.values())
    assert not {row[Event.STOPPED] for row in LIFE.values()} & AT_REST


def test_the_kinds_of_phases_agree_with_the_table() -> None:
    """Where it is under way it can be answered, where it discards more overruns, and where it is unread none can."""
    assert {phase for phase, row in LIFE.items() if Event.ANSWERED in row} == UNDER_WAY
    assert {phase for phase, row in LIFE.items() if row.get(Event.OVERRAN) in {Phase.CUT, phase}} >= DISCARDING
    assert {phase for phase in Phase if Event.OVERRAN not in LIFE.get(phase, {})} == UNREAD


def test_each_phase_has_its_patience() -> None:
    """A client that waits for an answer, or is told what happens, is never late; any other is in the end."""
    patience = {phase: patience_s(phase, DEFAULT) for phase in Phase}
    assert {phase for phase, seconds in patience.items() if seconds == inf} == {*UNDER_WAY, Phase.STREAMING}
    assert patience[Phase.IDLE] == DEFAULT.keep_alive_s
    assert patience[Phase.LINGERING] == DEFAULT.linger_s


PIECES = [
    *[NEXT, READ, WATCH, LAST, PART, EXPECTING, b"abc", b"\r\n", b"\r", b"\0"],
    *[6 * NEXT, 5 * (NEXT + READ), NEXT + EXPECTING, NEXT + WATCH + NEXT],
]
DEEDS = ["answer", "refuse", "end", "stop", "time", "clog", "drain", "lose", "abort"]


def do(wire: Wire, deed: str | bytes) -> None:
    """Do what client, engine or server may do just now, if it may."""
    transport, held = wire.transport, wire.held
    if isinstance(deed, bytes):
        if transport.is_reading:
            wire.receive(deed)
        return
    may, act = {
        "answer": (held.asked, held.answer),
        "refuse": (held.asked, lambda: held.turn_away(QueueFull())),
        "end": (transport.is_reading, wire.connection.on_end),
        "stop": (not transport.is_closed, wire.connection.stop),
        "time": (not transport.is_closed, lambda: wire.pass_s(5)),
        "clog": (True, transport.clog),
        "drain": (transport.unsent_bytes, transport.drain),
        "lose": (True, transport.lose),
        "abort": (True, wire.connection.abort),
    }[deed]
    if may:
        act()


def check(wire: Wire) -> None:
    """Compare the phase with what it stands for."""
    phase, transport = wire.connection.phase, wire.transport
    assert transport.is_closed == (phase is Phase.CLOSED)
    assert not (transport.is_reading and phase in UNREAD)
    assert not (transport.is_shut_down and phase not in {Phase.LINGERING, Phase.CLOSING, Phase.CLOSED})
    assert not (wire.connection.is_idle and phase not in AT_REST)
    assert bool(wire.feed.watches) == (phase is Phase.STREAMING)
    if phase is not Phase.CLOSED:
        assert (bool(wire.held.asked) or bool(wire.connection._queue)) == (phase in UNDER_WAY)
    if phase in {Phase.NEW, Phase.IDLE, Phase.READING}:
        assert transport.is_reading != transport.is_clogged


@given(st.lists(st.sampled_from([*PIECES, *DEEDS]), max_size=30))
def test_whatever_happens_the_phase_is_true(deeds: list[str | bytes]) -> None:
    """The phase says what client, engine and socket can tell as well; and who is stopped comes to an end."""
    wire = Wire()
    with watched() as seen:
        for deed in deeds:
            do(wire, deed)
            check(wire)
        do(wire, "stop")
        while wire.held.asked or wire.transport.unsent_bytes:
            for deed in ("drain", "answer"):
                do(wire, deed)
                check(wire)
        for deed in ("drain", "time") * 8:
            do(wire, deed)
            check(wire)
    assert wire.connection.phase is Phase.CLOSED
    follow(seen)


def test_the_diagram_is_the_table() -> None:
    """The diagram has an edge for each change of phase, with its events; a loss, which ends any phase, is left out."""
    text = (DOCS / "architecture.md").read_text().partition("## A connection's phases")[2]
    diagram = text.partition("```mermaid\nstateDiagram-v2\n")[2].partition("```")[0]
    drawn = {
        (before, after, event)
        for before, after, events in re.findall(r"(\w+) --> (\w+): (.*)", diagram)
        for event in events.split(", ")
    }
    table = {
        (phase.value, after.value, event.value)
        for phase, row in LIFE.items()
        for event, after in row.items()
        if after is not phase and event is not Event.LOST
    }
    assert drawn == table
    assert f"[*] --> {Wire().connection.phase.value}\n" in diagram
