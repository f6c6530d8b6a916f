"""The load generators that people know, if they are installed: what each is told, and what it tells.

`ab` sends an exact number of requests, which makes the check of the sequence exact. `wrk` goes on for a time, and
leaves a request on each connection unanswered when that is up.
"""

import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Protocol

from pexservice.errors import AddressUnavailable, CannotCreate, reason
from pexservice.trial.child import hear_signals, uninterrupted
from pexservice.trial.figures import Outcome
from pexservice.trial.target import Target

SECONDS_MAX: Final = 60.0
"""For a whole load: then it is told to stop, and what it did until then is counted."""
_ENDING_S: Final = 5.0
"""For a generator that was told to stop."""
_POLL_S: Final = 0.05
_WRK_S: Final = 5
_UNITS_MS: Final = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}
_UNITS_BYTES: Final = {"B": 1, "KB": 1024, "MB": 1024**2, "GB": 1024**3}


class Tool(Protocol):
    """A load generator."""

    def command(self, target: Target, scratch: Path) -> list[str]:
        """Return the command that runs it; `scratch` is a directory of its own."""
        ...

    def outcome(self, output: str, target: Target, scratch: Path) -> Outcome:
        """Read what it printed. Raises ValueError."""
        ...


@dataclass(frozen=True, slots=True)
class Ab:
    """ApacheBench."""

    requests: int
    connections: int

    def command(self, target: Target, scratch: Path) -> list[str]:
        """As `Tool`. Answers grow with the numbers, so their length may differ (-l)."""
        return ["ab", "-q", "-r", "-e", str(scratch / "served.csv"), *self._size(target)]

    def _size(self, target: Target) -> list[str]:
        return ["-l", "-k", "-c", str(self.connections), "-n", str(self.requests), f"{target.url}/next"]

    def outcome(self, output: str, target: Target, scratch: Path) -> Outcome:
        """As `Tool`."""
        told = ab_figures(output)
        served = scratch / "served.csv"
        rows = [row.split(",") for row in served.read_text("ascii").splitlines()[1:]] if served.exists() else []
        times_ms = {round(float(percentage)): float(time_ms) for percentage, time_ms in rows}
        # ab looks for each at int(0.5 + ...): of few requests, behind the last, where it has none.
        times_ms = {
            each: time_ms for each, time_ms in times_ms.items() if int(0.5 + told.complete * each / 100) < told.complete
        }
        if told.longest_ms is not None:
            times_ms[100] = max(told.longest_ms, *times_ms.values()) if times_ms else told.longest_ms
        return Outcome(
            load=" ".join(["ab", *self._size(target)]),
            connections=self.connections,
            answers=told.complete - told.refused - told.failed,
            refused=told.refused,
            unknown=told.failed + (self.connections if told.complete < self.requests else 0),
            seconds=told.seconds,
            received_bytes=told.received_bytes,
            served_ms=[(each, times_ms[each]) for each in (50, 66, 75, 80, 90, 95, 98, 99, 100) if each in times_ms],
        )


@dataclass(frozen=True, slots=True)
class AbFigures:
    """What ab prints, as far as it is used."""

    complete: int
    refused: int
    failed: int
    seconds: float
    received_bytes: int
    longest_ms: float | None


def ab_figures(output: str) -> AbFigures:
    """Read what ab printed. Raises ValueError."""
    longest = re.search(r"^ 100% +([0-9]+) \(longest", output, re.MULTILINE)
    return AbFigures(
        complete=int(_figure("Complete requests", output)),
        refused=int(_figure("Non-2xx responses", output, "0")),
        failed=int(_figure("Failed requests", output)) + int(_figure("Write errors", output, "0")),
        seconds=float(_figure("Time taken for tests", output)),
        received_bytes=int(_figure("Total transferred", output)),
        longest_ms=float(longest[1]) if longest else None,
    )


@dataclass(frozen=True, slots=True)
class Wrk:
    """wrk, with one thread."""

    connections: int

    def command(self, target: Target, scratch: Path) -> list[str]:  # noqa: ARG002
        """As `Tool`."""
        return ["wrk", "-t1", f"-c{self.connections}", f"-d{_WRK_S}s", "--latency", f"{target.url}/next"]

    def outcome(self, output: str, target: Target, scratch: Path) -> Outcome:
        """As `Tool`."""
        total = re.search(r"(\d+) requests in ([0-9.]+)(us|ms|s|m), ([0-9.]+)([KMG]?B) read", output)
        if total is None:
            raise ValueError(f"wrk does not tell what it did: {output[-200:]}")
        refused = int(_figure("Non-2xx or 3xx responses", output, "0", indent=" *"))
        errors = re.search(r"Socket errors: connect \d+, read (\d+), write (\d+), timeout (\d+)", output)
        served = re.findall(r"^ +([0-9.]+)% +([0-9.]+)(us|ms|s|m) *$", output, re.MULTILINE)
        longest = re.search(r"Latency +\S+ +\S+ +([0-9.]+)(us|ms|s|m) ", output)
        times = [(float(each), float(value) * _UNITS_MS[unit]) for each, value, unit in served]
        if longest is not None:
            times.append((100.0, float(longest[1]) * _UNITS_MS[longest[2]]))
        return Outcome(
            load=" ".join(self.command(target, scratch)),
            connections=self.connections,
            answers=int(total[1]) - refused,
            refused=refused,
            unknown=self.connections + (sum(map(int, errors.groups())) if errors else 0),
            seconds=float(total[2]) * _UNITS_MS[total[3]] / 1000,
            received_bytes=round(float(total[4]) * _UNITS_BYTES[total[5]]),
            served_ms=times,
        )


def is_installed(program: str) -> bool:
    """Tell whether a program is there to be run."""
    return shutil.which(program) is not None


def drive(tool: Tool, target: Target, meanwhile: Callable[[], None]) -> Outcome:
    """Run a generator, calling `meanwhile` until it ends. Raises AddressUnavailable, CannotCreate."""
    try:
        with TemporaryDirectory(prefix="pexservice-bench-") as scratch:
            output = _run(tool.command(target, Path(scratch)), meanwhile)
            return tool.outcome(output, target, Path(scratch))
    except OSError as error:
        raise CannotCreate(f"the load cannot be run: {reason(error)}.") from error
    except ValueError as error:
        target.place()  # Raises for a service that is gone: a generator may notice before `meanwhile` asks again.
        raise AddressUnavailable(f"the load did not come to its end: {error}") from error


def _run(command: list[str], meanwhile: Callable[[], None]) -> str:
    """Return what a command printed, which is a page at most. Nothing of it is left when this ends."""
    process: subprocess.Popen[str] | None = None
    output = ""
    try:
        with uninterrupted():
            process = subprocess.Popen(  # noqa: S603 - the command is ours.
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                process_group=0,  # Ctrl-C is for us: we end it.
                preexec_fn=hear_signals,  # noqa: PLW1509 - only one thread is left behind, if any, and it looks up a name.
            )
        stop_s = time.monotonic() + SECONDS_MAX
        while process.poll() is None and time.monotonic() < stop_s + _ENDING_S:
            if time.monotonic() > stop_s:
                process.send_signal(signal.SIGINT)
            meanwhile()
            with suppress(subprocess.TimeoutExpired):
                process.wait(_POLL_S)
    finally:
        if process is not None:
            process.kill()
            output, _ = process.communicate()
    return output


def _figure(name: str, output: str, default: str | None = None, *, indent: str = "") -> str:
    found = re.search(rf"^{indent}{name}: +([0-9.]+)", output, re.MULTILINE)
    if found:
        return found[1]
    if default is None:
        raise ValueError(f"it does not tell {name!r}: {' '.join(output.split())[-200:]}")
    return default
