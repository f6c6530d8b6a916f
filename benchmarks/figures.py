"""What was measured, as values, to JSON and back.

A run first collects raw figures, one record for each load on each peer in each round. Everything in the report is
computed from them afterwards, so a report can be made anew without measuring anew.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

from benchmarks.effort import Effort


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a load generator tells about one load."""

    answers: int
    """With a status of 2xx."""
    errors: int
    """Any other answer, and requests without one."""
    seconds: float
    received_bytes: int
    p50_us: float | None
    """Of latencies, as the next two: None where the generator tells none."""
    p99_us: float | None
    p999_us: float | None


@dataclass(frozen=True, slots=True)
class Accounts:
    """What a load cost, as the kernel accounts for it."""

    user_s: float
    """Of the peer's processes."""
    system_s: float
    server_core_s: float
    """Everything on the peer's core that was not idle: also kernel threads, such as those that finish a sync."""
    load_core_s: float
    all_cores_s: float
    """Everything on all cores that was not idle, the load generator included."""
    load_cpu_s: float
    """Of the load generator."""
    wall_s: float
    memory_peak_bytes: int
    """Of the peer's processes since their start."""


@dataclass(frozen=True, slots=True)
class Device:
    """What the disk itself does, just before a load: one block at a time, written directly and flushed."""

    p50_us: float
    p99_us: float


@dataclass(frozen=True, slots=True)
class Commits:
    """How pexservice committed, from its /metrics. The few steps of the warm-up are among them."""

    groups: int
    steps: int
    seconds: float
    """From handing each group to the journal until it was durable, summed up."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One load on one peer in one round."""

    setup: str
    load: str
    peer: str
    round: int
    outcome: Outcome
    accounts: Accounts
    commits: Commits | None
    device: Device
    position: int | None
    """Where the walk stood after the load, if the peer tells."""
    fault: str
    """Why the sequence or the answers are not as they must be; empty if they are."""

    @property
    def rate(self) -> float:
        """Answers per second."""
        return self.outcome.answers / self.outcome.seconds

    @property
    def cpu_us(self) -> float:
        """Processor time of the peer per answer."""
        return (self.accounts.user_s + self.accounts.system_s) / self.outcome.answers * 1e6

    @property
    def core_us(self) -> float:
        """Time that the peer's core was busy, with whatever, per answer."""
        return self.accounts.server_core_s / self.outcome.answers * 1e6

    @property
    def all_cores_us(self) -> float:
        """Time that any core was busy with whatever but the load generator, per answer."""
        return (self.accounts.all_cores_s - self.accounts.load_cpu_s) / self.outcome.answers * 1e6

    @property
    def is_sound(self) -> bool:
        """Whether nothing went wrong."""
        return not self.fault and not self.outcome.errors

    @classmethod
    def from_json(cls, item: dict[str, object]) -> Self:
        """Read what `asdict` made."""
        parts = {"outcome": Outcome, "accounts": Accounts, "commits": Commits, "device": Device}
        return cls(**{name: parts[name](**value) if isinstance(value, dict) else value for name, value in item.items()})  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Failure:
    """A load that gave no figures."""

    setup: str
    load: str
    peer: str
    round: int
    what: str


@dataclass(frozen=True, slots=True)
class Start:
    """One start of the service, until its first answer was there."""

    is_with_history: bool
    """Which of the two curves it belongs to: against history, or against position."""
    groups: int
    """In the history."""
    position: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Machine:
    """Where it was measured, and with what."""

    date: str
    commit: str
    cpu: str
    cores: int
    memory_bytes: int
    kernel: str
    file_system: str
    versions: dict[str, str]


@dataclass(frozen=True, slots=True)
class Results:
    """Everything that one run measured."""

    machine: Machine
    effort: Effort
    skipped: list[str] = field(default_factory=list)
    """What this machine could not have, and why."""
    measurements: list[Measurement] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    starts: list[Start] = field(default_factory=list)

    def save(self, path: Path) -> None:
        """Write everything as JSON."""
        path.write_text(json.dumps(asdict(self)) + "\n", "utf-8")

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote."""
        document = json.loads(path.read_text("utf-8"))
        return cls(
            machine=Machine(**document["machine"]),
            effort=Effort(**document["effort"]),
            skipped=document["skipped"],
            measurements=[Measurement.from_json(item) for item in document["measurements"]],
            failures=[Failure(**item) for item in document["failures"]],
            starts=[Start(**item) for item in document["starts"]],
        )
