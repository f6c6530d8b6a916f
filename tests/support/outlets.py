"""Places for a log that nobody reads: each is full, or stopped, from the beginning."""

import os
import pty
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

KINDS: Final = ("pipe", "socket", "terminal")
_XOFF: Final = b"\x13"
"""Ctrl-S."""
_XON: Final = b"\x11"
"""Ctrl-Q."""


class Outlet:
    """What stands at the other end of a descriptor, and does not read until told to."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        if kind == "pipe":
            self._reader, self.fd = os.pipe()
        elif kind == "socket":
            self._reader, self.fd = (each.detach() for each in socket.socketpair())
        else:
            self._reader, self.fd = pty.openpty()
        if kind == "terminal":
            os.write(self._reader, _XOFF)
        else:
            _fill(self.fd)
        self._text = b""
        self._reading: threading.Thread | None = None

    def begin_to_read(self) -> None:
        """Take everything from now on."""
        if self._kind == "terminal":
            os.write(self._reader, _XON)
        self._reading = threading.Thread(target=self._read)
        self._reading.start()

    def text(self) -> str:
        """Return everything that was taken, once nobody can write any more."""
        os.close(self.fd)
        self.fd = -1
        assert self._reading is not None
        self._reading.join()
        return self._text.decode()

    def close(self) -> None:
        for fd in (self.fd, self._reader):
            if fd >= 0:
                os.close(fd)

    def _read(self) -> None:
        with suppress(OSError):  # A terminal ends with EIO.
            while piece := os.read(self._reader, 1 << 16):
                self._text += piece


def _fill(fd: int) -> None:
    os.set_blocking(fd, False)
    with suppress(BlockingIOError):
        while True:
            os.write(fd, b"x" * 511 + b"\n")
    with suppress(BlockingIOError):
        while True:
            os.write(fd, b"x")
    os.set_blocking(fd, True)  # It is everyone's who has this descriptor, and the service has to do without it.


@contextmanager
def unread(kind: str) -> Iterator[Outlet]:
    """Give an outlet that nobody reads."""
    outlet = Outlet(kind)
    try:
        yield outlet
    finally:
        outlet.close()
