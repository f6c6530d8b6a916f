"""The demonstration: a service is killed again and again under load, and every answer that it gave is then judged.

Clients give each step a key, and ask for what a kill cut off again, until they know.

Of workers, or of replicas, every other kill is of one of them alone: the others go on, and it is replaced.

A temporary directory, a child, some clients, and a bound on everything: how long it takes, how many requests a second
it sends, how long it waits for a start.
"""

import shutil
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final, Literal

from pexservice.core.judging import Place
from pexservice.errors import AddressUnavailable, CannotCreate, reason
from pexservice.trial.child import SERVE, Child
from pexservice.trial.clients import Clients
from pexservice.trial.columns import columns, room, under
from pexservice.trial.exchange import NotAnAnswer, read_place
from pexservice.trial.operation import Operation
from pexservice.trial.replicas import Replicas
from pexservice.trial.screen import Paper, Screen
from pexservice.trial.verdict import Verdict, judge
from pexservice.walk.steps import NEXT, PREVIOUS, RESET, Step

_CLIENTS: Final = 16
_RATE_MAX: Final = 2_500.0
"""Requests a second: what leaves the judge two seconds of work, and a small machine some room."""
_REQUESTS_MAX: Final = 150_000
"""In all: 50 MB of evidence."""
_LIFE_S: Final = 2.0
"""From a start to the next kill, on average."""
_SECONDS_MAX: Final = 40.0
"""For all of them, so that with the judging it is under a minute, however slow a start is."""
_LIFE_S_MIN: Final = 0.2
_AIM_S: Final = 0.004
"""Before a kill, at random: some groups long, so that it meets one at any point of its life. At once it would always
meet steps that were just sent, and never answers that had just left."""
_START_S_MAX: Final = 30.0
"""Beyond it, a start will not come: what a service manager waits for, too."""
_BUCKET_S: Final = 0.5
_VIOLATION_MAX: Final = 300
"""Characters of it: a value may have thousands."""
_TURN_S: Final = 0.05
_WIDE: Final = 55
"""Characters beyond which the title is one line."""
_MIX: Final[tuple[Step | None, ...]] = (*[NEXT] * 32, *[PREVIOUS] * 4, *[None] * 4)
_RESETS: Final = 0.002
"""One request of 500: the walk comes as far as numbers of some hundred digits."""

Part = Literal["worker", "replica"]
"""What there may be several of, of which one is killed alone."""


@dataclass(slots=True)
class _Seen:
    """What has happened so far, for the picture."""

    url: str
    kills: int
    part: Part
    began_s: float
    killed: int = 0
    killed_parts: int = 0
    """How many of these were of one part."""
    answered: int = 0
    sequences: set[int] = field(default_factory=set)
    """Those of answered steps; what is answered twice of them was lost in between."""
    pause_s_max: float = 0.0
    rates: list[int] = field(default_factory=list)
    """Answers in each `_BUCKET_S`."""
    marks: list[str] = field(default_factory=list)
    """What happened in each of them."""
    latest: Operation | None = None
    now: str = "starting it"

    def note(self, operation: Operation) -> None:
        """Take an answer."""
        self.latest = operation
        self._bucket()
        self.rates[-1] += 1
        if operation.step is not None and operation.place is not None:
            self.answered += 1
            self.sequences.add(operation.place.sequence)

    def mark(self) -> None:
        """Take a kill."""
        self.killed += 1
        self._bucket()
        self.marks[-1] = "x"

    def _bucket(self) -> None:
        while len(self.rates) <= (time.monotonic() - self.began_s) / _BUCKET_S:
            self.rates.append(0)
            self.marks.append(" ")

    def picture(self, paper: Paper) -> list[str]:
        """Return what a terminal shows."""
        self._bucket()
        lost = self.answered - len(self.sequences)
        marks = "".join(self.marks[:-1][-room(paper) :])
        values = [count / _BUCKET_S for count in self.rates[:-1]]  # The last is not over.
        rows = [
            ("killed -9", f"{self.killed} of {self.kills}{_of_parts(self.killed_parts, self.part)}"),
            ("answered", f"{self.answered:,} steps"),
            ("lost so far", f"{lost:,}"),
            ("longest pause", f"{self.pause_s_max:.2f} s until an answer" if self.killed else ""),
            ("now", self.now),
        ]
        title = [paper.paint("pexservice demo: watch it at", "1"), paper.paint(f"{self.url}/", "1;4")]
        return [
            *([" ".join(title)] if paper.width > _WIDE else title),
            "",
            paper.paint("answers a second; x: a kill", "2"),
            *columns(paper, values, 5 if paper.height > 15 else 2),  # noqa: PLR2004 - the rest has 11 lines.
            paper.paint(under(marks), "31"),
            "",
            *(f"{name:<14} {text}" for name, text in rows),
        ]


def run(
    screen: Screen, kills: int, count: int = 1, *, part: Part = "worker", program: Sequence[str] = SERVE
) -> Verdict:
    """Run it with so many workers or replicas, and return what the judge found.

    Raises what a start raises, AddressUnavailable, CannotCreate; and MissingExtra, NotPermitted for replicas.
    """
    try:
        directory = Path(tempfile.mkdtemp(prefix="pexservice-demo-"))
    except OSError as error:
        message = f"cannot create a directory for the demo: {reason(error)}. Set TMPDIR to a directory with room."
        raise CannotCreate(message) from error
    try:
        with _served(directory, count, part, program) as service:
            return _run(screen, kills, count, part, service)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _served(directory: Path, count: int, part: Part, program: Sequence[str]) -> Child | Replicas:
    if part == "replica":
        directory.chmod(0o711)  # The server, another user's if we are root, has a directory of its own in it.
        return Replicas(directory / "server", count, program)
    return Child(["--data-dir", str(directory / "data"), "--workers", str(count)], program)


def _run(screen: Screen, kills: int, count: int, part: Part, service: Child | Replicas) -> Verdict:
    rng = Random()  # noqa: S311 - it chooses what is shown.
    urls = [f"http://{host}:{port}" for host, port in service.addresses]
    seen = _Seen(urls[0], kills, part, time.monotonic())
    one_of = f"one of the {count} {part}s that serve"
    who = "it" if count == 1 else f"it, or {one_of}," if part == "worker" else f"all, or {one_of} it,"
    screen.tell(f"Watch it at {', '.join(f'{url}/' for url in urls)} while {who} is killed {_times(kills)} under load.")

    def choose() -> Step | None:
        return RESET if rng.random() < _RESETS else rng.choice(_MIX)

    deadline_s = time.monotonic() + min(_LIFE_S * (kills + 1), _SECONDS_MAX)
    with Clients(
        service.addresses,
        clients=_CLIENTS,
        choose=choose,
        note=seen.note,
        rate_max=_RATE_MAX,
        requests_max=_REQUESTS_MAX,
        is_retrying=True,
    ) as clients:
        _start(screen, clients, service, seen)
        begin = Place(0, 0)
        for left in range(kills, -1, -1):
            seen.now = "under load"
            life_s = max((deadline_s - time.monotonic()) / (left + 1) * rng.uniform(0.5, 1.5), _LIFE_S_MIN)
            _load(screen, clients, service, seen, life_s)
            if left:
                time.sleep(rng.uniform(0, _AIM_S))
                is_of_part = count > 1 and seen.killed % 2 == 1
                pause_s = _kill(screen, clients, service, seen, rng if is_of_part else None)
                seen.pause_s_max = max(seen.pause_s_max, pause_s)
                whom = f", a {part}" if is_of_part else ""
                screen.tell(
                    f"kill {seen.killed} of {kills}{whom}: {seen.answered:,} steps answered, back after {pause_s:.2f} s"
                )
        clients.stop()
        while clients.under_way:
            _turn(clients)
        end = _end(service)
        service.kill()
        seen.now = f"judging {len(clients.history):,} requests"
        screen.draw(seen.picture, now=True)
        verdict = judge(clients.history, begin, end)
    seen.now = "done"
    screen.draw(seen.picture, now=True)
    for line in summary(
        verdict, seen.killed, seen.pause_s_max, clients.retried, screen.paper, parts=seen.killed_parts, part=part
    ):
        screen.say(line)
    return verdict


def _end(service: Child | Replicas) -> Place[int]:
    """Return where the walk stands, as whoever is there tells: a replica may be on its way."""
    *others, last = service.addresses
    for where in others:
        with suppress(AddressUnavailable):
            return read_place(*where)
    return read_place(*last)


def _kill(screen: Screen, clients: Clients, service: Child | Replicas, seen: _Seen, of_one: Random | None) -> float:
    """Kill the service, or one part, which `of_one` chooses; return how long no answer came, in seconds."""
    if of_one is None:
        service.kill()
        seen.mark()
        seen.now = "killed; starting it again"
        return _start(screen, clients, service, seen)
    began_s = time.monotonic()
    service.kill_one_of(of_one.choice)
    seen.mark()
    seen.killed_parts += 1
    seen.now = f"a {seen.part} was killed"
    return _await_answer(screen, clients, service, seen, began_s)


def _start(screen: Screen, clients: Clients, service: Child | Replicas, seen: _Seen) -> float:
    """Start the service and return how long it took to the first answer, in seconds."""
    began_s = time.monotonic()
    service.start()
    return _await_answer(screen, clients, service, seen, began_s)


def _await_answer(screen: Screen, clients: Clients, service: Child | Replicas, seen: _Seen, began_s: float) -> float:
    """Return how long it took to the first answer to who asked since, in seconds."""
    while seen.latest is None or seen.latest.invoked_s < began_s:
        _turn(clients)
        service.check()
        screen.draw(seen.picture)
        if time.monotonic() > began_s + _START_S_MAX:
            raise AddressUnavailable(f"the service did not answer within {_START_S_MAX:.0f} s of its start.")
    return seen.latest.answered_s - began_s


def _load(screen: Screen, clients: Clients, service: Child | Replicas, seen: _Seen, seconds: float) -> None:
    until_s = time.monotonic() + seconds
    while (left_s := until_s - time.monotonic()) > 0:
        _turn(clients, min(left_s, _TURN_S))
        service.check()
        screen.draw(seen.picture)


def _turn(clients: Clients, patience_s: float = _TURN_S) -> None:
    try:
        clients.turn(patience_s)
    except NotAnAnswer as error:
        message = "another program took the port of the service while that was away. Try again."
        raise AddressUnavailable(message) from error


def summary(  # noqa: PLR0913 - what happened, and where it is told.
    verdict: Verdict, killed: int, pause_s: float, retried: int, paper: Paper, *, parts: int = 0, part: Part = "worker"
) -> list[str]:
    """Return the end of the demonstration, in words."""
    outcome = f"{verdict.answered:,} answered, {verdict.lost:,} lost, {verdict.twice:,} twice."
    lines = ["", paper.paint(outcome, "1;32" if verdict.is_kept else "1;31")]
    if killed:
        lines.append(f"Killed {_times(killed)}{_of_parts(parts, part)}; longest pause {pause_s:.2f} s.")
    once = ", each step taken once" if verdict.is_kept else ""
    lines.append(f"Cut off, and sent again with the same key: {retried:,} requests{once}.")
    if verdict.unknown:
        lines.append(f"Never answered: {verdict.unknown:,} steps; {verdict.unknown_taken:,} of them taken.")
    if verdict.turned_away:
        lines.append(f"Turned away: {verdict.turned_away:,} requests, which took no step (503: no room on the disk?).")
    if not verdict.answered:
        lines.append("No step was answered, so nothing is proved.")
    if verdict.violation:
        lines.append(f"A promise was broken: {verdict.violation[:_VIOLATION_MAX]}")
    return lines


def _of_parts(count: int, part: Part) -> str:
    return f", {count} of these a {part} alone" if count else ""


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
