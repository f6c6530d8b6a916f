"""Clients that step a service as fast as they may: many connections, one thread, one request under way on each.

Whatever becomes of the service, what was asked stays in the history, as answered or as unknown. A lost connection is
made again, and a client that was turned away asks again a little later. Clients that retry give each step a key, and
ask again with it until they are answered: then no step stays unknown.
"""

import errno
import secrets
import selectors
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Self

from pexservice.trial.exchange import PATIENCE_S, Answer, NotAnAnswer, cut, host_field, request
from pexservice.trial.linearizability import NOT_APPLIED, WITH_VALUE
from pexservice.trial.operation import PATHS, Operation
from pexservice.walk.steps import Step

_AGAIN_S: Final = 0.01
"""Between two tries to connect: a hundredth of a start."""
_TURNED_AWAY_S: Final = 0.1
_RECEIVED_BYTES: Final = 65_536
_TAKEN: Final = (200, 204)
_STAY: Final = 100
"""Answers after which a client goes on to the next address, if there are several: some half a second's."""


@dataclass(slots=True)
class _Client:
    """One client, with its connection if it has one."""

    due_s: float
    """When it may ask, or connect, again."""
    at: int
    """Which address it is to connect to, counted round and round."""
    stay: int = _STAY
    """After how many answers it goes on to the next."""
    wire: socket.socket | None = None
    is_connected: bool = False
    operation: Operation | None = None
    """What it asked and has no answer of yet."""
    message: bytes = b""
    """The same, as bytes."""
    asked_s: float | None = None
    """When it was sent on this connection, if it was."""
    may_be_taken: bool = False
    """Whether it was sent on a connection that was lost, so that nobody is told by a refusal that it was not taken."""
    received: bytearray = field(default_factory=bytearray)


class Clients:
    """So many clients of a service, at one address or at those of its replicas, to which they go in turn.

    Use as a context manager: its end closes the connections.

    `choose` is asked for each step (None is a read), `note` is told of each answer. `rate_max` bounds the requests a
    second, `requests_max` all of them. With `is_retrying` steps have keys, and are asked for again.
    """

    def __init__(  # noqa: PLR0913 - each by its name.
        self,
        where: Sequence[tuple[str, int]],
        *,
        clients: int,
        choose: Callable[[], Step | None],
        note: Callable[[Operation], None],
        prefix: str = "",
        rate_max: float = float("inf"),
        requests_max: int,
        is_retrying: bool = False,
    ) -> None:
        self.history: list[Operation] = []
        """All that was asked, in that order."""
        self.received_bytes = 0
        self.retried = 0
        """How many requests asked for a step again."""
        self._where = where
        self._choose = choose
        self._note = note
        self._left = requests_max
        self._pace_s = 1 / rate_max
        self._next_s = time.monotonic()
        self._messages = {step: request(step, host_field(*where[0]), prefix) for step in PATHS}
        self._keys = secrets.token_hex(8) if is_retrying else ""
        """What the keys of all its steps begin with, so that no other run has the same."""
        self._clients = [_Client(0.0, number) for number in range(clients)]
        self._selector = selectors.DefaultSelector()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._clients:
            self._lose(client)
        self._selector.close()

    @property
    def under_way(self) -> int:
        """How many requests have no answer yet, and may have one."""
        return sum(client.operation is not None for client in self._clients)

    @property
    def is_done(self) -> bool:
        """Whether all that may be asked was asked, and answered or lost."""
        return self._left == 0 and not self.under_way

    def stop(self) -> None:
        """Ask no more."""
        self._left = 0

    def turn(self, patience_s: float) -> None:
        """Ask what may be asked, and take the answers that are there or come within the time. Raises NotAnAnswer."""
        until_s = time.monotonic() + patience_s
        while True:
            now_s = time.monotonic()
            wake_s = min(until_s, self._ask(now_s))
            for key, _ in self._selector.select(max(0.0, wake_s - now_s)):
                self._go_on(key.data)
            if time.monotonic() >= until_s or self.is_done:
                return

    def _ask(self, now_s: float) -> float:
        """Let every client ask that may; return when the next may."""
        wake_s = now_s + 1
        self._next_s = max(self._next_s, now_s - 10 * _AGAIN_S)  # What was missed for longer is not made up for.
        for client in self._clients:
            if client.asked_s is not None:
                if now_s - client.asked_s > PATIENCE_S:
                    self._lose(client)
            elif self._left or client.operation is not None:
                if max(client.due_s, self._next_s) > now_s:
                    wake_s = min(wake_s, max(client.due_s, self._next_s))
                elif client.wire is None:
                    self._connect(client)
                elif client.is_connected:
                    self._send(client)
        return wake_s

    def _connect(self, client: _Client) -> None:
        where = self._where[client.at % len(self._where)]
        client.stay = _STAY
        family = socket.AF_INET6 if ":" in where[0] else socket.AF_INET
        client.wire = socket.socket(family, socket.SOCK_STREAM)
        client.wire.setblocking(False)
        with suppress(OSError):  # It shows below.
            client.wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        code = client.wire.connect_ex(where)
        self._selector.register(client.wire, selectors.EVENT_WRITE, client)
        if code not in {0, errno.EINPROGRESS}:
            self._lose(client)

    def _send(self, client: _Client) -> None:
        assert client.wire is not None
        now_s = time.monotonic()
        if client.operation is None:
            step = self._choose()
            client.operation = Operation(step, now_s)
            client.message = self._message(step)
            self.history.append(client.operation)
            self._left -= 1
        else:
            self.retried += 1
        client.asked_s = now_s
        self._next_s += self._pace_s
        try:
            client.wire.send(client.message)  # One packet, on a connection on which nothing else waits.
        except OSError:
            self._lose(client)

    def _message(self, step: Step | None) -> bytes:
        message = self._messages[step]
        if step is None or not self._keys:
            return message
        return b"%bIdempotency-Key: %b-%d\r\n\r\n" % (message[:-2], self._keys.encode("ascii"), len(self.history))

    def _go_on(self, client: _Client) -> None:
        assert client.wire is not None
        try:
            if not client.is_connected:
                if client.wire.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                    self._lose(client)
                    return
                client.is_connected = True
                self._selector.modify(client.wire, selectors.EVENT_READ, client)
                return
            received = client.wire.recv(_RECEIVED_BYTES)
        except OSError:
            received = b""
        if not received:
            self._lose(client)
            return
        self.received_bytes += len(received)
        client.received += received
        found = cut(client.received)
        if found is not None:
            answer, size = found
            del client.received[:size]
            if client.operation is None or client.asked_s is None or client.received:
                raise NotAnAnswer
            self._take(client, client.operation, answer)

    def _take(self, client: _Client, operation: Operation, answer: Answer) -> None:
        if answer.status == NOT_APPLIED and client.may_be_taken:
            client.asked_s = None
            client.due_s = time.monotonic() + _TURNED_AWAY_S
            if answer.closes:
                self._lose(client)
            return
        operation.answered_s = time.monotonic()
        operation.status = answer.status
        if answer.status in _TAKEN:
            if answer.place is None:
                raise NotAnAnswer
            operation.place = answer.place
            operation.value = answer.body.decode("ascii", "replace").strip() if answer.status == WITH_VALUE else None
        elif answer.status == NOT_APPLIED:
            client.due_s = operation.answered_s + _TURNED_AWAY_S
        client.operation = client.asked_s = None
        client.may_be_taken = False
        client.stay -= 1
        self._note(operation)
        if answer.closes or (client.stay <= 0 and len(self._where) > 1):
            self._lose(client)

    def _lose(self, client: _Client) -> None:
        """Close a connection; what was asked on it and not answered is asked again, or stays unknown."""
        # Taken first: a signal that stops may be raised at any line, and then the end of the block comes here again.
        wire, client.wire = client.wire, None
        if wire is not None:
            with suppress(KeyError):
                self._selector.unregister(wire)
            wire.close()
            client.at += 1
        client.may_be_taken |= client.asked_s is not None
        client.asked_s = None
        if not self._keys or (client.operation is not None and client.operation.step is None):
            client.operation = None
            client.may_be_taken = False
        client.is_connected = False
        client.received.clear()
        client.due_s = max(client.due_s, time.monotonic() + _AGAIN_S)
