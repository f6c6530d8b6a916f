"""Hosts of a test's own, in network namespaces on a bridge that leads nowhere else, and cuts between any two of them.

Each host knows the hardware addresses of the others by heart. To cut the way from one to another is to tell it one that
nobody has: what it sends from then on is lost without a word, and what it is sent still comes. So each direction is cut
by itself, and no packet filter is needed.
"""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_NOBODY: Final = "02:00:00:00:00:ff"


class Host:
    """A network namespace. It goes with its last process, of which one ends when this test does."""

    def __init__(self, number: int) -> None:
        self._number = number
        self.address = f"192.0.2.{number}"  # Of a network for examples (RFC 5737); no route leads out of it.
        self._holder = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", "echo; exec cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == b"\n"  # It is in its namespace by now.

    @property
    def wrapper(self) -> list[str]:
        """What a command begins with that runs on this host."""
        return ["nsenter", f"--net=/proc/{self._holder.pid}/ns/net"]

    def cut(self, other: "Host") -> None:
        """Lose all that this host sends to another, from now on."""
        self._call(other, _NOBODY)

    def mend(self, other: "Host") -> None:
        """Lose it no longer."""
        self._call(other, other._hardware)

    @property
    def _hardware(self) -> str:
        return f"02:00:00:00:00:{self._number:02x}"

    def _call(self, other: "Host", hardware: str) -> None:
        self._ip(f"neigh replace {other.address} lladdr {hardware} dev eth0 nud permanent")

    def _plug_in(self, bridge: "Host", others: "list[Host]") -> None:
        plug = f"plug{self._number}"
        bridge._ip(
            f"link add name {plug} type veth peer name eth0 netns {self._holder.pid}",
            f"link set dev {plug} master bridge0 up",
        )
        self._ip(
            f"link set dev eth0 address {self._hardware} up",
            "link set dev lo up",
            f"address add {self.address}/24 dev eth0",
        )
        for other in others:
            self.mend(other)
            other.mend(self)

    def _ip(self, *commands: str) -> None:
        text = "".join(f"{command}\n" for command in commands)
        subprocess.run([*self.wrapper, "ip", "-batch", "-"], input=text, text=True, check=True, timeout=10)

    def _remove(self) -> None:
        self._holder.communicate(timeout=10)


@contextmanager
def hosts(many: int) -> Iterator[list[Host]]:
    """Have so many hosts until the end of the block, by when nothing may run on them any more."""
    made: list[Host] = []
    try:
        bridge = Host(0)
        made.append(bridge)
        bridge._ip("link add name bridge0 type bridge", "link set dev bridge0 up")
        for number in range(1, many + 1):
            made.append(Host(number))
            made[-1]._plug_in(bridge, made[1:-1])
        yield made[1:]
    finally:
        for each in made:
            each._remove()
