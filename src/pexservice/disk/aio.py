"""Asynchronous writes and syncs by Linux AIO: io_setup(2), io_submit(2), io_getevents(2) and an eventfd(2).

The C library has no wrappers for these calls, but the interface of the kernel is small and for ever. One operation at a
time is described in a structure of 64 bytes (linux/aio_abi.h), which the kernel copies, so there is one for all; it
makes a descriptor readable when any operation is done. A write is asynchronous only to a file opened with O_DIRECT.

PERF: `caio`, a package that wraps the same calls, adds 50 ms to the start: it probes the kernel with a context that it
destroys again, which waits for the kernel's RCU, and imports much that is not needed here. It is 3 us a sync faster.
"""

import ctypes
import os
import sys
from contextlib import suppress
from functools import partial
from struct import Struct
from typing import Final

_CALLS: Final = {"x86_64": (206, 209, 208), "aarch64": (0, 2, 4), "riscv64": (0, 2, 4)}
"""The numbers of io_setup, io_submit and io_getevents (the kernel's syscall tables)."""
_PWRITE: Final = 1
_FSYNC: Final = 2
_FDSYNC: Final = 3
_FLAG_RESFD: Final = 1
"""Tell the eventfd."""
_DSYNC: Final = os.RWF_DSYNC
"""Done means: on stable storage, as if the write had been followed by fdatasync(2)."""


_OPERATION: Final = Struct("<QIiHhIQQqQII")
"""`struct iocb` of linux/aio_abi.h, in the byte order of the machines above: data (the ticket), key, rw_flags, opcode,
priority, fd, buffer, size, offset, reserved, flags, eventfd."""
_EVENT: Final = Struct("<QQqq")
"""`struct io_event`: data, operation, result, and a second result, which nothing here has."""


class DeviceQueue:
    """Operations under way in the kernel, `operations_max` at a time."""

    def __init__(self, operations_max: int) -> None:
        """Set it up, for as long as the process lives.

        Raises OSError if this kernel, machine or sandbox has no Linux AIO.
        """
        calls = _CALLS.get(os.uname().machine) if sys.maxsize > 1 << 32 else None  # A 32-bit process has other numbers.
        setup, submit, getevents = map(ctypes.c_long, calls or (-1, -1, -1))
        syscall = ctypes.PyDLL(None, use_errno=True).syscall  # Keeps the GIL: none of these calls waits.
        context = ctypes.c_ulong(0)
        _check(syscall(setup, ctypes.c_long(operations_max), ctypes.byref(context)))
        self._eventfd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        operation = ctypes.create_string_buffer(_OPERATION.size)
        events = ctypes.create_string_buffer(_EVENT.size * operations_max)
        # PERF: structures are packed and unpacked in one go, and arguments are made once: 3 us less an operation.
        self._describe = partial(_OPERATION.pack_into, operation, 0)
        self._told = partial(_EVENT.unpack_from, events)
        operations = (ctypes.c_void_p * 1)(ctypes.addressof(operation))
        self._submit = partial(syscall, submit, context, ctypes.c_long(1), operations)
        at_once = (ctypes.c_long * 2)(0, 0)  # A timespec.
        room = ctypes.c_long(operations_max)
        self._get_events = partial(syscall, getevents, context, ctypes.c_long(0), room, events, at_once)

    def fileno(self) -> int:
        """Return the descriptor that is readable when `completed` has something to tell."""
        return self._eventfd

    def sync(self, fd: int, ticket: int, *, is_directory: bool) -> None:
        """Begin fdatasync(2), or fsync(2) of a directory. Raises OSError, and then nothing was begun."""
        opcode = _FSYNC if is_directory else _FDSYNC
        self._describe(ticket, 0, 0, opcode, 0, fd, 0, 0, 0, 0, _FLAG_RESFD, self._eventfd)
        _check(self._submit())

    def write(self, fd: int, ticket: int, address: int, size_bytes: int, offset: int) -> None:
        """Begin to write memory, which must stay as it is, and to put it on stable storage. Raises as `sync`."""
        flags = _FLAG_RESFD
        self._describe(ticket, 0, _DSYNC, _PWRITE, 0, fd, address, size_bytes, offset, 0, flags, self._eventfd)
        _check(self._submit())

    def completed(self) -> list[tuple[int, int]]:
        """Return the ticket of each operation that is done since the last call, and what it returned.

        That is the number of bytes written, 0 for a sync, or an error number, negated.
        """
        try:
            os.eventfd_read(self._eventfd)
        except BlockingIOError:  # An earlier call was told already.
            return []
        count = self._count()
        told = self._told
        return [told(nth * _EVENT.size)[::2] for nth in range(count)]

    def _count(self) -> int:
        while True:  # The descriptor was read, so nobody else is told of what a signal interrupts here.
            with suppress(InterruptedError):
                return _check(self._get_events())


def _check(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result
