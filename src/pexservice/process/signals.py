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


_heard: Final[list[int]] = []
"""The signal that ends this process in order, once it came."""


def end_at_once() -> None:
    """Let the first signal end the process: with 0 if it is to serve, since then it was asked to stop, and has."""

    def end(number: int, _: FrameType | None) -> None:
        if sys.argv[1:2] == ["serve"]:
            os._exit(0)
        _handle(lambda again, _: end_by(signal.Signals(again)))  # No default action: see `on_first`.
        _heard.append(number)
        raise_heard()

    _handle(end)
    # Whoever started us may have had them blocked: by oversight, or so that none is lost before this line.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGIO])  # By all threads, which inherit it: see `disk/aio.py`.


def raise_heard() -> None:
    """Raise what ends this process in order, if a signal came that is to: also after that became another error.

    Python 3.11 makes a RuntimeError of whatever is raised while an attribute learns its name, as a field of a dataclass
    and a member of an enumeration do; so a signal during an import would be taken for a defect.
    """
    for number in _heard:
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        sys.exit(128 + number)  # In order: a terminal may be without its cursor.


def on_first(stop: Callable[[], None]) -> None:
    """Let the first signal call `stop`, in between whatever runs; another ends the process, at once and for certain.

    Also one that came together with the first. `signal.signal` would have Python drop that with a traceback, since its
    handler went before it was called; so the kernel is told of the default action, and Python keeps its handler.
    """
    import ctypes  # noqa: PLC0415 - it takes 7 ms, and the journal has it.

    tell_kernel = ctypes.PyDLL(None).signal
    was_heard = False

    def hear(number: int, _: FrameType | None) -> None:
        nonlocal was_heard
        if was_heard:
            os._exit(128 + number)
        was_heard = True
        if os.getpid() != _INIT_PID:
            for each in filter(_is_ours, _STOPPING):
                tell_kernel(int(each), None)  # A null pointer is SIG_DFL.
        stop()

    _handle(hear)


def end_by(number: signal.Signals) -> NoReturn:
    """End this process by a signal, so that its parent sees what it expects of a program that was stopped by one."""
    signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    os.kill(os.getpid(), number)
    sys.exit(128 + number)


def _handle(action: Callable[[int, FrameType | None], None]) -> None:
    for number in filter(_is_ours, _STOPPING):
        signal.signal(number, action)


def _is_ours(number: signal.Signals) -> bool:
    """Tell whether to hear a signal.

    nohup(1) ignores SIGHUP. A shell without job control ignores SIGINT for what it starts with &: that says who hears
    Ctrl-C, and not who may be told to stop.
    """
    return number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN
