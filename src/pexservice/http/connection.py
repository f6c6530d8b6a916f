"""One connection: requests in, answers out, in order.

Requests wait in one queue, and its head is carried out as soon as it may be. A command may at once, behind other
commands: the engine answers in order. Anything else waits until the commands before it are answered, so a client that
sends `/next` and `/current` in one go sees its own step. While a client does not take its answers, or has more requests
under way than it may have, nothing more is read from it.

`phases.py` is the table of its life: here an event is told by what happened, and what belongs to a phase is done.
"""

from collections.abc import Callable
from itertools import islice
from math import inf
from typing import Any, Final

from pexservice.errors import NotApplied
from pexservice.http.action import Action, CommandAction, ContinueAction, ReplyAction, StreamAction
from pexservice.http.answer import Answer, Head, too_late
from pexservice.http.feed import Watch
from pexservice.http.phases import AT_REST, DISCARDING, LIFE, ON, OPEN_ENDED, UNREAD, Event, Phase, patience_s
from pexservice.http.reader import Received, RequestReader
from pexservice.http.shared import Shared
from pexservice.http.transport import Transport

# PERF: names of the module. A member of an enum, asked of its class, takes 45 ns, and each command would ask for six.
_IDLE: Final = Phase.IDLE
_WAITING: Final = Phase.WAITING
_CLOSED: Final = Phase.CLOSED
_ON_ASKED: Final = ON[Event.ASKED]
_ON_ASKED_LAST: Final = ON[Event.ASKED_LAST]
_ON_ANSWERED: Final = ON[Event.ANSWERED]


class Connection:
    """A client's connection: the handler of its transport, and the caller of its commands."""

    __slots__ = (
        "_on_lost",
        "_queue",
        "_reader",
        "_recall",
        "_shared",
        "_submit",
        "_transport",
        "_unanswered",
        "_watch",
        "active_s",
        "phase",
    )

    def __init__(self, shared: Shared, on_lost: Callable[["Connection"], None], transport: Transport) -> None:
        self._shared = shared
        self._on_lost, self._transport = on_lost, transport
        self._recall, self._submit = shared.memo.get, shared.engine.submit
        self._reader: RequestReader | None = None  # While there are bytes that are not yet read as whole requests.
        self._queue: list[Action | ContinueAction] = []
        self._unanswered = 0
        self.active_s = inf  # The time of the sweep after the last traffic; infinite until that sweep.
        self._watch: Watch | None = None
        self.phase = Phase.NEW

    # What the transport calls, as `transport.Handler`.

    def on_data(self, data: bytes) -> None:
        """Carry out, or queue, what the bytes ask for."""
        phase = self.phase
        if phase in DISCARDING:
            self._meet(Event.OVERRAN)
            return
        action = (self._recall(data) or self._shared.memo.keyed(data)) if self._reader is None else None
        if action is None:
            self._read(data)
        else:
            self.active_s = inf
            self.phase = _ON_ASKED_LAST[phase] if action.closes else _ON_ASKED[phase]
            # PERF: past the queue, and without a call for most: 0.13 us less, 1 % of a request.
            is_free = not (self._unanswered or self._transport.is_clogged)
            if not self._queue and (is_free or self._may_carry_out(action)):
                self._carry_out(action)
                return
            self._queue.append(action)
        self._pump()

    def on_end(self) -> None:
        """Give a client that sends no more the answers that it waits for, if any."""
        self._meet(Event.ENDED)
        self._go_on()

    def on_clogged(self) -> None:
        """Stop reading from a client that falls behind in reading."""
        self._throttle()

    def on_drained(self) -> None:
        """Go on with a client that has caught up."""
        self._go_on()
        self._pump()
        if self._watch is not None:
            self._watch.catch_up()

    def on_lost(self) -> None:
        """End. Commands under way are taken or not; nobody is left to be told."""
        self._meet(Event.LOST)
        self._queue.clear()
        if self._watch is not None:
            self._watch.end()
        self._on_lost(self)

    # What the engine calls, as `core.caller.Caller`.

    def deliver(self, _asked: CommandAction[Any, Any], answer: Answer) -> None:
        """As `core.caller.Caller`."""
        shared = self._shared
        # PERF: the common case of `_write`, 6 % fewer instructions of all that a step takes in Python.
        if self._unanswered == 1 and self.phase is _WAITING and not (self._queue or self._reader or shared.draining):
            self._unanswered = 0
            shared.metrics.answers[answer[0].status] += 1
            self.phase = _ON_ANSWERED[_WAITING]
            self._transport.send(answer[1])
            return
        self._write_on(answer)

    def turn_away(self, asked: Action, error: NotApplied) -> None:
        """As `core.caller.Caller`."""
        if isinstance(asked, StreamAction):
            del self._queue[:1]  # There it waited, unless the client has gone.
        self._write_on(self._shared.turned_away(asked, error))

    def resume(self, asked: ReplyAction | StreamAction) -> None:
        """As `core.caller.Reader`."""
        try:
            if isinstance(asked, StreamAction):
                self._begin(asked)
            else:
                self._write_on(asked.reply())
        except NotApplied as error:
            self.turn_away(asked, error)

    def abort(self) -> None:
        """Close at once, with a reset. Also as `core.caller.Caller`."""
        self._transport.abort()

    # What the server calls.

    @property
    def is_idle(self) -> bool:
        """Whether the client waits for nothing and is in the middle of nothing."""
        return self.phase in AT_REST and not self._transport.unsent_bytes

    def stop(self) -> None:
        """End with the answers to what was asked so far, or with the request of which a part has come."""
        self._meet(Event.STOPPED)
        if self._unanswered + len(self._queue) > 1:  # A body is not asked for any more: the last answer is one before.
            self._queue[:] = [each for each in self._queue if not isinstance(each, ContinueAction)]
        self._go_on()

    def sweep(self) -> None:
        """Close the connection if it is past a deadline."""
        now_s = self._shared.clock.now_s
        if self.active_s == inf or self.phase in OPEN_ENDED:
            self.active_s = now_s
        if self._transport.is_stalled(now_s):
            self.abort()
        elif not self._transport.unsent_bytes and now_s - self.active_s >= patience_s(self.phase, self._shared.limits):
            self._meet(Event.TIMED_OUT)
            if self.phase is Phase.CUT:
                is_head = self._reader is not None and self._reader.is_head
                self._write(*too_late(self._shared.clock, self._shared.limits.request_timeout_s, is_to_head=is_head))
            else:
                self._go_on()

    # How it is done.

    def _meet(self, event: Event) -> None:
        self.phase = ON[event][self.phase]

    def _go_on(self) -> None:
        """Do what belongs to the phase."""
        if self._watch is not None and self.phase is not Phase.STREAMING:
            self._watch.end()
        if self.phase is _IDLE and self._reader is not None and self._reader.has_begun:
            self._meet(Event.PART)
            self.active_s = self._shared.clock.now_s
        elif self.phase is Phase.CLOSING and not self._transport.unsent_bytes:
            self._transport.close()
        elif self.phase is Phase.LINGERING and not self._transport.unsent_bytes:
            self._transport.shut_down()
        self._throttle()

    def _throttle(self) -> None:
        """Read from the client only while it has nothing waiting that may not be carried out yet."""
        may_read = self.phase not in UNREAD and not self._queue and not self._transport.is_clogged
        if may_read != self._transport.is_reading:
            self._transport.read(wanted=may_read)

    def _read(self, data: bytes) -> None:
        """Queue what the bytes ask for, as far as may be read ahead."""
        shared = self._shared
        reader = RequestReader(shared.memo.parse, shared.limits) if self._reader is None else self._reader
        before = reader.has_begun, reader.in_body
        reader.feed(data)
        read: list[Received] = list(islice(iter(reader.next, None), shared.limits.read_ahead_max))
        self._reader = None if reader.at_boundary else reader
        if read:
            self._queue.extend(map(shared.action, read))
            self.active_s = inf
        elif before != (reader.has_begun, reader.in_body):  # A head has its time, and a body has its own.
            self.active_s = shared.clock.now_s
        self._meet(self._event_of(read[-1] if read else None))

    def _event_of(self, read: Received | None) -> Event:
        if read is None:
            return Event.EMPTY if self._reader is None or not self._reader.has_begun else Event.PART
        last = Event.ASKED_LAST if self._reader is None else Event.OVERRAN
        return last if self._queue[-1].closes else Event.ASKED

    def _pump(self) -> None:
        """Carry out what may be, from the head of the queue."""
        queue = self._queue
        while queue and self._may_carry_out(queue[0]):
            action = queue.pop(0)
            if not queue and self._reader is not None:
                self._read(b"")  # Ahead, so that an answer knows whether it is the last.
            self._carry_out(action)
        if queue or not self._transport.is_reading:
            self._throttle()

    def _may_carry_out(self, action: Action | ContinueAction) -> bool:
        follows = isinstance(action, CommandAction) and self._unanswered < self._shared.limits.unanswered_steps_max
        return not self._transport.is_clogged and (follows or not self._unanswered)

    def _carry_out(self, action: Action | ContinueAction) -> None:
        try:
            if isinstance(action, CommandAction):
                self._submit(action, self)
                self._unanswered += 1
            elif isinstance(action, ContinueAction):
                self._tell_to_continue(action)
            elif action.reads and self._shared.engine.look(action, self):
                self._unanswered += 1
                if isinstance(action, StreamAction):
                    self._queue.insert(0, action)  # It may be the last: until that is known, nothing passes it.
            elif isinstance(action, StreamAction):
                self._begin(action)
            else:
                self._write(*action.reply())
        except NotApplied as error:
            assert not isinstance(action, ContinueAction), "what only tells to go on asks for nothing"
            answer = self._shared.turned_away(action, error)
            if self._unanswered:
                self._queue.insert(0, ReplyAction(action.request, lambda: answer, action.closes))
            else:
                self._write(*answer)

    def _tell_to_continue(self, action: ContinueAction) -> None:
        if self.phase is _WAITING:  # Else the body would not be taken.
            self._shared.metrics.answers[action.status] += 1
            self._transport.send(action.data)
        if self.phase is not _CLOSED:
            self._meet(Event.ANSWERED)
        self._go_on()

    def _begin(self, action: StreamAction) -> None:
        """Begin an answer without an end, the last one here; where that cannot go on, it ends with its beginning."""
        head, data = action.begin()
        self._queue.clear()  # Its head said that nothing behind it is answered.
        self._unanswered, self._reader = 0, None  # Nothing before it is under way.
        if self._shared.draining or Event.BEGAN not in LIFE.get(self.phase, ()):
            self._write(head, data)
            return
        self._shared.metrics.answers[head.status] += 1
        self._meet(Event.BEGAN)
        self._watch = Watch(action.feed, self._transport)
        self._transport.send(data)
        self._go_on()

    def _write_on(self, answer: Answer) -> None:
        """Write an answer that came later, and go on with what waited for it."""
        self._unanswered -= 1
        self._write(*answer)
        if self._queue:
            self._pump()

    def _write(self, head: Head, data: bytes) -> None:
        """Write the answer to the oldest request that is under way."""
        phase, shared = self.phase, self._shared
        if phase is _CLOSED:
            return
        shared.metrics.answers[head.status] += 1
        if self._unanswered or self._queue:
            self._transport.hold(data)
            return
        if shared.draining:
            phase = ON[Event.STOPPED][phase]
        if phase is not _WAITING:
            data = head.as_last(data)
            self.active_s = inf
        self.phase = phase = _ON_ANSWERED[phase]
        self._transport.send(data)
        if phase is not _IDLE or self._reader is not None:
            self._go_on()
