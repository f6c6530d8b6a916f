"""A load on a running service, by a tool that people know or by clients of our own, and what came of it.

Whichever drives it, where the walk stands is asked meanwhile, ten times a second: that is the progress, the rate over
time, and the witness of how many steps were taken.
"""

import time
from collections.abc import Sequence
from typing import Final, Literal

from pexservice.errors import AddressUnavailable
from pexservice.trial.clients import Clients
from pexservice.trial.columns import columns
from pexservice.trial.exchange import NotAnAnswer
from pexservice.trial.figures import Account, Outcome, percentiles_ms, rate_plot, rates, table
from pexservice.trial.operation import Operation
from pexservice.trial.screen import Paper, Screen
from pexservice.trial.target import Target
from pexservice.trial.tools import SECONDS_MAX, Ab, Wrk, drive, is_installed
from pexservice.walk.steps import NEXT

With = Literal["auto", "ab", "wrk", "own"]
_SAMPLE_S: Final = 0.1
_TOLD_S: Final = 1.0
_SILENCE_S: Final = 1.0
"""Without an answer, after which a read tells whether the service is there: a slow disk holds up steps alone."""
_QUIET_S: Final = 0.2
"""For which the sequence must stand still before and after, or others step."""


class Progress:
    """Where the walk stood, over time; shown as it goes on."""

    def __init__(self, screen: Screen, target: Target, expected: int | None) -> None:
        self.samples: list[tuple[float, int]] = []
        self._screen = screen
        self._target = target
        self._expected = expected
        self._began_s = time.monotonic()
        self._next_s = self._told_s = 0.0

    def look(self) -> None:
        """Ask where it stands, if that was long enough ago, and show it."""
        if time.monotonic() >= self._next_s:
            self.take(self._target.place().sequence)
            self._next_s = time.monotonic() + _SAMPLE_S

    def take(self, sequence: int, *, is_last: bool = False) -> None:
        """Take where it stands now, and show it."""
        self.samples.append((time.monotonic() - self._began_s, sequence))
        self._screen.draw(self._picture, now=is_last)
        if time.monotonic() >= self._told_s:
            self._screen.tell(self._progress())
            self._told_s = time.monotonic() + _TOLD_S

    def _progress(self) -> str:
        done = self.samples[-1][1] - self._target.begin.sequence
        return f"{done:,} steps" if self._expected is None else f"{done:,} of {self._expected:,} steps"

    def _picture(self, paper: Paper) -> list[str]:
        values = rates(self.samples, min(max(len(self.samples) - 1, 1), 60))
        return [
            paper.paint(f"pexservice bench {self._target.url}", "1"),
            self._progress(),
            "",
            paper.paint("steps a second", "2"),
            *columns(paper, values, 5 if paper.height > 15 else 2),  # noqa: PLR2004 - the rest has some lines.
        ]


def chosen(wanted: With) -> With:
    """Return what drives the load. Raises AddressUnavailable if it is not installed."""
    if wanted == "auto":
        return next((name for name in ("ab", "wrk") if is_installed(name)), "own")
    if wanted != "own" and not is_installed(wanted):
        package = {"ab": "apache2-utils", "wrk": "wrk"}[wanted]
        raise AddressUnavailable(
            f"{wanted} is not installed. Debian and Ubuntu have it in {package}; or leave '--with {wanted}' out."
        )
    return wanted


def run(screen: Screen, target: Target, tool: With, requests: int, connections: int) -> tuple[Account, Progress]:
    """Load a service and return what came of it. Raises AddressUnavailable, CannotCreate."""
    time.sleep(_QUIET_S)
    begin = target.place().sequence
    is_disturbed = begin != target.begin.sequence
    progress = Progress(screen, target, None if tool == "wrk" else requests)
    progress.take(begin)
    if tool == "own":
        outcome = _own(target, progress, requests, connections)
    else:
        outcome = drive(Ab(requests, connections) if tool == "ab" else Wrk(connections), target, progress.look)
    end = target.place().sequence
    progress.take(end, is_last=True)
    time.sleep(_QUIET_S)
    is_disturbed |= end != target.place().sequence
    return Account(begin, end, outcome, is_disturbed), progress


def report(screen: Screen, target: Target, account: Account, samples: Sequence[tuple[float, int]]) -> None:
    """Write what came of it."""
    paper = screen.paper
    lines = ["", *table(account.outcome, f"{target.url}/next", paper), ""]
    if not screen.is_live:  # Else it is there already, above.
        lines += [*rate_plot(samples, paper), ""]
    for line in [*lines, *account.sentences()]:
        screen.say(line)


def _own(target: Target, progress: Progress, requests: int, connections: int) -> Outcome:
    """Drive clients of our own, as many requests as wanted unless that takes too long."""
    latest = target.begin.sequence
    began_s = heard_s = time.monotonic()

    def note(operation: Operation) -> None:
        nonlocal latest, heard_s
        heard_s = operation.answered_s
        if operation.place is not None:
            latest = max(latest, operation.place.sequence)

    with Clients(
        [(target.host, target.port)],
        clients=connections,
        choose=lambda: NEXT,
        note=note,
        prefix=target.prefix,
        requests_max=requests,
    ) as clients:
        while not clients.is_done:
            try:
                clients.turn(_SAMPLE_S)
            except NotAnAnswer as error:
                raise AddressUnavailable(f"what answers at {target.url} is no pexservice.") from error
            progress.take(latest)
            if time.monotonic() > heard_s + _SILENCE_S:
                target.place()
                heard_s = time.monotonic()
            if time.monotonic() > began_s + SECONDS_MAX:
                clients.stop()
        seconds = time.monotonic() - began_s
        answered = [each for each in clients.history if not each.is_unknown]
        taken = sum(each.is_taken for each in answered)
        return Outcome(
            load=f"{connections} clients of pexservice bench, {requests} requests",
            connections=connections,
            answers=taken,
            refused=len(answered) - taken,
            unknown=len(clients.history) - len(answered),
            seconds=seconds,
            received_bytes=clients.received_bytes,
            served_ms=percentiles_ms([each.answered_s - each.invoked_s for each in answered]),
        )
