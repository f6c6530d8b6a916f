"""Where the service listens.

The idea: a socket that the service manager passed comes first. It outlives the service, so a restart refuses nobody.
"""

import socket

import structlog

from pexservice import systemd
from pexservice.config import Settings
from pexservice.errors import WrongSockets
from pexservice.http.server import bind

log = structlog.get_logger()


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


def address(listener: socket.socket) -> str:
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
