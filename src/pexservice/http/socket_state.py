"""What the kernel is asked, and told, of a connected socket, past sending and receiving."""

import fcntl
import socket
import struct
import sys
import termios
from typing import Final

_AT_ONCE: Final = struct.pack("ii", 1, 0)
"""The value of SO_LINGER (socket(7)) that makes a close a reset."""


def reset_when_closed(connected: socket.SocketType) -> None:
    """Have a socket, once it is closed, reset: its client learns at once, and the kernel lets go of what is unsent."""
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)


def narrow(connected: socket.SocketType, buffer_bytes: int, patience_s: float) -> None:
    """Have the kernel keep few bytes of a slow client, and on TCP lose one that acknowledges none for so long."""
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer_bytes)
    if connected.family != socket.AF_UNIX:
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(patience_s * 1000))


def kernel_bytes(connected: socket.SocketType) -> int:
    """Return how many bytes the client has not acknowledged yet (tcp(7), SIOCOUTQ)."""
    return int.from_bytes(fcntl.ioctl(connected, termios.TIOCOUTQ, bytes(4)), sys.byteorder)
