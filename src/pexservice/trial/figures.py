"""What a load came to, and whether the service's own count agrees."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pexservice.trial.columns import columns
from pexservice.trial.screen import Paper

PERCENTAGES: Final = (50, 66, 75, 80, 90, 95, 98, 99, 100)
"""Those of ab."""
_NAME: Final = 24
_BAR: Final = 22
"""Characters before a bar."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a load tells of itself."""

    load: str
    """The command, for people to repeat."""
    connections: int
    answers: int
    """Answers with 2xx."""
    refused: int
    """Answers with another status: no step."""
    unknown: int
    """At most so many were not answered: each was a step or none."""
    seconds: float
    received_bytes: int
    served_ms: Sequence[tuple[float, float]]
    """Percentage of the requests, and the time within which they were answered."""


@dataclass(frozen=True, slots=True)
class Account:
    """How far the sequence went, beside the answers."""

    begin: int
    end: int
    outcome: Outcome
    is_disturbed: bool
    """Whether it was seen to go on before the load or after it: others step."""

    @property
    def difference(self) -> int:
        """Steps in the walk beyond the answers. Negative: answered and not there."""
        return self.end - self.begin - self.outcome.answers

    @property
    def is_kept(self) -> bool:
        """Whether there were answers, each is a step, and each step an answer or one that was not answered."""
        return self.outcome.answers > 0 and self._agrees

    @property
    def _agrees(self) -> bool:
        return 0 <= self.difference <= self.outcome.unknown

    def sentences(self) -> list[str]:
        """Return it in words."""
        advanced = f"The sequence went from {self.begin:,} to {self.end:,}, by {self.end - self.begin:,}"
        others = "Another client steps, too: the sequence moved while there was no load."
        if not self.outcome.answers and not self.difference:
            why = "If steps need a token, bench has none to send." if self.outcome.refused else "Nothing was answered."
            return [f"{advanced}: no step was taken, of {self.outcome.refused:,} that were refused. {why}"]
        if self._agrees:
            if not self.difference:
                return [f"{advanced}: exactly the answers."]
            return [f"{advanced}: the answers, and {self.difference:,} of at most {self.outcome.unknown:,} unanswered."]
        if self.difference < 0:
            return [f"{advanced}: {-self.difference:,} fewer than were answered. Steps were lost."]
        found = [f"{advanced}: {self.difference:,} more than were answered."]
        return [*found, others if self.is_disturbed else "Another client stepped meanwhile, or steps were taken twice."]


def percentiles_ms(times_s: Sequence[float]) -> list[tuple[float, float]]:
    """Return the times within which each of `PERCENTAGES` was answered, in milliseconds; nothing if there are none."""
    ordered = sorted(times_s)
    return [(each, ordered[max(-(-len(ordered) * each // 100), 1) - 1] * 1000) for each in PERCENTAGES if ordered]


def table(outcome: Outcome, target: str, paper: Paper) -> list[str]:
    """Return the figures as ab shows them, with a bar beside each time."""
    rate = outcome.answers / outcome.seconds if outcome.seconds else 0.0
    per_request_ms = 1000 * outcome.connections / rate if rate else 0.0
    transfer = outcome.received_bytes / 1024 / outcome.seconds if outcome.seconds else 0.0
    rows = [
        ("Server", target),
        ("Load", outcome.load),
        ("Concurrency level", f"{outcome.connections}"),
        ("Time taken for tests", f"{outcome.seconds:.3f} seconds"),
        ("Complete requests", f"{outcome.answers + outcome.refused}"),
        ("Non-2xx responses", f"{outcome.refused}"),
        ("Total transferred", f"{outcome.received_bytes} bytes"),
        ("Requests per second", f"{rate:.2f} [#/sec] (mean)"),
        ("Time per request", f"{per_request_ms:.3f} [ms] (mean)"),
        ("Transfer rate", f"{transfer:.2f} [Kbytes/sec] received"),
    ]
    lines = [f"{name + ':':<{_NAME}}{value}" for name, value in rows]
    if outcome.served_ms:
        lines += ["", "Percentage of the requests served within a certain time (ms)"]
        longest_ms = max(served_ms for _, served_ms in outcome.served_ms) or 1.0
        room = max(min(paper.width - _BAR, 50), 1)
        for percentage, served_ms in outcome.served_ms:
            bar = paper.ramp[-1] * max(round(served_ms / longest_ms * room), 1)
            lines.append(f"{percentage:>4g}% {served_ms:>12.3f}   {paper.paint(bar, '36')}")
    return lines


def rates(samples: Sequence[tuple[float, int]], count: int) -> list[float]:
    """Return steps a second in so many equal spans of time, from samples of (seconds, sequence), rising."""
    if len(samples) < 2 or samples[-1][0] <= samples[0][0]:  # noqa: PLR2004 - no span.
        return []
    begin_s, span_s = samples[0][0], (samples[-1][0] - samples[0][0]) / count
    found, at = [], 0
    before = float(samples[0][1])
    for number in range(1, count + 1):
        time_s = begin_s + number * span_s
        while at < len(samples) - 2 and samples[at + 1][0] < time_s:
            at += 1
        (from_s, low), (to_s, high) = samples[at], samples[at + 1]
        share = min(max((time_s - from_s) / (to_s - from_s), 0.0), 1.0) if to_s > from_s else 1.0
        now = low + share * (high - low)
        found.append(max(now - before, 0.0) / span_s)
        before = now
    return found


def rate_plot(samples: Sequence[tuple[float, int]], paper: Paper) -> list[str]:
    """Return the rate over time, as columns."""
    values = rates(samples, min(max(len(samples) - 1, 1), 60, max(paper.width - 9, 1)))
    return [paper.paint("steps a second", "2"), *columns(paper, values, 5 if paper.height > 15 else 2)]  # noqa: PLR2004
