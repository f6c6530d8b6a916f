"""What watchers are told: where the machine stands, whenever that has changed. No sockets.

The idea: a watcher is owed the state of now, and nothing of what was before. So a feed looks at the durable place now
and then, and if that is another than it told, writes it down once, as a server-sent event (HTML, 9.2), and sends those
bytes to all, ten times a second at most. A watcher that has yet to take what it was sent before is passed over, and
gets the latest when it has. Nothing is queued, no command pays for it, and while nobody watches there is no timer.

To send to a thousand takes some milliseconds. They are sent to in small parts, between which others get their turn, and
the next look is put off until sending is a small share of the time.
"""

import asyncio
import json
import re
from collections.abc import Callable, Mapping
from time import perf_counter, thread_time
from typing import Any, Final, Generic

from pexservice.core.engine import Engine
from pexservice.core.judging import Place
from pexservice.core.machine import S
from pexservice.errors import NotApplied, Recovering, WatchersFull
from pexservice.http.transport import Transport
from pexservice.limits import Limits

_END_OF_LINE: Final = re.compile("\r\n|\r|\n")
_COMMENT: Final = b":\n\n"
_RETRY: Final = b"retry: 1000\n\n"
"""After how many milliseconds a browser that lost the stream asks again."""


class Watch:
    """A client that is told what a feed has to tell, for as long as neither has enough."""

    __slots__ = ("_feed", "_transport", "knows")

    def __init__(self, feed: "Feed[Any]", transport: Transport) -> None:
        self._feed = feed
        self._transport = transport
        self.knows = -1
        """The sequence of the state that it was told last, or that it had before: it is not told of that again."""
        transport.narrow()
        feed.join(self)

    def tell(self, data: bytes) -> bool:
        """Send bytes, unless the client has yet to take earlier ones; return whether they were sent."""
        if self._transport.unsent_bytes:
            return False
        self._transport.send(data)
        return True

    def catch_up(self) -> None:
        """Take note that the client has taken all that was sent."""
        self._feed.catch_up(self)

    def end(self) -> None:
        """Tell the client nothing more."""
        self._feed.leave(self)


class Feed(Generic[S]):
    """Tells watchers where the machine stands, and how the service is."""

    def __init__(
        self, engine: Engine[S, Any], limits: Limits, data: Callable[[int, S], str], serving: Callable[[], int]
    ) -> None:
        """Tell with `data`, which writes an event's from the sequence and the state: any text, as `Body`.

        `serving` is as of `Site`.
        """
        self._engine = engine
        self._limits = limits
        self._data = data
        self._watchers: set[Watch] = set()
        self._behind: set[Watch] = set()
        """Those that were passed over."""
        self._told: Place[S] | None = None
        self._state = b""
        """The event about it."""
        self._first = -1
        """The sequence of what `first` returned last."""
        self._pulse = Pulse(engine, limits, serving)
        self._next: asyncio.Handle | None = None
        """The next look, or the next part of the sending."""
        self._is_asking = False
        """Whether the engine has still to find out what the place of now is."""
        self._glance_s = limits.watch_glance_s

    def first(self, last_id: str) -> tuple[Place[S], bytes]:
        """Return where the machine stands, and what a new watcher is told at once.

        `last_id` is that of the last event that it had, or empty: of what it knows, it is not told again.

        Raises WatchersFull, and Recovering while it is not known where the machine stands.
        """
        limits = self._limits
        if len(self._watchers) >= limits.watching_max:
            raise WatchersFull
        place = self._engine.place
        if not self._watchers:
            self._told, self._state = place, self._event(place)
            self._pulse.look()
        state, self._first = b"", place.sequence
        if last_id != str(place.sequence):
            state = self._state if place is self._told else self._event(place)
        return place, _RETRY + self._pulse.event + state

    def join(self, watcher: Watch) -> None:
        """Tell a watcher of all that follows what was just returned by `first`."""
        watcher.knows = self._first
        self._watchers.add(watcher)
        self._count()
        if self._next is None and not self._is_asking:
            self._look_in(self._limits.watch_glance_s)

    def leave(self, watcher: Watch) -> None:
        """Tell a watcher nothing more."""
        self._watchers.discard(watcher)
        self._behind.discard(watcher)
        self._count()
        if not self._watchers and self._next is not None:
            self._next.cancel()
            self._next = None

    def catch_up(self, watcher: Watch) -> None:
        """Tell a watcher that has taken what it was sent what it missed: the latest."""
        if watcher in self._behind:
            self._behind.discard(watcher)
            self._tell_one(watcher, self._pulse.event)

    def _count(self) -> None:
        self._engine.metrics.watchers = len(self._watchers)

    def _look_in(self, seconds: float) -> None:
        self._next = asyncio.get_running_loop().call_later(seconds, self._look)

    def _look(self) -> None:
        """See to it that the engine shows the place of now, then tell what has changed."""
        self._next = None
        try:
            self._is_asking = self._engine.look(None, self)
            if self._is_asking:  # That is a round trip, so not more often than is told.
                self._glance_s = self._limits.watch_period_s
            else:
                self._tell(self._engine.place)
        except Recovering:  # The engine has ended, and so does the process.
            pass
        except NotApplied:  # The place is not known just now; that is news, too.
            self._tell(self._told)

    # What the engine calls, as `caller.Reader`.

    def resume(self, _asked: None, /) -> None:
        """Tell what has changed."""
        self._is_asking = False
        if self._watchers:
            self._tell(self._engine.place)

    def turn_away(self, _asked: None, _error: NotApplied, /) -> None:
        """Tell how the service is, which is not well."""
        self._is_asking = False
        if self._watchers:
            self._tell(self._told)

    def abort(self) -> None:
        """Look again: what went wrong was told."""
        self._is_asking = False
        if self._watchers:
            self._look_in(self._limits.pulse_period_s)

    def _tell(self, place: Place[S] | None) -> None:
        """Tell what has changed since the last look, if anything has."""
        pulse = self._pulse.news()
        is_new = place is not None and (self._told is None or place.sequence != self._told.sequence)
        if place is not None and is_new:
            self._told, self._state = place, self._event(place)
        if pulse or is_new:
            self._send(pulse, list(self._watchers), 0.0)
        else:
            self._look_in(self._glance_s)

    def _tell_one(self, watcher: Watch, pulse: bytes) -> None:
        """Tell a watcher how the service is, if that is news, and of the state, unless it knows it."""
        assert self._told is not None, "what watchers are told was looked at"
        sequence = self._told.sequence
        # Who came last may know more than all were told: a store that went away keeps them from being told it.
        news = pulse if watcher.knows >= sequence else pulse + self._state
        if not news:
            return
        if watcher.tell(news):
            watcher.knows = max(watcher.knows, sequence)
        else:
            self._behind.add(watcher)

    def _send(self, pulse: bytes, left: list[Watch], spent_s: float) -> None:
        """Tell the next few of those who are left."""
        began_s = thread_time()
        part, rest = left[: self._limits.watchers_at_once], left[self._limits.watchers_at_once :]
        for watcher in part:
            if watcher in self._watchers:
                self._tell_one(watcher, pulse)
        spent_s += thread_time() - began_s
        if not self._watchers:  # The last may have been lost by being told.
            self._next = None
        elif rest:
            self._next = asyncio.get_running_loop().call_later(0, self._send, pulse, rest, spent_s)
        else:
            self._look_in(max(self._limits.watch_period_s, spent_s / self._limits.watch_share_max))

    def _event(self, place: Place[S]) -> bytes:
        data = self._data(place.sequence, place.state).removesuffix("\n")
        lines = "\ndata: ".join(_END_OF_LINE.split(data))  # The watcher's end puts them together again, by newlines.
        return f"id: {place.sequence}\ndata: {lines}\n\n".encode()


class Pulse:
    """How the service is, as an event of its own at most once a second; and a comment when it is time for one."""

    def __init__(self, engine: Engine[Any, Any], limits: Limits, serving: Callable[[], int]) -> None:
        self.event = b""
        self._engine = engine
        self._serving = serving
        self._limits = limits
        self._looked_s = 0.0
        self._commented_s = 0.0
        self._committed = (0, 0.0)
        """Groups, and seconds that they took, by the last look at them."""
        self._commit_ms: float | None = None
        self._labels: Mapping[str, str] = {}

    def look(self) -> None:
        """Write down how the service is now."""
        self._looked_s = self._commented_s = perf_counter()
        self._labels = self._engine.labels  # Not at each look: it asks the file system, which may be a remote one.
        self.event = self._made()

    def news(self) -> bytes:
        """Return what is new by now, to be told to all."""
        now_s, news = perf_counter(), b""
        if now_s - self._looked_s >= self._limits.pulse_period_s:
            self._looked_s = now_s
            event = self._made()
            if event != self.event:
                news = self.event = event
        if now_s - self._commented_s >= self._limits.comment_period_s:
            self._commented_s = now_s
            news = _COMMENT + (news or self.event)  # A script cannot see comments, and wants to know, too.
        return news

    def _made(self) -> bytes:
        engine = self._engine
        took = engine.metrics.commit_seconds
        groups, seconds = sum(took.counts), took.total
        before, seconds_before = self._committed
        if groups > before:
            self._commit_ms = float(f"{1000 * (seconds - seconds_before) / (groups - before):.3g}")
            self._committed = groups, seconds
        unready = engine.unready
        document = {
            "ready": unready is None,
            "reason": unready.code if unready is not None else None,
            "title": unready.title if unready is not None else None,
            "commit_ms": self._commit_ms,
            "processes": self._serving(),
            "store": dict(self._labels),
        }
        return f"event: service\ndata: {json.dumps(document)}\n\n".encode("ascii")
