"""What one connection does with requests, answers and time."""

import re

import pytest
from structlog.testing import capture_logs

from pexservice.errors import QueueFull
from pexservice.limits import DEFAULT
from support.client import message
from support.messages import NEXT
from support.wire import Wire


def test_a_client_is_not_late_while_the_service_keeps_it_waiting() -> None:
    """The time for a body runs from when its client was told to continue, behind the answers before it."""
    wire = Wire()
    wire.receive(NEXT + message("POST", "/next", "Expect: 100-continue", "Content-Length: 3"))
    wire.pass_s(DEFAULT.request_timeout_s + 3)
    assert wire.transport.statuses() == []
    wire.held.answer()
    assert wire.transport.statuses() == [200, 100]
    wire.pass_s(DEFAULT.request_timeout_s - 1)
    assert wire.transport.statuses() == [200, 100]
    wire.pass_s(2)
    assert wire.transport.statuses() == [200, 100, 408]


@pytest.mark.parametrize(
    ("data", "has_body"),
    [
        (b"HEAD / HTTP/1.1\r\nHost: x\r\n", False),
        (b"HEAD ", False),
        (message("HEAD", "/", "Content-Length: 3"), False),
        (NEXT[:-2], True),
        (b"HEAD", True),
        (message("GET", "/", "Content-Length: 3"), True),
    ],
)
def test_a_late_head_is_answered_without_a_body(data: bytes, has_body: bool) -> None:  # noqa: FBT001
    """As soon as the method is known; the length is that of the body that GET would have got."""
    bodies = []
    for sent in (data, NEXT[:-2]):
        wire = Wire()
        wire.receive(sent)
        wire.pass_s(DEFAULT.request_timeout_s + 1)
        assert wire.transport.statuses() == [408]
        undated = re.sub(rb"\r\nDate: [^\r]*", b"", wire.transport.sent)  # A second may end between the two.
        bodies.append(undated.partition(b"\r\n\r\n"))
    (head, _, body), (expected, _, full) = bodies
    assert (head, body) == (expected, full if has_body else b"")
    assert b"Content-Length: %d\r\n" % len(full) in head + b"\r\n"


def test_a_pipeline_of_any_length_is_carried_out_in_order() -> None:
    """However much more comes than may be read ahead, all of it is carried out, reads behind the steps before them."""
    wire = Wire()
    wire.receive((NEXT * 7 + message("GET", "/livez")) * 3)
    assert len(wire.held.asked) == 7
    while wire.held.asked:
        wire.held.answer()
    assert wire.transport.statuses() == [200] * 24
    bodies = [part.split(b"\r\n\r\n")[1] for part in wire.transport.sent.split(b"HTTP/1.1 ")[1:]]
    assert bodies == ([b"1\n"] * 7 + [b"ok\n"]) * 3


def test_no_more_is_taken_after_a_drain() -> None:
    """What was asked is answered, the last answer says close, and what comes then is not carried out."""
    wire = Wire()
    wire.receive(NEXT * 2)
    wire.connection.stop()
    wire.receive(NEXT)
    while wire.held.asked:
        wire.held.answer()
    first, last = wire.transport.sent.split(b"HTTP/1.1 ")[1:]
    assert b"Connection: close" not in first
    assert b"Connection: close" in last


def test_the_answer_before_a_body_that_is_not_taken_any_more_is_the_last() -> None:
    """It says so, and our half is closed behind it at once."""
    wire = Wire()
    wire.receive(NEXT + NEXT + message("POST", "/next", "Expect: 100-continue", "Content-Length: 3"))
    wire.connection.stop()
    wire.held.answer()
    wire.held.answer()
    assert wire.transport.statuses() == [200, 200]
    first, last = wire.transport.sent.split(b"HTTP/1.1 ")[1:]
    assert b"Connection: close" not in first
    assert b"Connection: close" in last
    assert wire.transport.is_shut_down
    wire.receive(b"abc")
    assert wire.held.asked == []


def test_the_last_answer_to_a_half_closed_client_says_close() -> None:
    """Once a client is known to send no more, it gets what it waits for, and hears that this was all."""
    wire = Wire()
    wire.receive(NEXT * 2)
    wire.connection.on_end()
    while wire.held.asked:
        wire.held.answer()
    first, last = wire.transport.sent.split(b"HTTP/1.1 ")[1:]
    assert b"Connection: close" not in first
    assert b"Connection: close" in last
    assert wire.transport.is_closed


WATCH = message("GET", "/watch")


def test_nothing_behind_a_stream_is_carried_out() -> None:
    """Its head says that it is the last answer; what came before it is answered before it."""
    wire = Wire()
    wire.receive(NEXT + WATCH + NEXT + NEXT[:-2])
    assert not wire.feed.watches
    wire.held.answer()
    wire.receive(b"\r\n" + NEXT)
    assert not wire.held.asked
    assert wire.transport.statuses() == [200, 200]
    assert wire.transport.sent.endswith(b"Connection: close\r\nDate: " + wire.clock.date.encode() + b"\r\n\r\nfirst\n")
    assert wire.transport.is_narrow
    assert len(wire.feed.watches) == 1


def test_a_stream_is_not_idle_and_never_late() -> None:
    """Nobody makes room for another connection by closing it, and no deadline passes while the client reads."""
    wire = Wire()
    wire.receive(WATCH)
    wire.pass_s(10_000)
    wire.pass_s(10_000)
    assert not wire.connection.is_idle
    assert not wire.transport.is_closed
    assert wire.feed.watches


def test_a_watcher_that_does_not_read_is_closed() -> None:
    """After the deadline that any unread answer has, and its place is free."""
    wire = Wire()
    wire.receive(WATCH)
    wire.transport.clog()
    [watch] = wire.feed.watches
    assert watch.tell(b"second")
    assert not watch.tell(b"third")
    wire.pass_s(1)
    assert not wire.transport.is_closed
    wire.transport.stalls = True
    wire.pass_s(1)
    assert wire.transport.was_reset
    assert not wire.feed.watches


def test_a_watcher_that_reads_again_is_told_what_it_missed() -> None:
    """The feed hears of it as soon as all is taken."""
    wire = Wire()
    wire.receive(WATCH)
    wire.transport.clog()
    [watch] = wire.feed.watches
    watch.tell(b"second")
    wire.transport.drain()
    assert wire.feed.caught_up == [watch]


@pytest.mark.parametrize("how", ["half-closed", "overrun", "draining"])
def test_a_stream_that_cannot_go_on_ends_with_its_beginning(how: str) -> None:
    """The client gets the state of now, and the connection ends in order."""
    wire = Wire()
    wire.receive(NEXT)
    if how == "overrun":
        wire.receive(message("GET", "/watch", "Connection: close") + NEXT)
    else:
        wire.receive(WATCH)
    if how == "half-closed":
        wire.connection.on_end()
    wire.shared.draining = how == "draining"
    wire.held.answer()
    assert wire.transport.sent.endswith(b"first\n")
    assert not wire.feed.watches
    assert wire.transport.is_shut_down or wire.transport.is_closed


def test_a_stream_that_is_turned_away_leaves_the_connection() -> None:
    """503, and what was asked behind it is carried out."""
    wire = Wire()
    wire.feed.error = QueueFull()
    wire.receive(WATCH + message("GET", "/livez"))
    assert wire.transport.statuses() == [503, 200]
    wire.receive(NEXT)
    assert wire.held.asked


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", ["/", "/current", "/events"])
def test_of_a_store_that_is_far_away_no_old_state_is_told(path: str, method: str) -> None:
    """Whatever tells of the state asks for the place of now, and is answered once that is known."""
    wire = Wire()
    wire.held.is_remote = True
    wire.receive(message(method, path, "Accept: */*"))
    assert wire.transport.statuses() == []
    wire.held.show(QueueFull())
    assert wire.transport.statuses() == [503]
    assert not wire.held.looking


def test_a_stream_begins_once_the_place_is_known() -> None:
    """Until then nothing behind it is carried out, since it will be the last answer; and it is not late."""
    wire = Wire()
    wire.held.is_remote = True
    wire.receive(WATCH + NEXT)
    wire.receive(NEXT)
    wire.pass_s(10_000)
    assert wire.transport.statuses() == []
    assert not wire.connection.is_idle
    assert not wire.feed.watches
    wire.held.show()
    assert wire.transport.sent.endswith(b"first\n")
    assert len(wire.feed.watches) == 1
    assert wire.transport.is_reading
    wire.receive(NEXT)
    assert not wire.held.asked
    assert wire.transport.statuses() == [200]


@pytest.mark.parametrize("is_known", [True, False])
def test_a_stream_that_is_turned_away_late_leaves_the_connection(is_known: bool) -> None:  # noqa: FBT001
    """No place could be had, or there is no room by then: what was asked behind it is carried out."""
    wire = Wire()
    wire.held.is_remote = True
    wire.feed.error = QueueFull()
    wire.receive(WATCH + NEXT)
    wire.held.show(None if is_known else QueueFull())
    assert wire.transport.statuses() == [503]
    wire.held.answer()
    assert wire.transport.statuses() == [503, 200]
    assert wire.connection.is_idle


@pytest.mark.parametrize("how", ["half-closed", "draining", "lost"])
@pytest.mark.parametrize("error", [None, QueueFull()])
def test_a_stream_whose_client_leaves_before_it_begins(how: str, error: QueueFull | None) -> None:
    """It is answered if there is still someone, and watched by nobody."""
    wire = Wire()
    wire.held.is_remote = True
    wire.receive(WATCH)
    if how == "half-closed":
        wire.connection.on_end()
    elif how == "draining":
        wire.shared.draining = True
        wire.connection.stop()
    else:
        wire.transport.abort()
    with capture_logs() as logged:
        wire.held.show(error)
    assert not logged, "no answer could not be delivered"
    assert wire.transport.statuses() == ([] if how == "lost" else [200] if error is None else [503])
    assert not wire.feed.watches
    assert wire.transport.is_shut_down or wire.transport.is_closed


def test_http_10_is_told_as_well() -> None:
    """A stream needs nothing of HTTP/1.1: it ends with the connection."""
    wire = Wire()
    wire.receive(message("GET", "/watch", version="1.0"))
    assert len(wire.feed.watches) == 1
    wire.connection.stop()
    assert wire.transport.is_shut_down
    assert not wire.feed.watches


def test_the_same_bytes_mean_the_same_whoever_came_before() -> None:
    """A line behind the end of a request is no part of it, also once the request without it is known."""
    answers = []
    for first in (b"", NEXT):
        wire = Wire()
        for data in (first, NEXT + b"Idempotency-Key: k\r\n"):
            wire.receive(data)
            while wire.held.asked:
                wire.held.answer()
        answers.append(wire.transport.statuses()[bool(first) :])
    assert answers == [[200, 400], [200, 400]]
