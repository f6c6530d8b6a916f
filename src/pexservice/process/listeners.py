"""Where the service listens.

The idea: a socket that the service manager passed comes first. It outlives the service, so a restart refuses nobody.
"""

import errno
import socket
import stat
from pathlib import Path
from typing import Final

import structlog

from pexservice.config import Settings
from pexservice.errors import AddressUnavailable, NotPermitted, WrongSockets
from pexservice.limits import BACKLOG
from pexservice.process import systemd

log = structlog.get_logger()

_HINTS: Final[dict[int | None, str]] = {
    errno.EADDRINUSE: "Another process listens there.",
    errno.EAFNOSUPPORT: "Under systemd, it takes a socket unit (pexservice-admin.socket for --admin-bind).",
}


def listeners(settings: Settings) -> tuple[socket.socket, socket.socket | None]:
    """Return the listener, and the one for probes and metrics if they have one: as they were passed, or else bound.

    Raises WrongSockets, AddressUnavailable, NotPermitted.
    """
    passed = systemd.passed_listeners()
    admin = passed.pop("admin", None) if settings.admin else None
    if len(passed) > 1:
        names = ", ".join(sorted(passed))
        raise WrongSockets(
            f"one socket is served, but several were passed: {names}. --admin-bind serves one named admin."
        )
    if admin is None and settings.admin:
        admin = bind(*settings.admin, None)
    if not passed:
        return bind(settings.host, settings.port, settings.uds), admin
    log.info("serving the socket that was passed, whatever --host, --port and --uds say")
    return passed.popitem()[1], admin


def bind(host: str, port: int, uds: Path | None) -> socket.socket:
    """Return a socket that listens, so that the kernel holds connections until they are accepted.

    Raises AddressUnavailable, NotPermitted.
    """
    name = f"[{host}]" if ":" in host else host
    where = f"unix:{uds}" if uds else f"{name}:{port}"
    try:
        if uds:
            return _bind_unix(uds)
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # Who connects inherits it.
            listener.bind(address)
            listener.listen(BACKLOG)
        except OSError:
            listener.close()
            raise
    except PermissionError as error:
        message = f"may not listen on {where}: {error.strerror}. Ports below 1024 need the right to."
        raise NotPermitted(message) from error
    except OSError as error:
        hint = _HINTS.get(error.errno, "Choose another address.")
        message = f"cannot listen on {where}: {error.strerror}. {hint}"
        raise AddressUnavailable(message) from error
    return listener


def _bind_unix(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if path.exists() and stat.S_ISSOCK(path.stat().st_mode) and not _is_served(path):
            path.unlink()  # Left behind by a process that was killed.
        listener.bind(str(path))
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _is_served(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return False
    return True


def whereabouts(listener: socket.socket) -> str:
    """Return where a listener is reached: a URL, or `unix:` and a path."""
    name = listener.getsockname()
    if listener.family == socket.AF_UNIX:
        return f"unix:{name}"
    host = f"[{name[0]}]" if listener.family == socket.AF_INET6 else name[0]
    return f"http://{host}:{name[1]}"


def is_local(listener: socket.socket) -> bool:
    """Tell whether only this machine reaches a listener, by the address that it got, however that was given."""
    if listener.family == socket.AF_UNIX:
        return True
    host: str = listener.getsockname()[0]
    return host == "::1" or host.removeprefix("::ffff:").startswith("127.")
