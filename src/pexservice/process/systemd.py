"""The service manager: the sockets that it passes, what it is told, and its journal.

The protocol is a few environment variables and lines in a datagram, so it needs no library. Where the variables are
absent, as in a terminal or a container, all of this does nothing.
"""

import asyncio
import os
import re
import socket
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from pexservice.errors import WrongSockets, reason

log = structlog.get_logger()

_FIRST_SOCKET_FD: Final = 3
"""SD_LISTEN_FDS_START of sd_listen_fds(3)."""
_KINDS: Final = {
    (socket.AF_UNIX, 0),
    *((family, proto) for family in (socket.AF_INET, socket.AF_INET6) for proto in (socket.IPPROTO_TCP, 262)),
}
"""Families and protocols that are served. systemd can also make streams of AF_VSOCK and SCTP; 262 is MPTCP."""
_SOCKETS_MAX: Final = 1_000
_NUMBER: Final = re.compile("[0-9]{1,20}", re.ASCII)
_UNNAMED: Final = "unknown"
"""What sd_listen_fds_with_names(3) calls a socket without a name."""


def passed_listeners() -> dict[str, socket.socket]:
    """Take the listening sockets that were passed to this process, by name; none if it was started otherwise.

    The variables go from the environment, so that no child takes them for its own: sd_listen_fds(3).
    Raises WrongSockets.
    """
    pid, count, names = (os.environ.pop(name, "") for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"))
    if pid != str(os.getpid()):
        return {}
    if not _NUMBER.fullmatch(count) or int(count) > _SOCKETS_MAX:
        raise WrongSockets(f"LISTEN_FDS is {count!r}, which is no number of sockets.")
    fds = range(_FIRST_SOCKET_FD, _FIRST_SOCKET_FD + int(count))
    listeners: dict[str, socket.socket] = {}
    for fd, name in zip(fds, names.split(":") if names else [_UNNAMED] * len(fds), strict=False):
        if name in listeners:
            raise WrongSockets(
                f"several sockets named {name!r} were passed. Leave one ListenStream= in the socket unit."
            )
        listeners[name] = _listener(fd, name)
    if len(listeners) < len(fds):
        raise WrongSockets(f"{len(fds)} sockets were passed, but only {len(listeners)} names: {names!r}.")
    return listeners


def _listener(fd: int, name: str) -> socket.socket:
    try:
        os.set_inheritable(fd, False)
        passed = socket.socket(fileno=fd)
        is_served = passed.type == socket.SOCK_STREAM and passed.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as error:
        raise WrongSockets(f"descriptor {fd}, passed as the socket {name!r}, is none: {error.strerror}.") from error
    if not is_served:
        passed.detach()
        raise WrongSockets(
            f"the socket {name!r} that was passed does not listen for streams. "
            "The socket unit needs ListenStream= and Accept=no."
        )
    if (passed.family, passed.proto) not in _KINDS:
        passed.detach()
        raise WrongSockets(
            f"the socket {name!r} that was passed is neither of TCP nor a Unix socket. Let ListenStream= in the socket "
            "unit be a port, an address or a path."
        )
    return passed


class Manager:
    """The service manager as one that is told things: sd_notify(3). Without one, nothing is told."""

    def __init__(self, report_period_s: float) -> None:
        """Learn from the environment how to reach it and how often it wants a report, and forget the variables."""
        address, pid, timeout_us = (
            os.environ.pop(name, "") for name in ("NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC")
        )
        self.period_s: float = report_period_s
        """How long it may take from one report to the next."""
        # sd_watchdog_enabled(3), which advises the half. Its numbers are those of C, and 0 is none.
        if _NUMBER.fullmatch(timeout_us) and int(timeout_us) and pid in {"", str(os.getpid())}:
            self.period_s = min(report_period_s, int(timeout_us) / 1e6 / 2)
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._is_heard = True
        self._socket: socket.socket | None = None
        if address:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.setblocking(False)

    def tell(self, lines: Sequence[str]) -> None:
        """Send assignments of sd_notify(3). What cannot be sent at once is lost, so every report must be complete."""
        if self._socket is None:
            return
        try:
            self._socket.sendto("\n".join(lines).encode(), self._address)
        except OSError as error:
            if self._is_heard:  # Said once, until it was heard again.
                log.warning("cannot reach the service manager", error=reason(error))
            self._is_heard = False
        else:
            self._is_heard = True

    def keep_informed(self, report: Callable[[], Sequence[str]]) -> None:
        """Tell what `report` returns, now and once a period, for as long as the event loop turns."""
        if self._socket is not None:
            asyncio.get_running_loop().call_later(self.period_s, self.keep_informed, report)
            self.tell(report())


def is_journal(fd: int) -> bool:
    """Tell whether a descriptor leads to the journal of systemd: JOURNAL_STREAM in systemd.exec(5)."""
    status = os.fstat(fd)
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
