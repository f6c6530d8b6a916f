"""One connection: requests in, answers out, in order.

The idea: requests wait in one queue, and its head is carried out as soon as it may be. A step may at once, behind
other steps: the engine answers in order. Anything else waits until the steps before it are answered, so that a client
that sends `/next` and `/current` in one go sees its own step. While a client does not take its answers, or has more
requests under way than it may have, nothing more is read from it.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import islice
from math import inf
from typing import cast

from pexservice.core.engine import Engine
from pexservice.core.metrics import Metrics
from pexservice.errors import BadRequest, NotApplied
from pexservice.http.action import Action, ReplyAction, StepAction
from pexservice.http.answer import CONTINUE, Clock, bad_request, closing, not_applied
from pexservice.http.memo import Memo
from pexservice.http.reader import Event, Reader, WantsContinue
from pexservice.http.request import Request
from pexservice.http.transport import Transport
from pexservice.limits import (
    LINGER_S,
    READ_AHEAD_MAX,
    REQUEST_TIMEOUT_S,
    UNANSWERED_STEPS_MAX,
    WRITE_BUFFER_BYTES_MAX,
)


@dataclass(slots=True)
class Shared:
    """What all connections of a server have in common."""

    engine: Engine[StepAction]
    memo: Memo
    clock: Clock
    metrics: Metrics
    keep_alive_s: float
    draining: bool = False


class Connection(asyncio.Protocol):
    """A client's connection, as its transport drives it."""

    __slots__ = (
        "_active_s",
        "_asked_last",
        "_is_active",
        "_is_clogged",
        "_is_ending",
        "_is_reading",
        "_is_trailing",
        "_on_lost",
        "_on_made",
        "_partial_since_s",
        "_progress_s",
        "_queue",
        "_reader",
        "_recall",
        "_send",
        "_served",
        "_shared",
        "_transport",
        "_unanswered",
        "_unsent_bytes",
        "_untaken_bytes",
    )

    def __init__(
        self,
        shared: Shared,
        on_made: Callable[["Connection"], None],
        on_lost: Callable[["Connection"], None],
    ) -> None:
        # Shared by all connections.
        self._shared = shared
        self._on_made = on_made
        self._on_lost = on_lost
        # This connection.
        self._transport = cast("Transport", None)
        self._recall = shared.memo.get
        self._reader: Reader | None = None
        self._is_reading = True
        self._is_active = True
        self._is_clogged = False
        self._is_ending = False
        self._is_trailing = False
        self._served = False
        self._unsent_bytes = 0
        self._untaken_bytes = 0
        self._progress_s = 0.0
        self._active_s = shared.clock.now_s
        # The requests under way.
        self._queue: deque[Action] = deque()
        self._unanswered = 0
        self._asked_last = False
        self._partial_since_s = 0.0

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("Transport", transport)
        self._send = self._transport.write
        self._on_made(self)

    def data_received(self, data: bytes) -> None:
        """Carry out, or queue, what the bytes ask for."""
        if self._asked_last:
            self._is_trailing = True
            return
        action = self._recall(data) if self._reader is None else None
        if action is not None and not self._queue and self._may_carry_out(action):
            self._is_active = True  # PERF: the common case of the below, 0.5 us less than by way of reader and queue.
            self._asked_last = action.closes
            self._carry_out(action)
        else:
            self._read(data)
            self._pump()

    def eof_received(self) -> bool:
        """Give a client that sends no more the answers that it waits for, if any."""
        self._asked_last = True
        return not self._is_ending and bool(self._unanswered or self._queue)

    def pause_writing(self) -> None:
        """Stop reading from a client that falls behind in reading."""
        self._is_clogged = True
        self._account()
        self._throttle()

    def resume_writing(self) -> None:
        """Go on with a client that has caught up."""
        self._is_clogged = False
        self._progress_s = self._shared.clock.now_s
        self._account()
        self._pump()

    def connection_lost(self, _error: Exception | None) -> None:
        """End. Steps under way are taken or not; nobody is left to hear of it."""
        self._is_ending = self._asked_last = True
        self._shared.metrics.unsent_bytes -= self._unsent_bytes
        self._unsent_bytes = 0
        self._queue.clear()
        self._on_lost(self)

    # What the engine calls.

    def deliver(self, asked: StepAction, answer: bytes) -> None:
        """As `engine.Caller`."""
        self._unanswered -= 1
        if self._asked_last or self._is_clogged or self._shared.draining or len(answer) > WRITE_BUFFER_BYTES_MAX:
            self._write(answer, closes=asked.closes)
        else:  # PERF: the common case of the same, 0.2 us less.
            if self._unanswered:
                self._transport.hold(answer)
            else:
                self._send(answer)
            self._shared.metrics.answers[asked.status] += 1
        if self._queue:
            self._pump()

    def refuse(self, asked: StepAction, error: NotApplied) -> None:
        """As `engine.Caller`."""
        self._shared.metrics.refused[error.code] += 1
        self._unanswered -= 1
        self._write(not_applied(self._shared.clock, asked.request, error), closes=asked.closes)
        if self._queue:
            self._pump()

    # What the server calls.

    @property
    def is_idle(self) -> bool:
        """Whether the client waits for nothing and is in the middle of nothing."""
        return (
            not self._unanswered
            and not self._queue
            and not self._is_ending
            and self._reader is None
            and not self._transport.get_write_buffer_size()
        )

    def take_no_more(self) -> None:
        """End with the answers to what was asked so far, or with the request of which a part has come."""
        if self._unanswered or self._queue:
            self._asked_last = True
        elif self._reader is None and not self._is_ending:
            self.close()

    def close(self) -> None:
        """Close, once what is written is sent."""
        self._is_ending = True
        self._asked_last = True
        self._transport.close()

    def abort(self) -> None:
        """Close at once, with a reset. Also as `engine.Caller`."""
        self._is_ending = True
        self._asked_last = True
        self._transport.abort()

    @property
    def active_s(self) -> float:
        """When there last was traffic, to the sweep after it; infinite until there is one."""
        return inf if self._is_active else self._active_s

    def sweep(self) -> None:
        """Close the connection if it is past a deadline."""
        now_s = self._shared.clock.now_s
        if self._is_active or self._unanswered or self._queue:
            self._is_active = False
            self._active_s = now_s
        if self._unanswered or self._queue:
            self._partial_since_s = now_s  # What it sends next may have to wait for these.
        self._account()
        if self._unsent_bytes:
            self._sweep_unsent(now_s)
        elif self._is_ending:
            if now_s - self._active_s >= LINGER_S:
                self.close()
        elif self._reader is not None:
            if now_s - self._partial_since_s >= REQUEST_TIMEOUT_S:
                detail = f"The request did not arrive in full within {REQUEST_TIMEOUT_S} s. Ask again."
                error = BadRequest(408, detail, is_to_head=self._reader.is_head)
                self._write(bad_request(self._shared.clock, error), closes=True)
        elif now_s - self._active_s >= (self._shared.keep_alive_s if self._served else REQUEST_TIMEOUT_S):
            self.close()
        else:
            self._untaken_bytes = 0

    def _sweep_unsent(self, now_s: float) -> None:
        """Close the connection if its client takes nothing, neither from here nor from what the kernel holds for it."""
        before, self._untaken_bytes = self._untaken_bytes, self._transport.untaken_bytes()
        if not before or self._untaken_bytes < before:
            self._progress_s = now_s
        elif now_s - self._progress_s >= REQUEST_TIMEOUT_S:
            self.abort()

    # How it is done.

    def _read(self, data: bytes) -> None:
        """Queue what the bytes ask for, as far as may be read ahead."""
        shared = self._shared
        reader = self._reader
        if reader is None:
            reader = self._reader = Reader(shared.memo.parse)
        was_at_boundary, was_in_body = reader.at_boundary, reader.in_body
        reader.feed(data)
        events: list[Event] = list(islice(iter(reader.next, None), READ_AHEAD_MAX))
        if events or was_at_boundary or was_in_body != reader.in_body:
            self._partial_since_s = shared.clock.now_s
        self._queue.extend(map(self._action, events))
        if events:
            self._is_active = True
            self._asked_last |= self._queue[-1].closes
        if reader.at_boundary:
            self._reader = None

    def _action(self, event: Event) -> Action:
        if isinstance(event, Request):
            return self._shared.memo.action(event)
        if isinstance(event, WantsContinue):
            return ReplyAction(None, lambda: CONTINUE, closes=False)
        return ReplyAction(None, partial(bad_request, self._shared.clock, event), closes=True)

    def _may_carry_out(self, action: Action) -> bool:
        if self._is_clogged or self._is_ending:
            return False
        if type(action) is StepAction:
            return self._unanswered < UNANSWERED_STEPS_MAX
        return not self._unanswered

    def _carry_out(self, action: Action) -> None:
        shared = self._shared
        self._served = True
        try:
            if isinstance(action, StepAction):
                shared.engine.submit(action.step, action, self)
                self._unanswered += 1
            else:
                self._write(action.reply(), closes=action.closes)
        except NotApplied as error:
            self._turn_away(action, error)

    def _turn_away(self, action: Action, error: NotApplied) -> None:
        shared = self._shared
        shared.metrics.refused[error.code] += 1
        assert action.request is not None
        answer = not_applied(shared.clock, action.request, error)
        if self._unanswered:
            self._queue.appendleft(ReplyAction(action.request, lambda: answer, action.closes))
        else:
            self._write(answer, closes=action.closes)

    def _pump(self) -> None:
        """Carry out what may be, from the head of the queue."""
        queue = self._queue
        while queue and self._may_carry_out(queue[0]):
            action = queue.popleft()
            if not queue and self._reader is not None:
                self._read(b"")  # Ahead, so that an answer knows whether it is the last.
            self._carry_out(action)
        self._throttle()

    def _throttle(self) -> None:
        """Read from the client only while it has nothing waiting that may not be carried out yet."""
        may_read = not self._is_clogged and not self._queue
        if may_read != self._is_reading and not self._transport.is_closing():
            self._is_reading = may_read
            if may_read:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()

    def _write(self, answer: bytes, *, closes: bool) -> None:
        if self._is_ending:
            return
        shared = self._shared
        if not closes and (shared.draining or self._asked_last) and self._is_last(answer):
            answer, closes = closing(answer), True
        self._is_active = True
        if self._unanswered or self._queue:
            self._transport.hold(answer)
        else:
            self._transport.write(answer)
        shared.metrics.answers[int(answer[9:12])] += 1
        if self._is_clogged or len(answer) > WRITE_BUFFER_BYTES_MAX:
            self._account()
        if closes:
            self._finish()

    def _is_last(self, answer: bytes) -> bool:
        return not self._unanswered and not self._queue and answer is not CONTINUE

    def _finish(self) -> None:
        """Close after the last answer.

        If the client may still be sending, a close with bytes unread would reset the connection and might destroy the
        answer on its way; so the sending side is closed and what comes is discarded for a while (RFC 9112, 9.6).
        """
        reader = self._reader
        lingers = self._is_trailing or self._shared.draining or (reader is not None and not reader.at_boundary)
        self._is_ending = True
        self._asked_last = True
        self._queue.clear()
        if lingers:
            self._transport.write_eof()
            self._throttle()
        else:
            self._transport.close()

    def _account(self) -> None:
        """Tell how many bytes of answers wait for the client."""
        unsent_bytes = self._transport.get_write_buffer_size()
        self._shared.metrics.unsent_bytes += unsent_bytes - self._unsent_bytes
        self._unsent_bytes = unsent_bytes
