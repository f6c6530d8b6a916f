"""The one process that owns the data: it joins the groups of all workers to groups of its own store.

What workers send while the store is busy becomes one group of the store, so the more workers there are, the more share
a row and a sync. The order in which a durable group is told of is what makes reads right: it is published before
anybody is answered. The next group leaves between the two, since the disk should not wait for messages. And where a
store takes several groups at once, another leaves beside those in flight as soon as half of the workers wait: to take
each part by itself would cost a row each.
"""

import asyncio
import socket
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from typing import Final, Generic, cast

import structlog

from pexservice.core.judging import OWN_REFUSALS, Judgement, Place
from pexservice.core.keys import Terms
from pexservice.core.machine import C, Machine, S
from pexservice.core.store import Commit, Store
from pexservice.errors import DefectiveMachine, NotApplied, ending
from pexservice.limits import ROW_COMMANDS_MAX, Limits
from pexservice.stores.shared.board import Board
from pexservice.stores.shared.message import Kind, Part, Told, taken, told

log = structlog.get_logger()

_UNLIKE: Final = (
    "does not read the commands again that it wrote: its encode and decode, or its pack and unpack, do not agree."
)


def connected(limits: Limits) -> tuple[socket.socket, socket.socket]:
    """Return two connected sockets, for the writer and a worker, which keep messages apart and take the longest.

    The kernel's default (net.core.wmem_default) may have been made less than that, and then a message is an error.
    """
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for each in ends:
        each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, limits.message_bytes_max)  # The kernel doubles it.
    return ends


class Channel(Generic[S, C]):
    """The writer's end of the socket to one worker."""

    __slots__ = ("is_waiting", "part", "socket", "unsent")

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self.part = Part()
        """What the worker is sending."""
        self.unsent: deque[bytes] = deque()
        """Messages that its socket has no room for. Of one group at the most, since it waits for the answer."""
        self.is_waiting = False
        """Whether the event loop tells when there is room."""


@dataclass(frozen=True, slots=True)
class _Joined(Generic[S, C]):
    """Parts of several workers that share a group of the store."""

    parts: list[tuple[Channel[S, C], Part]]
    commit: Commit[S, C] | Exception
    """On its way, or why it is not: told when its turn comes, behind the groups before it."""


class Writer(Generic[S, C]):
    """Orders what workers send, makes it durable, publishes it, and answers."""

    def __init__(self, machine: Machine[S, C], board: Board[S, C], limits: Limits) -> None:
        self.machine = machine
        self._board = board
        self._limits = limits
        self._store: Store[S, C] | None = None
        self._waiting: deque[tuple[Channel[S, C], Part]] = deque()
        self._in_flight: deque[_Joined[S, C]] = deque()
        self._channels: set[Channel[S, C]] = set()
        """Of the workers that have joined and are not gone."""
        self._is_submitting = False
        self._arrival: asyncio.Future[None] | None = None
        self._buffer = bytearray(limits.message_bytes_max)  # PERF: one that is kept; a fresh one each time costs more.

    # What reports and metrics ask, as of `Engine`.

    @property
    def unready(self) -> NotApplied | None:
        """As `Engine.unready`."""
        return self._board.unready

    @property
    def place(self) -> Place[S]:
        """As `Engine.place`."""
        return self._board.place

    @property
    def waiting(self) -> int:
        """How many commands workers wait for."""
        joined = chain(self._waiting, *(each.parts for each in self._in_flight))
        return sum(part.count for _, part in joined)

    @property
    def is_stalled(self) -> bool:
        """As `Engine.is_stalled`."""
        return bool(self._waiting) and not self._in_flight

    # What the process does.

    def join(self, connected: socket.socket, on_gone: Callable[[Channel[S, C]], None]) -> Channel[S, C]:
        """Take the groups of another worker, until it is gone."""
        channel: Channel[S, C] = Channel(connected)
        self._channels.add(channel)
        asyncio.get_running_loop().add_reader(connected, self._on_message, channel, on_gone)
        if self._store is not None:
            self.tell(channel, Told(Kind.OPEN, secret=self._store.key_secret))
        return channel

    def tell(self, channel: Channel[S, C], message: Told[S]) -> None:
        """Tell a worker something. One that is gone, or does not listen, is not waited for: it gets replaced."""
        self._push(channel, told(self.machine, message, self._limits))

    def _push(self, channel: Channel[S, C], data: Iterable[bytes]) -> None:
        is_waiting = bool(channel.unsent)
        channel.unsent.extend(data)
        if not is_waiting:
            self._send(channel)

    async def run(self, store: Store[S, C]) -> None:
        """Take groups and commit them, for ever. Raises Fatal."""
        self._board.show_place(store.read())
        self.look(store)
        self._store = store
        for channel in self._channels:  # By now: one may have joined since this was called.
            self.tell(channel, Told(Kind.OPEN, secret=store.key_secret))
        while True:
            self._submit(store)
            if self._in_flight:
                await self._complete(store, self._in_flight[0])
            else:
                self._arrival = asyncio.get_running_loop().create_future()
                await self._arrival

    def look(self, store: Store[S, C]) -> None:
        """Publish how the store is: it may have become ready, or unready, by itself."""
        self._board.show_unready(store.unready)

    # How it is done.

    def _send(self, channel: Channel[S, C]) -> None:
        """Send what the socket of a worker has room for, now and when there is more."""
        unsent, was_waiting = channel.unsent, channel.is_waiting
        try:
            while unsent:
                channel.socket.send(unsent[0], socket.MSG_DONTWAIT)
                unsent.popleft()
        except BlockingIOError:
            pass
        except OSError:  # It is gone; or it would wait for this for ever, so it has to go.
            unsent.clear()
            with suppress(OSError):
                channel.socket.shutdown(socket.SHUT_RDWR)
        channel.is_waiting = bool(unsent)
        if channel.is_waiting and not was_waiting:
            asyncio.get_running_loop().add_writer(channel.socket, self._send, channel)
        elif was_waiting and not channel.is_waiting and channel.socket.fileno() >= 0:
            asyncio.get_running_loop().remove_writer(channel.socket)

    def _on_message(self, channel: Channel[S, C], on_gone: Callable[[Channel[S, C]], None]) -> None:
        try:
            size = channel.socket.recv_into(self._buffer, 0, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError:
            size = 0
        if not size:
            asyncio.get_running_loop().remove_reader(channel.socket)
            asyncio.get_running_loop().remove_writer(channel.socket)
            channel.unsent.clear()
            channel.socket.close()
            self._channels.discard(channel)
            on_gone(channel)
            return
        if not channel.part.add(memoryview(self._buffer)[:size]):
            return
        self._waiting.append((channel, channel.part))
        channel.part = Part()
        if self._arrival is not None:
            self._arrival.set_result(None)
            self._arrival = None
        elif self._store is not None and self._may_submit(self._store) and not self._is_submitting:
            self._is_submitting = True
            asyncio.get_running_loop().call_soon(self._submit, self._store)  # After who came at the same time.

    def _may_submit(self, store: Store[S, C]) -> bool:
        """Whether a group is to leave now."""
        waiting = len(self._waiting)
        if not waiting or not self._in_flight:
            return waiting > 0
        return waiting * 2 >= len(self._channels) and len(self._in_flight) < store.in_flight_max

    def _submit(self, store: Store[S, C]) -> None:
        """Hand groups to the store, as many as it takes at once."""
        self._is_submitting = False
        while self._may_submit(store):
            parts, count = [self._waiting.popleft()], 0
            count = parts[0][1].count
            while self._waiting and count + self._waiting[0][1].count <= ROW_COMMANDS_MAX:
                parts.append(self._waiting.popleft())
                count += parts[-1][1].count
            self._in_flight.append(_Joined(parts, self._commit(store, parts)))

    def _commit(self, store: Store[S, C], parts: Sequence[tuple[Channel[S, C], Part]]) -> Commit[S, C] | Exception:
        try:
            terms: dict[int, Terms] = {}
            begin = 0
            for _, part in parts:
                if part.has_terms:
                    terms.update((begin + index, each) for index, each in part.terms.items())
                begin += part.count
            return store.commit(_concatenated([self._unpacked(part) for _, part in parts]), terms)
        except Exception as error:  # noqa: BLE001 - as `_Joined.commit`.
            return error

    def _unpacked(self, part: Part) -> Sequence[C]:
        """Return the commands of a worker, which goes by its own. Raises DefectiveMachine if these are others."""
        try:
            commands = self.machine.unpack(part.packed)
            is_whole = len(commands) == part.count
        except Exception as error:
            if ending(error) is not None:
                raise
            raise DefectiveMachine(self.machine.name, _UNLIKE) from error
        if not is_whole:
            raise DefectiveMachine(self.machine.name, _UNLIKE)
        return commands

    async def _complete(self, store: Store[S, C], joined: _Joined[S, C]) -> None:
        """Wait for the head of the groups in flight, publish, go on, and answer."""
        try:
            if isinstance(joined.commit, Exception):
                raise joined.commit
            judgement = await joined.commit
        except NotApplied as error:
            self._in_flight.popleft()
            self.look(store)
            if not error.is_lasting:  # Else workers tell of it: they know the reason, and not all that it says.
                log.error("commands are turned away", reason=error.code, error=str(error) or error.detail)
            number = self._board.number_of(error)
            for channel, part in joined.parts:
                self.tell(channel, Told(Kind.TURNED_AWAY, part.number, reason=number))
            return
        self._in_flight.popleft()
        self._board.show_place(judgement.end)
        self._submit(store)
        if not judgement.refusals and not judgement.replays:
            self._tell_taken(joined.parts, judgement)
            return
        parts = [part for _, part in joined.parts]
        for (channel, _), share in zip(joined.parts, shares(judgement, parts), strict=True):
            self.tell(channel, share)

    def _tell_taken(self, parts: Sequence[tuple[Channel[S, C], Part]], judgement: Judgement[S, C]) -> None:
        """Tell workers of a group of which all was taken. PERF: as `tell` and `shares`, without objects between."""
        encode_state, states = self.machine.encode_state, judgement.states
        first, state = judgement.start.sequence, judgement.start.state
        end = 0
        for channel, part in parts:
            self._push(channel, taken(part.number, first + end, encode_state(state), self._limits))
            end += part.count
            state = states[end - 1]
        assert first + end == judgement.end.sequence, "the parts are the whole group"


def shares(judgement: Judgement[S, C], parts: Sequence[Part]) -> Iterator[Told[S]]:
    """Yield what to tell of each part of a group."""
    sequence, state = judgement.start.sequence, judgement.start.state
    begin = 0
    for part in parts:
        end = begin + part.count
        refusals = {index - begin: each for index, each in judgement.refusals.items() if begin <= index < end}
        replays = {index - begin: each for index, each in judgement.replays.items() if begin <= index < end}
        own = {index: refusal for index, refusal in refusals.items() if refusal.code in OWN_REFUSALS}
        yield Told(Kind.TAKEN, part.number, Place(sequence, state), replays, own)
        sequence += part.count - len(refusals) - len(replays)
        state = judgement.states[end - 1]
        begin = end
    assert sequence == judgement.end.sequence, "the parts are the whole group"


def _concatenated(sequences: Sequence[Sequence[C]]) -> Sequence[C]:
    if len(sequences) == 1:
        return sequences[0]
    if all(isinstance(each, bytes) for each in sequences):
        return cast("Sequence[C]", b"".join(cast("Sequence[bytes]", sequences)))
    return list(chain.from_iterable(sequences))
