"""`pexservice status`: one screen about a running service, from what it tells over HTTP."""

import json
import math
import re
import sys
import time
from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import click

from pexservice.cli import output
from pexservice.cli.asking import Address, Deadline, get
from pexservice.cli.ending import tell
from pexservice.cli.loading import Load
from pexservice.cli.options import Command, given, path, read
from pexservice.errors import AddressUnavailable
from pexservice.process.beginning import shown

PATIENCE_S: Final = 5.0
"""For everything that is asked at a time; less than the 10 s of the container's health check."""
_SAMPLE_S: Final = 1.0
_OK, _NOT_FOUND = 200, 404
_SAMPLE = re.compile(r"([a-z_]+)(?:\{([^}]*)\})? (\S+)", re.ASCII)
_LABEL = re.compile(r'([a-z_]+)="([^"\\]*)"', re.ASCII)
_WORKERS: Final = "workers"
"""Of counts: no metric of ours is called that."""
_TOTAL_MAX: Final = 2.0**64
"""No sequence, count or measure of ours comes so far."""


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """What is shown of a service. What it does not know yet while it reads its journal is None."""

    service: str
    ready: bool
    health: str
    measures: dict[str, float | None]
    """What the machine tells of itself; of the walk its position and digits."""
    sequence: int | None
    steps_per_second: float | None
    steps_waiting: int
    connections: int
    memory_bytes: int
    uptime_s: int
    running: dict[str, str]
    workers: int | None = None
    """How many processes serve clients, if there are several."""

    def lines(self) -> list[str]:
        """Return it for people, whose terminal nothing of it controls."""
        known = {
            "service": self.service,
            "health": self.health,
            **self.measures,
            "sequence": self.sequence,
            "steps/s": None if self.steps_per_second is None else f"{self.steps_per_second:.0f}",
            "steps waiting": self.steps_waiting,
            "connections": self.connections,
            "workers": self.workers,
            "memory": f"{self.memory_bytes / 2**20:.0f} MiB",
            "uptime": _duration(self.uptime_s),
            "running": ", ".join(f"{name} {value}" for name, value in self.running.items()),
        }
        return [shown(f"{name + ':':15}{value}") for name, value in known.items() if value is not None]

    def document(self) -> dict[str, Any]:
        """Return it for programs."""
        named = asdict(self)
        measures: dict[str, Any] = named.pop("measures")
        return measures | named


@click.command(cls=Command)
@click.argument("at", metavar="[URL]", required=False, callback=read(Address.of_url))
@click.option(
    "--url",
    default="http://127.0.0.1:8081",
    envvar="PEXSERVICE_URL",
    show_envvar=True,
    show_default=True,
    callback=read(Address.of_url),
    help="Where the service listens; if it has an --admin-bind, there.",
)
@click.option(
    "--uds",
    metavar="PATH",
    envvar="PEXSERVICE_UDS",
    show_envvar=True,
    callback=read(path),
    help="The Unix socket where it listens. The variable is that of serve; --url and PEXSERVICE_URL go before it.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object instead of the screen.")
@click.option("--watch", is_flag=True, help="Go on, each second, until Ctrl-C.")
@click.pass_context
def status(  # noqa: PLR0913 - the options of a command.
    ctx: click.Context, at: Address | None, url: Address, uds: Path | None, *, as_json: bool, watch: bool
) -> None:
    """Show where a running service stands, its rate and its health.

    URL is another way to say --url, as bench has it. Ends with status 69 if no such service answers there, and 1 if it
    takes no steps. It is asked directly: no proxy that the environment names is used, and no redirect followed.

    Its numbers come from /metrics, where they are floating-point: sequence and position are exact up to 2^53.
    """
    url_from, uds_from = given(ctx, "url"), given(ctx, "uds")
    if url_from and uds_from == "--uds":
        message = f"{url_from} and {uds_from} contradict each other: the service is asked at one address."
        raise click.UsageError(message, ctx)
    if at is not None and (url_from == "--url" or uds_from == "--uds"):
        message = f"URL and {url_from if url_from == '--url' else uds_from} contradict each other: say one of them."
        raise click.UsageError(message, ctx)
    address = at or (Address.of_uds(uds) if uds and not url_from else url)
    load: Load = ctx.obj
    machine = load().machine
    names = [measure.name for measure in machine.measures(machine.initial)]
    found = _look(address, names)
    if watch:
        _watch(address, names, found, as_json=as_json)  # Until Ctrl-C.
    _print(found, as_json=as_json)
    if not found.ready:
        raise click.exceptions.Exit(1)


def _watch(address: Address, names: Collection[str], first: ServiceStatus, *, as_json: bool) -> None:
    """Show it again and again, each time over the last, where that can be."""
    redraws = output.is_screen(sys.stdout)
    found: ServiceStatus | None = first
    above = 0
    while True:
        if found is not None:
            if above and not as_json:
                click.echo(f"\x1b[{above}A\x1b[J" if redraws else "\n", nl=False)
            above = _print(found, as_json=as_json)
        try:
            found = _look(address, names)
        except AddressUnavailable as error:  # It may be on its way back.
            tell(str(error), error.exit_status, click.get_current_context().command_path)
            found, above = None, 0
            time.sleep(_SAMPLE_S)


def _print(found: ServiceStatus, *, as_json: bool) -> int:
    lines = [json.dumps(found.document())] if as_json else found.lines()
    click.echo("\n".join(lines))
    return len(lines)


def _look(address: Address, names: Collection[str]) -> ServiceStatus:
    """Ask twice, a second apart; `names` are the metrics of the machine.

    Raises AddressUnavailable unless it is a pexservice that answers.
    """
    deadline = Deadline(PATIENCE_S)
    before, _ = _metrics(address, deadline, names)
    began_s = time.monotonic()
    ready = get(address, "/readyz", deadline)
    time.sleep(_SAMPLE_S)
    counts, labels = _metrics(address, deadline, names)
    seconds = time.monotonic() - began_s
    try:
        sequence = counts.get("pex_sequence_total")  # None while it reads its journal.
        steps = None if sequence is None else max(sequence - before.get("pex_sequence_total", math.inf), 0)
        return ServiceStatus(
            service=address.shown,
            ready=ready.status == _OK,
            health="ok" if ready.status == _OK else f"takes no steps: {_reason(ready.text)}",
            measures={name.removeprefix("pex_"): _whole(counts.get(name)) for name in names},
            sequence=None if sequence is None else int(sequence),
            steps_per_second=None if steps is None else round(steps / seconds, 1),
            steps_waiting=int(counts["pex_steps_waiting"]),
            connections=int(counts["pex_connections_open"]),
            memory_bytes=int(counts.get("process_resident_memory_bytes", 0)),
            uptime_s=max(int(time.time() - counts["process_start_time_seconds"]), 0),
            running=labels,
            workers=int(counts[_WORKERS]) if _WORKERS in counts else None,
        )
    except KeyError as error:
        raise _stranger(address, f"/metrics has no {error.args[0]}") from error


def _metrics(address: Address, deadline: Deadline, names: Collection[str]) -> tuple[dict[str, float], dict[str, str]]:
    """Return the counts that have no labels, and the labels of `pex_info`."""
    answer = get(address, "/metrics", deadline)
    if answer.status != _OK:
        hint = " If it has an --admin-bind, name that with --url." if answer.status == _NOT_FOUND else ""
        raise _stranger(address, f"/metrics answered {answer.status}", hint)
    counts: dict[str, float] = {}
    labels: dict[str, str] | None = None
    for line in answer.text.split("\n"):
        matched = _SAMPLE.fullmatch(line)
        if matched is None:
            continue
        name, inside, number = matched.groups()
        if name == "pex_info" and inside is not None:
            labels = dict(_LABEL.findall(inside))
        elif name == "pex_worker_connections":
            counts[_WORKERS] = counts.get(_WORKERS, 0) + 1
        elif inside is None:
            counts[name] = _count(address, name, number, -_TOTAL_MAX if name in names else 0)
    if labels is None:
        raise _stranger(address, "/metrics has no pex_info")
    return counts, labels


def _count(address: Address, name: str, number: str, least: float) -> float:
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if not least <= value < _TOTAL_MAX:
        raise _stranger(address, f"/metrics says {name} is {number[:40]}")
    return value


def _stranger(address: Address, found: str, hint: str = "") -> AddressUnavailable:
    return AddressUnavailable(f"what answers at {address.shown} is no pexservice that is ready: {found}.{hint}")


def _reason(problem: str) -> str:
    """Return what the service says is wrong, as one line."""
    try:
        detail: Any = json.loads(problem)["detail"]
    except (ValueError, TypeError, KeyError, RecursionError):
        detail = problem
    return " ".join(str(detail).split())[:200] or "it does not say why"


def _whole(value: float | None) -> float | None:
    """Return a number as people write it: a whole one without a fraction."""
    return int(value) if value is not None and value.is_integer() else value


def _duration(seconds: int) -> str:
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3_600)
    minutes, rest = divmod(rest, 60)
    return f"{days} d " * bool(days) + f"{hours:02}:{minutes:02}:{rest:02}"
