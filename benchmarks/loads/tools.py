"""The load generators: what each is told, and what it tells.

`ab` and `wrk` are what everybody can repeat. `ab` sends an exact number of requests, which makes the check of the
sequence exact; `wrk` keeps a core's worth of clients busy, but leaves a request per connection under way when its time
is up. Neither has a fixed rate that an idle client cannot fall behind of, so `paced.c` is our own.
"""

import json
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Protocol

from benchmarks.figures import Outcome

_HERE: Final = Path(__file__).parent
_TOOL_S: Final = 60
"""What a generator may take beyond its time: FastAPI needs some 10 s for the 10,000 requests of `ab`."""

ONE_RESET_IN_100: Final = ("/next:99", "/reset:1")
"""`/next` that stays low: past position 94 the original's answers stop growing, and ours must not be longer."""
UP_AND_DOWN: Final = ("/next:1", "/previous:1")
"""Steps that stay at one position."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a load is aimed at, and how large it is."""

    port: int
    seconds: int
    ab_requests: int
    rate: float
    """Requests per second, for a load that has a rate."""
    build: Path
    scratch: Path


class Tool(Protocol):
    """A load generator with its settings."""

    @property
    def program(self) -> str:
        """What must be installed for it."""
        ...

    @property
    def in_flight_max(self) -> int:
        """How many requests it may leave unanswered in the end."""
        ...

    def command(self, target: Target) -> list[str]:
        """Return the command that runs it."""
        ...

    def outcome(self, output: str, target: Target) -> Outcome:
        """Read what it printed. Raises ValueError."""
        ...


def timeout_s(target: Target) -> float:
    """Return when a load is given up."""
    return target.seconds + _TOOL_S


@dataclass(frozen=True, slots=True)
class Ab:
    """ApacheBench: a number of requests, each on a connection of its own unless `keep_alive`."""

    connections: int
    keep_alive: bool = False
    program: str = field(default="ab", init=False)
    in_flight_max: int = field(default=0, init=False)

    def command(self, target: Target) -> list[str]:
        """As `Tool`."""
        options = ["-q", "-l", "-r", *(["-k"] if self.keep_alive else []), "-e", str(_percentiles(target))]
        size = ["-c", str(self.connections), "-n", str(target.ab_requests)]
        return ["ab", *options, *size, f"http://127.0.0.1:{target.port}/next"]

    def outcome(self, output: str, target: Target) -> Outcome:
        """As `Tool`."""
        complete = int(_figure("Complete requests", output))
        refused = int(_figure("Non-2xx responses", output, "0"))
        failed = int(_figure("Failed requests", output)) + int(_figure("Write errors", output, "0"))
        rows = [row.split(",") for row in _percentiles(target).read_text("ascii").splitlines()[1:]]
        served_us = {int(percentage): float(time_ms) * 1000 for percentage, time_ms in rows}
        return Outcome(
            answers=complete - refused - failed,
            errors=refused + failed + target.ab_requests - complete,
            seconds=float(_figure("Time taken for tests", output)),
            received_bytes=int(_figure("Total transferred", output)),
            p50_us=served_us[50],
            p99_us=served_us[99],
            p999_us=None,
        )


@dataclass(frozen=True, slots=True)
class Wrk:
    """wrk: a number of connections that are never idle, for a time, going round a cycle of `PATH:COUNT`."""

    connections: int
    cycle: tuple[str, ...] = ONE_RESET_IN_100
    depth: int = 1
    """Requests sent in one go."""
    method: str = "GET"
    prefer: str = "-"
    program: str = field(default="wrk", init=False)

    @property
    def in_flight_max(self) -> int:
        """As `Tool`."""
        return self.connections * self.depth

    def command(self, target: Target) -> list[str]:
        """As `Tool`."""
        size = ["-t1", f"-c{self.connections}", f"-d{target.seconds}s", "--timeout", "10s"]
        what = [self.method, str(self.depth), self.prefer, *self.cycle]
        return ["wrk", *size, "-s", str(_HERE / "wrk.lua"), f"http://127.0.0.1:{target.port}", "--", *what]

    def outcome(self, output: str, _target: Target) -> Outcome:
        """As `Tool`. With more than one request in one go, its latencies mean nothing."""
        outcome = _from_json(output)
        return outcome if self.depth == 1 else replace(outcome, p50_us=None, p99_us=None, p999_us=None)


@dataclass(frozen=True, slots=True)
class Paced:
    """Our own: a fixed rate, latencies counted from when each request was due."""

    connections: int
    program: str = field(default="gcc", init=False)
    in_flight_max: int = field(default=0, init=False)

    def command(self, target: Target) -> list[str]:
        """As `Tool`."""
        size = [str(self.connections), f"{target.rate:.0f}", str(target.seconds)]
        return [str(target.build / "paced"), str(target.port), *size]

    def outcome(self, output: str, _target: Target) -> Outcome:
        """As `Tool`."""
        return _from_json(output)


def _from_json(output: str) -> Outcome:
    line = json.loads(output.strip().splitlines()[-1])
    return Outcome(
        answers=line["answers"],
        errors=line["errors"],
        seconds=line["seconds"],
        received_bytes=line["bytes"],
        p50_us=line["p50"],
        p99_us=line["p99"],
        p999_us=line["p999"],
    )


def _percentiles(target: Target) -> Path:
    return target.scratch / "ab-percentiles.csv"


def _figure(name: str, output: str, default: str | None = None) -> str:
    found = re.search(rf"^{name}: +([0-9.]+)", output, re.MULTILINE)
    if found:
        return found[1]
    if default is None:
        raise ValueError(f"ab does not tell {name!r}: {output[-400:]}")
    return default
