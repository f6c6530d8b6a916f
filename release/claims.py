"""What README claims, and the command that shows each: the table behind `docs/proof.md`."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim, as a stranger would put it."""

    text: str
    page: str
    """Where it is explained, below `docs`."""
    command: str
    """Shows it, and ends with 0 only if it holds."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command that shows claims."""

    says: str
    """A regular expression: what its output tells of the result, all of it that matches."""
    takes: str
    """How long, roughly, on two cores."""


COMMANDS: Final = {
    "make demo": Command(r"^[\d,]+ answered, .*|^Killed .*|^Cut off, .*", "1 minute"),
    "make demo DEMO='--workers 2'": Command(r"^[\d,]+ answered, .*|^Killed .*|^Cut off, .*", "1 minute"),
    "make demo DEMO='--replicas 3'": Command(r"^[\d,]+ answered, .*|^Killed .*|^Cut off, .*", "1 minute"),
    "make check": Command(r"^\d+ files already formatted|^All checks passed|^Success: .*|^Contracts: .*", "1 minute"),
    "make test": Command(r"\b\d+ (?:passed|failed|skipped).*(?= in )", "8 minutes"),
    "make coverage": Command(r"^TOTAL .*", "1 minute"),
    "make test-lowest": Command(r"\b\d+ (?:passed|failed|skipped).*(?= in )", "8 minutes"),
    "make test-alerts MUCH=full": Command(r"\b\d+ (?:passed|failed|skipped).*(?= in )", "2 minutes"),
    "make test-browser MUCH=full": Command(r"\b\d+ (?:passed|failed|skipped).*(?= in )", "2 minutes"),
    "make test-proxy MUCH=full": Command(r"\b\d+ (?:passed|failed|skipped).*(?= in )", "5 minutes"),
    "make test-replicas MUCH=full": Command(r"\b\d+ (?:passed|failed|skipped).*(?= in )", "50 minutes"),
    "make test-systemd MUCH=full": Command(r"\b\d+ (?:passed|failed|skipped).*(?= in )", "10 minutes"),
    "make test-image MUCH=full": Command(r"\b\d+ (?:passed|failed|skipped).*(?= in )", "5 minutes"),
    "make torture": Command(r"^\d+ attacks, .*", "2 hours"),
    "make bench": Command(r"^On one core, .*|^\d+ of \d+ targets .*", "35 minutes"),
    "make docs": Command(r"html/index\.html$", "1 minute"),
    "make dist": Command(r"^[0-9a-f]{64}  .*", "1 minute"),
}
"""In the order in which they are run: what is short, then what is long."""

CLAIMS: Final = (
    Claim(
        "Every step is on disk before it is answered: no kill at any system call, no power cut, no full, slow or "
        "broken disk takes an answered step, or takes one twice; each attack finds its sabotaged twin out.",
        "durability.md",
        "make torture",
    ),
    Claim(
        "A killed service starts again where it stopped, in a fraction of a second: see it in less than a minute, "
        "without root.",
        "using.md",
        "make demo",
    ),
    Claim("The same with several processes, any of which is killed.", "workers.md", "make demo DEMO='--workers 2'"),
    Claim(
        "The same with replicas on PostgreSQL, any of which, or all, are killed.",
        "replicas.md",
        "make demo DEMO='--replicas 3'",
    ),
    Claim(
        "Each step is exact, however large; HTTP/1.1 is strict; bad input, bad files and failing system calls end in "
        "a sentence and an exit status, not in a traceback.",
        "using.md",
        "make test",
    ),
    Claim(
        "Every branch of the core and of the stores of one machine is taken by unit tests.",
        "architecture.md",
        "make coverage",
    ),
    Claim("Layers, types and style hold over everything, tests included.", "architecture.md", "make check"),
    Claim("It runs with the lowest versions that it allows.", "release.md", "make test-lowest"),
    Claim(
        "One core answers as many steps a second as the benchmark's page says, beside its peers.",
        "benchmarks.md",
        "make bench",
    ),
    Claim(
        "Ready to run: systemd. An upgrade refuses no connection, a kill under load loses nothing.",
        "systemd.md",
        "make test-systemd MUCH=full",
    ),
    Claim("Ready to run: containers and Kubernetes.", "container.md", "make test-image MUCH=full"),
    Claim(
        "Ready to run: each alert fires by its fault; the dashboard and the pages name what is there.",
        "watching.md",
        "make test-alerts MUCH=full",
    ),
    Claim(
        "Ready to run: proxies repeat no step, over a restart under load.", "operations.md", "make test-proxy MUCH=full"
    ),
    Claim(
        "Replicas on PostgreSQL keep every promise through kills, partitions, full disks and failovers.",
        "replicas.md",
        "make test-replicas MUCH=full",
    ),
    Claim(
        "The page is live, in Chromium, by keyboard, and within axe-core's rules.",
        "events.md",
        "make test-browser MUCH=full",
    ),
    Claim("A step is retried safely: sent again with its key it is taken once.", "retries.md", "make torture"),
    Claim(
        "Another machine is one class: the page makes a box office, word for word as a test does.",
        "build-your-own.md",
        "make test",
    ),
    Claim("The data of the Go original is taken over.", "using.md", "make test"),
    Claim("Wheel, sdist and SBOM are reproducible, and what is installed from them serves.", "release.md", "make dist"),
    Claim("The pages make a site without a dead link.", "release.md", "make docs"),
)
