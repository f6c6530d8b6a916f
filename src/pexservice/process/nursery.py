"""The process that worker processes are forked from, and which does nothing else.

It is forked itself before there is an event loop, a thread or a lock that a fork could leave in the middle of
something, and after all imports, so their memory is shared. It waits for orders of the service, one at a time, and is
the parent of the workers: it ends them, and learns what they ended with. Whoever dies takes those below along, so no
worker outlives the service: the service this process, and this process the workers (PR_SET_PDEATHSIG of prctl(2)).
"""

import asyncio
import ctypes
import gc
import os
import pickle
import signal
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final, NoReturn

from pexservice.errors import Fatal, Scarce, reason
from pexservice.limits import Limits

_PR_SET_PDEATHSIG: Final = 1
SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""They stay blocked in the nursery, and in a worker until it hears them."""
_FDS_MAX: Final = 253
"""Of one order: listeners, a lock and a socket. More go with no message: SCM_MAX_FD of unix(7)."""

Work = Callable[[Any, Sequence[int]], NoReturn]
"""What a worker does: with what it was ordered, and with the descriptors that came along."""


class NurseryLost(Fatal):
    """Raised when the process that starts workers is gone, or does not answer: no worker could be replaced."""

    exit_status = 71


class Nursery:
    """Starts and ends workers, by number."""

    def __init__(self, control: socket.socket, pid: int, limits: Limits) -> None:
        """Use `found`."""
        self.pid = pid
        self._control = control
        self._limits = limits
        self._asking = asyncio.Lock()
        self._reply: asyncio.Future[bytes] | None = None
        self.lost: asyncio.Future[None] | None = None
        """Is done when the process is gone."""

    @classmethod
    def found(cls, work: Work, limits: Limits) -> "Nursery":
        """Fork the process. To be called without an event loop. Raises Scarce."""
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        gc.collect()
        gc.freeze()  # So that no collection touches, and with that copies, what is shared from now on.
        parent = os.getpid()
        masked = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            pid = os.fork()
        except OSError as error:
            raise Scarce(f"no process can be started: {reason(error)}. Raise the limit on them.") from error
        if not pid:
            ours.close()
            _tend(its, parent, work)
        signal.pthread_sigmask(signal.SIG_SETMASK, masked)
        its.close()
        return cls(ours, pid, limits)

    def attend(self) -> None:
        """Listen to it from now on, in the event loop that is running."""
        loop = asyncio.get_running_loop()
        self.lost = loop.create_future()
        loop.add_reader(self._control, self._on_reply)

    async def start(
        self, number: int, order: object, fds: Sequence[int], is_wanted: Callable[[], bool] = lambda: True
    ) -> int:
        """Start a worker with an order, and copies of descriptors; return its pid, or 0 if it is wanted no more.

        That is asked when its turn comes, and if not, the descriptors may be closed. Raises Scarce, NurseryLost.
        """
        pid = int(await self._ask(("start", number, order), fds, is_wanted))
        if pid < 0:
            raise Scarce(f"no worker process can be started: {os.strerror(-pid)}. Raise the limit on processes.")
        return pid

    async def kill(self, number: int) -> None:
        """Have a worker end, whatever it does. Raises NurseryLost."""
        await self._ask(("kill", number, None))

    async def end(self, number: int) -> int:
        """As `kill`, of one that may have ended; return its exit status, or minus the signal. Raises NurseryLost."""
        return int(await self._ask(("end", number, None)))

    async def _ask(
        self, what: tuple[str, int, object], fds: Sequence[int] = (), is_wanted: Callable[[], bool] = lambda: True
    ) -> bytes:
        async with self._asking:
            if not is_wanted():
                return b"0"
            self._reply = asyncio.get_running_loop().create_future()
            try:
                socket.send_fds(self._control, [pickle.dumps(what)], list(fds), socket.MSG_DONTWAIT)
                return await asyncio.wait_for(self._reply, self._limits.nursery_patience_s)
            except (OSError, TimeoutError) as error:
                raise NurseryLost("the process that starts workers does not answer.") from error

    def _on_reply(self) -> None:
        data = b""
        with suppress(OSError):
            data = self._control.recv(64)
        if not data:
            asyncio.get_running_loop().remove_reader(self._control)
            if self.lost is not None and not self.lost.done():
                message = "the process that starts workers was ended from outside. Look for who did, or what ran short."
                self.lost.set_exception(NurseryLost(message))
        if self._reply is not None and not self._reply.done():
            self._reply.set_result(data or b"0")


def die_with(parent: int) -> None:
    """Have this process killed when its parent ends. Ends it at once if that has happened."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def _tend(control: socket.socket, parent: int, work: Work) -> NoReturn:
    """Carry out orders until nobody is left to give any.

    Signals to stop, also a terminal's, which all its processes get, are for the service to decide on. They stay
    blocked, and are not ignored: a worker would take that for the wish of who started the service, as of nohup(1).
    """
    die_with(parent)
    # Whoever started us may have it ignored, which lasts, and then the kernel keeps nobody to wait for.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pids: dict[int, int] = {}
    while True:
        data, fds, _, _ = socket.recv_fds(control, 65_536, _FDS_MAX)
        if not data:
            os._exit(0)
        kind, number, order = pickle.loads(data)  # noqa: S301 - of the service itself, over a socket of its own.
        if kind == "start":
            reply = _start(control, partial(work, order, fds), pids, number)
        else:
            os.kill(pids[number], signal.SIGKILL)  # To one that has ended, and is not yet waited for, it does nothing.
            reply = os.waitstatus_to_exitcode(os.waitpid(pids.pop(number), 0)[1]) if kind == "end" else 0
        for fd in fds:
            os.close(fd)
        control.send(b"%d" % reply)


def _start(control: socket.socket, work: Callable[[], NoReturn], pids: dict[int, int], number: int) -> int:
    parent = os.getpid()
    try:
        pid = os.fork()
    except OSError as error:
        return -(error.errno or 1)
    if not pid:
        control.close()
        die_with(parent)
        work()
    pids[number] = pid
    return pid
