"""The signals that stop: SIGTERM, SIGINT, and SIGHUP as SIGTERM.

Before the service has begun there is nothing to end in order, so a signal ends the process at once, and for `serve`
that is a stop in order. From then on the first signal asks for one, and the second is left to the kernel: its default
action needs no event loop, no log and no Python. Only the first process of a namespace has no default action, and ends
itself.

All handlers are those of `signal.signal`, which run between two bytecodes of the main thread and interrupt its system
calls, whether or not its event loop turns.
"""

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Final, NoReturn

_STOPPING: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_INIT_PID: Final = 1
"""Signals without a handler are lost on it: pid_namespaces(7)."""


def end_at_once() -> None:
    """Let the first signal end the process: with 0 if it is to serve, since then it was asked to stop, and has."""

    def end(number: int, _: FrameType | None) -> None:
        if sys.argv[1:2] == ["serve"]:
            os._exit(0)
        _handle(signal.SIG_DFL)
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        sys.exit(128 + number)  # In order: a terminal may be without its cursor.

    _handle(end)
    # Whoever started us may have had them blocked: by oversight, or so that none is lost before this line.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)


def on_first(stop: Callable[[], None]) -> None:
    """Let the first signal call `stop`, in between whatever runs; another ends the process, at once and for certain."""
    was_heard = False

    def hear(number: int, _: FrameType | None) -> None:
        nonlocal was_heard
        if was_heard:
            os._exit(128 + number)
        was_heard = True
        if os.getpid() != _INIT_PID:
            _handle(signal.SIG_DFL)
        stop()

    _handle(hear)


def end_by(number: signal.Signals) -> NoReturn:
    """End this process by a signal, so that its parent sees what it expects of a program that was stopped by one."""
    signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    os.kill(os.getpid(), number)
    sys.exit(128 + number)


def _handle(action: Callable[[int, FrameType | None], None] | signal.Handlers) -> None:
    for number in _STOPPING:
        # nohup(1) ignores SIGHUP. A shell without job control ignores SIGINT for what it starts with &: that says who
        # hears Ctrl-C, and not who may be told to stop.
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, action)
