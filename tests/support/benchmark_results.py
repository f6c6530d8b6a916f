"""Results of a benchmark, made up."""

from benchmarks.effort import FULL
from benchmarks.figures import Accounts, Device, Machine, Measurement, Outcome, Results, Start
from benchmarks.placement import TWO_CORES

DEVICE = Device(p50_us=100.0, p99_us=200.0)


def measurement(
    load: str,
    peer: str,
    *,
    answers: int = 1_000,
    number: int = 0,
    cores_s: float = 1.5,
    load_s: float = 0.5,
    p50_us: float | None = 150.0,
    p99_us: float | None = 600.0,
    memory_bytes: int = 32 << 20,
    errors: int = 0,
    fault: str = "",
) -> Measurement:
    """Return one of one second."""
    return Measurement(
        setup=TWO_CORES,
        load=load,
        peer=peer,
        round=number,
        outcome=Outcome(answers, errors, 1.0, 100_000, p50_us, p99_us, None),
        accounts=Accounts(0.4, 0.2, 0.8, 0.7, cores_s, load_s, 1.0, memory_bytes),
        commits=None,
        device=DEVICE,
        position=None,
        fault=fault,
    )


def results(*measurements: Measurement, starts: list[Start] | None = None) -> Results:
    """Return those of a run."""
    machine = Machine("2026-01-01", "abc", "a processor", 2, 1 << 30, "6.0", "ext4", {"Python": "3.11"})
    return Results(machine, FULL, [], list(measurements), [], starts or [])
