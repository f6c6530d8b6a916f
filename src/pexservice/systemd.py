"""What systemd hands to a service: listening sockets that outlive it.

The idea: it is a protocol of environment variables, and needs no library. Where the variables are absent, as in a
terminal or a container, all of this does nothing.
"""

import os
import socket
from typing import Final

from pexservice.errors import WrongSockets

_FIRST_SOCKET_FD: Final = 3
"""SD_LISTEN_FDS_START of sd_listen_fds(3)."""
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
    if not (count.isascii() and count.isdigit()):
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
    return passed
