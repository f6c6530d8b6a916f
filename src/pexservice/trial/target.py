"""What a load is aimed at: an address, looked up once and within bounds, and whether it is this machine's own."""

import socket
import threading
from dataclasses import dataclass
from typing import Any, Final

from pexservice.core.judging import Place
from pexservice.errors import AddressUnavailable, reason
from pexservice.trial.exchange import host_field, read_place

_LOOK_UP_S: Final = 5.0
"""For the name of a host; a resolver tries its first server so long."""


@dataclass(frozen=True, slots=True)
class Target:
    """A service that answers: the URL of its root, where that leads, and where its walk stands."""

    url: str
    host: str
    """An address, and no name."""
    port: int
    prefix: str
    begin: Place[int]

    def place(self) -> Place[int]:
        """Ask where it stands now. Raises AddressUnavailable."""
        return read_place(self.host, self.port, self.prefix)


def addresses(host: str, port: int) -> list[str]:
    """Return the addresses of a host. Raises AddressUnavailable."""
    outcome: list[Any] = []

    def look_up() -> None:
        try:
            outcome.append([found[4][0] for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)])
        except OSError as error:
            outcome.append(error)

    thread = threading.Thread(target=look_up, daemon=True)  # It is left behind if it takes longer.
    thread.start()
    thread.join(_LOOK_UP_S)
    found = outcome[0] if outcome else TimeoutError(f"no answer within {_LOOK_UP_S:.0f} s")
    if isinstance(found, OSError):
        raise AddressUnavailable(f"the name {host} leads nowhere: {reason(found)}.") from found
    return list(dict.fromkeys(found))


def is_of_this_machine(address: str) -> bool:
    """Tell whether an address is one of this machine: if one can listen there."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True


def reached(found: list[str], port: int, prefix: str) -> Target:
    """Return the first of some addresses at which a service answers. Raises AddressUnavailable, of the last."""
    for number, address in enumerate(found, 1):
        try:
            begin = read_place(address, port, prefix)
        except AddressUnavailable:
            if number == len(found):
                raise
        else:
            return Target(f"http://{host_field(address, port)}{prefix}", address, port, prefix, begin)
    raise AssertionError
