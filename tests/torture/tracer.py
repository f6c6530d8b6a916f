"""A program that is ended on entering the nth system call of a number, whichever of its threads makes it: ptrace(2).

strace counts the calls of each thread for itself. What waits for the disk has a thread for each call, so each of those
would be its thread's first, and but one of them ever be met.
"""

import ctypes
import os
import signal
import sys
from struct import Struct
from typing import Final

_CONTINUE_TO_CALL: Final = 24
_SEIZE: Final = 0x4206
_INTERRUPT: Final = 0x4207
_LISTEN: Final = 0x4208
_GET_CALL: Final = 0x420E
"""Requests, as in linux/ptrace.h."""
_TELL_CALLS: Final = 0x01
_FOLLOW_THREADS: Final = 0x08
_TELL_EXEC: Final = 0x10
_KILL_WITH_US: Final = 0x100000
"""Options."""
_EXEC: Final = 4
_STOP: Final = 128
"""Events."""
_CALL: Final = signal.SIGTRAP | 0x80
"""What a program stops with that enters or leaves a call."""
_ENTERS: Final = 1
_INFO: Final = Struct("=B3xIQQQ48x")
"""`struct ptrace_syscall_info`: what it does, architecture, two pointers, the number; its arguments."""
_ALL_THREADS: Final = 0x40000000
_STOPPING: Final = {signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU}
_SET_TRACER: Final = 0x59616D61
_ANYBODY: Final = ctypes.c_ulong(-1)

_library = ctypes.CDLL(None, use_errno=True)


def wrapper(number: int, count: int) -> list[str]:
    """Return what to put before a program, that it be ended on entering call `number` for the `count`th time.

    Counted from its start, over all of its threads.
    """
    return [sys.executable, "-m", "torture.tracer", str(number), str(count)]


def main() -> None:
    """Become the program of the arguments, with a tracer that is nobody's child."""
    number, count, *program = sys.argv[1:]
    traced = os.getpid()
    seized, seizing = os.pipe()
    _library.prctl(_SET_TRACER, _ANYBODY, 0, 0, 0)  # Where Yama is asked.
    if child := os.fork():
        os.waitpid(child, 0)
        os.close(seizing)
        assert os.read(seized, 1), "nobody traces"
        os.execvp(program[0], program)
    elif os.fork():
        os._exit(0)
    _ptrace(_SEIZE, traced, _TELL_CALLS | _FOLLOW_THREADS | _TELL_EXEC | _KILL_WITH_US)
    _ptrace(_INTERRUPT, traced)
    os.write(seizing, b"!")
    os.close(seized)
    os.close(seizing)
    _trace(traced, int(number), int(count))


def _trace(traced: int, number: int, count: int) -> None:
    is_begun = False
    while True:
        try:
            thread, status = os.waitpid(-1, _ALL_THREADS)
        except ChildProcessError:  # All have ended.
            return
        if not os.WIFSTOPPED(status):
            continue
        stopped_by, event = os.WSTOPSIG(status), status >> 16
        is_begun |= event == _EXEC
        try:
            if stopped_by == _CALL and is_begun and _entered(thread) == number:
                count -= 1
                if not count:
                    os.kill(traced, signal.SIGKILL)
            is_signal = not event and stopped_by != _CALL
            request = _LISTEN if event == _STOP and stopped_by in _STOPPING else _CONTINUE_TO_CALL
            _ptrace(request, thread, stopped_by if is_signal else 0)
        except ProcessLookupError:  # It was ended meanwhile.
            continue


def _entered(thread: int) -> int | None:
    """Return the number of the call that a thread enters; None if it leaves one."""
    info = ctypes.create_string_buffer(_INFO.size)
    _ptrace(_GET_CALL, thread, ctypes.addressof(info), _INFO.size)
    does, _, _, _, number = _INFO.unpack(info.raw)
    return number if does == _ENTERS else None


def _ptrace(request: int, thread: int, data: int = 0, address: int = 0) -> None:
    arguments = (ctypes.c_long(request), ctypes.c_long(thread), ctypes.c_void_p(address), ctypes.c_void_p(data))
    if _library.ptrace(*arguments) < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


if __name__ == "__main__":
    main()
