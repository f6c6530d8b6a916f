"""Where the service listens.

A socket that the service manager passed comes first. It outlives the service, so a restart refuses nobody. A name may
stand for several addresses, as localhost does; then all of them are listened on, with one port.
"""

import errno
import os
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from stat import S_ISSOCK
from typing import Final

import structlog

from pexservice.config import Settings
from pexservice.disk.daemons import in_time
from pexservice.errors import AddressUnavailable, Fatal, NotPermitted, WrongSockets, reason, scarcity
from pexservice.limits import Limits
from pexservice.process import systemd

log = structlog.get_logger()

_SOCKET_PATH_BYTES_MAX: Final = 107
"""unix(7), without the NUL at its end."""
_PORT_TRIES: Final = 16
"""Free ports of one address that are tried on the others."""
_PRIVILEGED_PORTS: Final = 1024
_NOT_HERE: Final = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}
"""What it says of an address that this machine does not have, or whose family is switched off."""
_HINTS: Final[dict[int | None, str]] = {
    errno.EADDRINUSE: "Another process listens there, or with --admin-bind this service itself. Stop it, or choose "
    "another address.",
    errno.EADDRNOTAVAIL: "This machine has no such address. Choose another.",
    errno.EAFNOSUPPORT: "Under systemd, it takes a socket unit (pexservice-admin.socket for --admin-bind).",
}
_Address = tuple[socket.AddressFamily, tuple[str | int, ...] | tuple[int, bytes]]


@dataclass(frozen=True, slots=True)
class Listeners:
    """Where the service is, and where probes and metrics are if they have listeners of their own."""

    main: Sequence[socket.socket]
    admin: Sequence[socket.socket] = ()
    made: tuple[Path, int, int] | None = None
    """The file of a Unix socket that this process made, with its device and inode."""

    def remove_file(self) -> None:
        """Remove the file of the Unix socket, unless it is somebody else's: passed to us, or made since."""
        if self.made is None:
            return
        path, *identity = self.made
        with suppress(OSError):
            found = path.lstat()
            if [found.st_dev, found.st_ino] == identity:
                path.unlink()


async def listeners(settings: Settings) -> Listeners:
    """Return the listeners: as they were passed, or else bound.

    Raises WrongSockets, AddressUnavailable, NotPermitted, Scarce.
    """
    passed = systemd.passed_listeners()
    passed_admin = passed.pop("admin", None) if settings.admin else None
    if len(passed) > 1:
        names = ", ".join(sorted(passed))
        raise WrongSockets(
            f"one socket is served, but several were passed: {names}. --admin-bind serves one named admin."
        )
    admin: Sequence[socket.socket] = ()
    if passed_admin is not None:
        admin = [passed_admin]
    elif settings.admin:
        admin = await bind(*settings.admin, settings.limits)
    if passed:
        log.info("serving the socket that was passed, whatever --host, --port and --uds say")
        return Listeners([passed.popitem()[1]], admin)
    if settings.uds:
        listener = bind_unix(settings.uds, settings.limits)
        status = settings.uds.lstat()
        return Listeners([listener], admin, (settings.uds, status.st_dev, status.st_ino))
    return Listeners(await bind(settings.host, settings.port, settings.limits), admin)


async def bind(host: str, port: int, limits: Limits) -> list[socket.socket]:
    """Return a socket that listens for each address of a host, so that the kernel holds connections for them.

    Raises AddressUnavailable, NotPermitted, Scarce.
    """
    name = f"[{host}]" if ":" in host else host
    where = f"{name}:{port}"
    addresses = await _addresses(host, port, where, limits.start_name_s)
    tries_left = 1 if port else _PORT_TRIES  # A free port of one address may be taken on another.
    while True:
        tries_left -= 1
        try:
            return _bind_all(addresses, port, limits.backlog)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or not tries_left:
                raise _cannot_listen(where, port, error) from error


async def _addresses(host: str, port: int, where: str, timeout_s: float) -> list[_Address]:
    """Look a host up; a resolver that hangs is left behind when the time is over."""
    look_up = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    slow = f"cannot listen on {where}: the name was not resolved within {timeout_s:g} s. Give an address."
    try:
        found = await in_time(look_up, timeout_s, AddressUnavailable(slow))
    except UnicodeError as error:
        raise AddressUnavailable(f"cannot listen on {where}: that is no name of a host. Choose another.") from error
    except OSError as error:
        raise _cannot_listen(where, port, error) from error
    return list(dict.fromkeys((family, address) for family, _, _, _, address in found))


def _bind_all(addresses: Sequence[_Address], port: int, backlog: int) -> list[socket.socket]:
    """Bind all addresses to one port, but those that this machine does not have, if it has any. Raises OSError."""
    bound: list[socket.socket] = []
    absent: OSError | None = None
    try:
        for family, address in addresses:
            try:
                where = (address[0], port, *address[2:])
                bound.append(_bind(family, where, backlog, is_alone=len(addresses) == 1))
            except OSError as error:
                if error.errno not in _NOT_HERE:
                    raise
                absent = error
            else:
                port = bound[0].getsockname()[1]
        if not bound and absent is not None:
            raise absent
    except OSError:
        for each in bound:
            each.close()
        raise
    return bound


def _bind(
    family: socket.AddressFamily, address: tuple[str | int | bytes, ...], backlog: int, *, is_alone: bool
) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # Who connects inherits it.
        if family == socket.AF_INET6 and not is_alone:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(address)
        listener.listen(backlog)
    except OSError:
        listener.close()
        raise
    return listener


def _cannot_listen(where: str, port: int, error: OSError) -> Fatal:
    scarce = scarcity(error)
    if scarce is not None:
        return scarce
    if isinstance(error, PermissionError):
        hint = (
            f"Ports below {_PRIVILEGED_PORTS} need the right to."
            if 0 < port < _PRIVILEGED_PORTS
            else "A rule of this machine forbids it."
        )
        return NotPermitted(f"may not listen on {where}: {reason(error)}. {hint}")
    hint = _HINTS.get(error.errno, "Choose another address.")
    return AddressUnavailable(f"cannot listen on {where}: {reason(error)}. {hint}")


def bind_unix(path: Path, limits: Limits) -> socket.socket:
    """Return a Unix socket that listens, instead of one that a killed process left behind.

    Raises AddressUnavailable, NotPermitted, Scarce.
    """
    where = f"unix:{path}"
    length = len(os.fsencode(path))
    if length > _SOCKET_PATH_BYTES_MAX:
        raise AddressUnavailable(
            f"cannot listen on {where}: the path has {length} bytes, and that of a socket may have "
            f"{_SOCKET_PATH_BYTES_MAX}. Choose a shorter one with --uds."
        )
    try:
        _make_way(path, where)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listener.bind(str(path))
            listener.listen(limits.backlog)
        except OSError:
            listener.close()
            raise
    except PermissionError as error:
        message = (
            f"may not listen on {where}: {reason(error)}. Give user id {os.geteuid()} the right to write in its "
            "directory, or choose another path with --uds."
        )
        raise NotPermitted(message) from error
    except OSError as error:
        is_missing = error.errno == errno.ENOENT and not os.path.lexists(path.parent)
        hint = "Make its directory first." if is_missing else "Choose another path with --uds."
        message = f"cannot listen on {where}: {reason(error)}. {hint}"
        raise scarcity(error) or AddressUnavailable(message) from error
    return listener


def _make_way(path: Path, where: str) -> None:
    """Remove a socket that nobody serves. Raises AddressUnavailable if something else is there, OSError."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not S_ISSOCK(mode):
        raise AddressUnavailable(
            f"cannot listen on {where}: something that is no socket has this name. Remove it, or choose another path "
            "with --uds."
        )
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)  # One that is served and hangs would let us wait, with its queue full.
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except BlockingIOError:
            pass
    raise AddressUnavailable(
        f"cannot listen on {where}: another process listens there. Stop it, or choose another path."
    )


def whereabouts(listeners: Sequence[socket.socket]) -> str:
    """Return where listeners are reached: URLs, or `unix:` and a path."""
    return ", ".join(map(_whereabouts, listeners))


def _whereabouts(listener: socket.socket) -> str:
    name = listener.getsockname()
    if listener.family == socket.AF_UNIX:
        is_abstract = isinstance(name, bytes)
        return f"unix:@{os.fsdecode(name[1:])}" if is_abstract else f"unix:{name}"
    host = f"[{name[0]}]" if listener.family == socket.AF_INET6 else name[0]
    return f"http://{host}:{name[1]}"


def is_local(listener: socket.socket) -> bool:
    """Tell whether only this machine reaches a listener, by the address that it got, however that was given."""
    if listener.family == socket.AF_UNIX:
        return True
    host: str = listener.getsockname()[0]
    return host == "::1" or host.removeprefix("::ffff:").startswith("127.")
