"""The store of a worker: another process orders its groups, and reads come from shared memory.

One group is under way at a time, so what a worker can have waiting at the writer is bounded; commands that arrive
meanwhile form the next group, as with a disk. Where a group began is known only when it is durable. What it came to is
computed here, by the same pure function as there, so the writer tells no more than the beginning.
"""

import asyncio
import socket
from collections import deque
from collections.abc import Callable, Generator, Sequence
from typing import Any, Final, Generic

from pexservice.core.judging import Judgement, Place, follow
from pexservice.core.keys import NO_TERMS, AllTerms
from pexservice.core.machine import C, Machine, S
from pexservice.core.store import Commit, Status
from pexservice.errors import NotApplied
from pexservice.limits import Limits
from pexservice.stores.shared.board import Board
from pexservice.stores.shared.message import Hearing, Kind, Told, group


class WriterSilent(NotApplied):
    """Raised by a worker while the process that owns the data shows no sign that it goes on."""

    is_lasting = True
    code = "writer-silent"
    title = "The writer is silent"
    detail = "The process that owns the data does not go on. Nothing was done; ask again."


class _Committing(Generic[S, C]):
    """A group at the writer, as `store.Commit`."""

    __slots__ = ("_commands", "_machine", "_taken")

    expected: Judgement[S, C] | None = None

    def __init__(self, machine: Machine[S, C], commands: Sequence[C], taken: asyncio.Future[Told[S]]) -> None:
        self._machine = machine
        self._commands = commands
        self._taken = taken

    def __await__(self) -> Generator[Any, None, Judgement[S, C]]:
        told = yield from self._taken
        assert told.start is not None, "what was taken began somewhere"
        return follow(self._machine, told.start, self._commands, told.replays, told.refusals)


class SharedStore(Generic[S, C]):
    """Hands groups to the writer, over one connected socket that keeps messages apart."""

    is_shared: Final = True
    is_remote: Final = False
    in_flight_max: Final = 1

    def __init__(  # noqa: PLR0913 - what a process shares with its writer, and whom it tells.
        self,
        machine: Machine[S, C],
        channel: socket.socket,
        board: Board[S, C],
        limits: Limits,
        *,
        on_told: Callable[[Kind], None],
        on_end: Callable[[], None],
        on_commit: Callable[[], None] = lambda: None,
    ) -> None:
        """Must be called with an event loop running.

        `on_told` is called with what the writer says that is about no group, and `on_end` when it is gone: then nothing
        may be answered any more. `on_commit` is called with each group.
        """
        self._machine = machine
        self._channel = channel
        self._board = board
        self._limits = limits
        self._on_told = on_told
        self._on_end = on_end
        self._on_commit = on_commit
        self._number = 0
        self._taken: asyncio.Future[Told[S]] | None = None
        self._hearing: Hearing[S] = Hearing(machine)
        self._unsent: deque[bytes] = deque()
        """What the kernel has yet to take of the group that leaves."""
        self.is_writer_silent = False
        """Whether nothing more is to be handed to it: it may hang, and who waits for it would wait with it."""
        self.key_secret = b""
        """As `Store.key_secret`; the writer tells it when groups are taken."""
        asyncio.get_running_loop().add_reader(channel, self._on_message)

    @property
    def unready(self) -> NotApplied | None:
        """As `Store.unready`."""
        return self._board.unready or (WriterSilent() if self.is_writer_silent else None)

    def commit(self, commands: Sequence[C], terms: AllTerms = NO_TERMS) -> Commit[S, C]:
        """As `Store.commit`. What is longer than the kernel takes at once leaves as the writer takes it."""
        assert self._taken is None, "one group is at the writer at a time"
        self._on_commit()
        self._number += 1
        taken: asyncio.Future[Told[S]] = asyncio.get_running_loop().create_future()
        self._unsent.extend(group(self._number, len(commands), self._machine.pack(commands), terms, self._limits))
        if not self._send():
            asyncio.get_running_loop().add_writer(self._channel, self._send_rest)
        self._taken = taken
        return _Committing(self._machine, commands, taken)

    def read(self) -> Place[S]:
        """As `Store.read`."""
        return self._board.place

    def status(self) -> Status:
        """As `Store.status`."""
        return self._board.status

    async def run(self) -> None:
        """As `Store.run`: there is nothing to do."""
        await asyncio.get_running_loop().create_future()

    async def close(self) -> None:
        """As `Store.close`."""
        asyncio.get_running_loop().remove_reader(self._channel)
        asyncio.get_running_loop().remove_writer(self._channel)
        self._channel.close()

    def _send(self) -> bool:
        """Send what the kernel takes now; tell whether that was all."""
        unsent = self._unsent
        try:
            while unsent:
                # To be told of messages, uvloop made the socket one that does not wait, which it hides from Python.
                self._channel.send(unsent[0], socket.MSG_DONTWAIT)
                unsent.popleft()
        except BlockingIOError:
            return False
        except OSError:  # The writer is gone.
            unsent.clear()
            self._on_end()
        return True

    def _send_rest(self) -> None:
        if self._send():
            asyncio.get_running_loop().remove_writer(self._channel)

    def _on_message(self) -> None:
        try:
            data = self._channel.recv(self._limits.message_bytes_max, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            told = self._hearing.hear(data)
            if told is not None:
                self._take(told)
        else:
            asyncio.get_running_loop().remove_reader(self._channel)
            self._on_end()

    def _take(self, told: Told[S]) -> None:
        if told.kind not in {Kind.TAKEN, Kind.TURNED_AWAY}:
            self.key_secret = told.secret or self.key_secret
            self._on_told(told.kind)
            return
        taken, self._taken = self._taken, None
        assert taken is not None, "the writer tells of a group that is at it"
        assert told.number == self._number, "groups are answered in order"
        if taken.cancelled():
            return
        if told.start is not None:
            taken.set_result(told)
        else:
            taken.set_exception(self._board.reason(told.reason).with_traceback(None))  # Else it grows each time.
