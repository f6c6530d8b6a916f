"""What a running service shows of itself: its gauges, its log, and what the kernel keeps of its process.

Whatever clients did, once they are gone the service must look as it did before they came.
"""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from support.client import Client
from support.process import Service
from torture.attack import Violation, require

_LOOK_S: Final = 0.05
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
NEW_JOURNAL: Final = "a new journal begins"
"""A warning, and no fault: the directories of attacks are new."""
_STARTING: Final = {"taking over the walk of the original", "recovered", NEW_JOURNAL, "listening"}

T = TypeVar("T")


class Gauges(NamedTuple):
    """What is open, and what is under way."""

    connections: int
    unsent_bytes: int = 0
    steps_waiting: int = 0


class Memory(NamedTuple):
    """What a process holds of the machine's memory, now and at most."""

    rss_bytes: int
    peak_bytes: int

    def __str__(self) -> str:
        return f"{self.rss_bytes >> 20} MiB, at most {self.peak_bytes >> 20} MiB"


def gauges(client: Client) -> Gauges:
    """Ask for the metrics, on a connection that they count too."""
    lines = client.ask("GET", "/metrics").body.decode("ascii").splitlines()
    values = dict(line.split(" ", 1) for line in lines if line.startswith("pex_") and "{" not in line)
    names = ("pex_connections_open", "pex_unsent_bytes", "pex_steps_waiting")
    return Gauges(*(int(float(values[name])) for name in names))


def descriptors(service: Service) -> int:
    """Return how many descriptors the process has open."""
    return len(list(Path(f"/proc/{service.pid}/fd").iterdir()))


def cpu_s(service: Service) -> float:
    """Return how much processor time the process has used."""
    fields = Path(f"/proc/{service.pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def memory(service: Service) -> Memory:
    """Return what the process holds of the memory."""
    lines = (line.split() for line in Path(f"/proc/{service.pid}/status").read_text("ascii").splitlines())
    sizes = {fields[0]: int(fields[1]) << 10 for fields in lines if fields[0] in {"VmRSS:", "VmHWM:"}}
    return Memory(sizes["VmRSS:"], sizes["VmHWM:"])


def eventually(look: Callable[[], T], is_met: Callable[[T], bool], what: str, *, within_s: float) -> T:
    """Look again and again until it is as it must be, and return what was seen. Raises Violation if it never is."""
    until_s = time.monotonic() + within_s
    while not is_met(seen := look()):
        require(time.monotonic() < until_s, f"{what}, not even after {within_s:g} s: {seen}")
        time.sleep(_LOOK_S)
    return seen


def check_log(service: Service, *expected: str) -> None:
    """Raise Violation unless the log holds only what a start logs, and the events that were to be expected."""
    for line in service.lines:
        if not line.startswith("{"):
            raise Violation(f"no line of a log: {service.log[-2000:]}")
        event = json.loads(line)["event"]
        require(event in _STARTING or event in expected, f"logged without need: {line}")
