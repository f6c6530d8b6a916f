"""A thread that waits in accept(2), for listeners that several processes share.

Of all that wait in accept(2) on a socket, the kernel wakes one for each connection, and always the one that has waited
longest (accept is the one call that waits in such a queue; epoll wakes all, or with EPOLLEXCLUSIVE always the same). So
connections go round the processes by themselves: one wake-up each, no message, no lock, nothing that turns. Who is
busy, suspended or dead does not wait there, and gets none.
"""

import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Final

import structlog

from pexservice.errors import defect, reason

log = structlog.get_logger()

_STOP: Final = signal.SIGUSR1
"""Interrupts accept(2), and is of no meaning otherwise."""
_STDERR: Final = 2
_STOP_S_MAX: Final = 5.0
"""For a thread that was interrupted to end: it has some lines to run."""


class Acceptor:
    """Accepts connections, one by one, and hands them over from its own thread."""

    def __init__(
        self,
        listening: socket.socket,
        on_accepted: Callable[[socket.SocketType], None],
        pause_s: Callable[[], float],
        retry_s: float,
    ) -> None:
        """`on_accepted` is called in the thread, and after each time others may accept first, for `pause_s()`.

        Without a descriptor for a connection, it tries again after `retry_s`.
        """
        self._listening = listening
        self._kind = int(listening.family), int(listening.type), listening.proto
        self._on_accepted = on_accepted
        self._pause_s = pause_s
        self._retry_s = retry_s
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name="accept", daemon=True)

    def start(self) -> None:
        """Begin. To be called in the main thread. Raises RuntimeError if no thread can be had."""
        signal.signal(_STOP, _ignore)
        self._listening.setblocking(True)
        if self._listening.family != socket.AF_UNIX:
            # For a socket that was passed without it: who connects from now on inherits it.
            self._listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._thread.start()

    def stop(self) -> None:
        """Accept no more, and return when every connection that was accepted is handed over.

        The socket itself goes on to listen, for the others and for whoever comes after us.
        """
        self._is_stopping = True
        # The next call finds no socket that listens, and ends. It is one that is there: none may be left to be had.
        os.dup2(_STDERR, self._listening.fileno(), inheritable=False)
        if self._thread.is_alive() and self._thread.ident is not None:
            signal.pthread_kill(self._thread.ident, _STOP)
            self._thread.join(_STOP_S_MAX)

    def _run(self) -> None:
        try:
            while not self._is_stopping:
                self._accept()
        except Exception as error:  # noqa: BLE001 - without this thread, the process would never have clients again.
            log.critical("unexpected error, a defect of this program", defect=defect(error))
            os.kill(os.getpid(), signal.SIGTERM)

    def _accept(self) -> None:
        try:
            fd, _ = self._listening._accept()  # type: ignore[attr-defined] # PERF: as `Listener.accept`.
            self._on_accepted(socket.SocketType(*self._kind, fd))
        except ConnectionAbortedError:
            return
        except (OSError, MemoryError) as error:
            if not self._is_stopping:
                log.warning("cannot accept connections, they wait", error=reason(error))
                time.sleep(self._retry_s)
            return
        pause_s = self._pause_s()
        if pause_s:
            time.sleep(pause_s)


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """Do nothing, which is not what SIG_IGN does: that interrupts nothing."""
