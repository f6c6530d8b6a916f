"""`docs/benchmarks.md`, its plots, and the raw results, from what was measured.

First what a stranger wants to know, in one sentence, one picture and one table; then how it was measured, and all
figures; the targets last.
"""

from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks import pictures, tables
from benchmarks.effort import FULL, Effort
from benchmarks.figures import Failure, Machine, Measurement, Results
from benchmarks.loads import AB_10, AB_64, LOADS, MAIN, POSITIONS, at_position
from benchmarks.peers.catalogue import DURABLE_GO, FSYNC, ORIGINAL, REDIS, TITLES
from benchmarks.placement import ONE_CORE
from benchmarks.spread import rate, ratio, spread
from benchmarks.targets import judge
from benchmarks.units import as_many, duration

_METHOD: Final = """\
- **Interleaved.** In each round every load runs once on every peer, on a fresh process with fresh data, the order of
  the peers turning: {ab_requests} requests by `ab`, {seconds} s by the others. Figures are medians of the rounds, of
  which there were {rounds}, in brackets least and largest; a ratio is taken within a round before the median.
- **Placed.** The server has one core, the load generator another. CPU is the processor time of the peer's processes,
  user and system, per answer with 2xx. The kernel's own threads, which finish the syncs, are not in it: "rest of its
  core" below shows them, together with whatever else the machine did. *All cores* is whatever ran on any of them, the
  kernel's threads included, less the load generator.
- **Comparable.** `/next` walks up and answers grow, while the original's wrap at 2⁶⁴. `ab`, as in the original's
  README, therefore ends at position {ab_requests}, where an answer of pexservice is up to a hundred times as long.
  Under `wrk` one request of a hundred is `/reset`, so that every peer stays low. `/previous` at position 0 gives
  constant answers, as the floor's are, which repeats bytes that pexservice once answered.
- **Checked.** After each load the sequence of pexservice, or of Go, must have advanced by the answers with 2xx:
  exactly, under `ab` and the fixed rate; by at most the requests under way more, under `wrk`, which leaves those when
  its time is up. The others tell no sequence. Nobody may answer with an error.
- **Latency** is that of `ab` and `wrk` as they tell it, with clients that are never idle (`wrk` corrects it for
  coordinated omission); under the fixed rate it counts from when each request was due. A *commit* of pexservice is one
  group of steps, and with `fsync` one write to the device. *The device's own* time is that of one block written
  directly and flushed (O_DIRECT, RWF_DSYNC) with nothing else under way, 500 times just before each load.
- **The peers.** *C floor*: an epoll loop that makes the least system calls that the client allows, and parses and
  stores nothing. *Go original*: made anew from its README (net/http, gorilla/mux, one mutex, a CSV rewritten each
  second). *Go, fsync in each step*: the same, but under its mutex each step appends a row and syncs it. *Go + bbolt*:
  the same paths over the store of etcd, whose `Batch` carries out together what comes within a millisecond. *FastAPI*
  on uvicorn with uvloop and httptools: the position in Redis (`appendfsync always`, one INCR), in PostgreSQL (as it
  comes, one UPDATE, a pool of asyncpg) or in SQLite (WAL, `synchronous=FULL`, one UPDATE); the answer is the position,
  nothing is computed. Redis and PostgreSQL share the core of FastAPI, and are counted with it; the memory of
  PostgreSQL counts what its processes share once for each. *pexservice* computes exact values. *Before the ring* is
  its commit b0288fc, whose journal appended and synced, one group at a time.
"""
_STARTS: Final = """\
From the birth of the process to the whole first answer to `/next`, Python's own start included. With a history the walk
stands at position 1,000,000 and the newest segment is full, the worst that a start can meet."""
_FIRST: Final = """\
A step is one `/next`, 64 clients keep a connection each and are never idle, and the server, with its database if it has
one, has one core. Those that a power cut takes nothing from put each step on disk before they answer it."""
_TARGETS: Final = """\
Each is a median of the rounds, and fails if any load behind it had an error or another sequence than it must.
[Decision 36](decisions/0036-targets-of-the-benchmark.md) tells where they come from. What a power cut takes is not a
matter of benchmarks: `make torture` tries it."""


def write(results: Results, out: Path) -> Path:
    """Write the report into the directory `out`, with plots and raw results in a folder beside it; return its path."""
    folder = out / "benchmarks"
    folder.mkdir(parents=True, exist_ok=True)
    results.save(folder / "results.json")
    for old in folder.glob("*.svg"):
        old.unlink()
    for name, svg in pictures.all_of(results):
        (folder / f"{name}.svg").write_text(svg, "utf-8")
    page = out / "benchmarks.md"
    page.write_text("\n\n".join(part.strip() for part in _parts(results, folder) if part) + "\n", "utf-8")
    return page


def headline(results: Results) -> str:
    """Return what one core gives, in one sentence."""
    ours = spread(results, MAIN, FSYNC, rate)
    if ours is None:
        return "What one core gives was not measured in this run."
    pace = f"**On one core, pexservice answers {ours.middle:,.0f} steps a second, each on disk before its answer"
    compared = (
        (ORIGINAL, "the Go original, which stores once a second"),
        (DURABLE_GO, "the same with an fsync in each step"),
        (REDIS, "FastAPI with Redis"),
    )
    shares = [(ratio(results, rate, (MAIN, FSYNC), (MAIN, peer)), words) for peer, words in compared]
    told = [f"{as_many(share.middle)} as {words}" for share, words in shares if share]
    return f"{pace}{': ' if told else ''}{'; '.join(told)}.**"


def _parts(results: Results, folder: Path) -> Iterator[str]:
    yield "# Benchmarks"
    yield headline(results)
    yield _plot(folder, "first", "Steps a second on one core, 64 clients, beside what one would build instead")
    yield tables.first(results, pictures.FIRST)
    yield _FIRST
    yield _when(results.machine, results.effort)
    yield "## How it was measured\n\n" + _method(results.effort)
    yield _machine(results)
    yield "## Against the number of clients\n\n" + tables.connections(results)
    yield _plot(folder, "connections", "Requests per second and p99 latency against connections")
    yield "## Against position\n\n`/next` and `/previous` in turn, 16 connections.\n\n" + tables.positions(results)
    yield _plot(folder, "position", "Requests and megabytes per second against position")
    yield "## From start to the first answer\n\n" + _STARTS
    yield _plot(folder, "starts", "Time to the first answer against history and position")
    yield tables.starts(results, by_history=True)
    yield tables.starts(results, by_history=False)
    yield "## Each load: a core for the server, a core for the load"
    for load in LOADS:
        if load.name not in {at_position(position) for position in POSITIONS}:
            figures = tables.peers(results, load)
            yield f"### {load.title[0].upper()}{load.title[1:]}\n\n{figures}" if figures else ""
    yield "## Where the time goes\n\nPer request. A core's time is all that passes: wall time."
    yield _plot(folder, "cpu", "Processor time of each peer for each answer")
    for load in LOADS:
        if load.name in {AB_10, AB_64, MAIN}:
            figures = tables.peers(results, load, tables.TIME_COLUMNS)
            yield f"{load.title}:\n\n{figures}" if figures else ""
    yield "## Everything on one core\n\nServer and load share it, within 512 MiB: the original's smallest machine."
    for load in LOADS:
        figures = tables.peers(results, load, setup=ONE_CORE)
        yield f"{load.title}:\n\n{figures}" if figures else ""
    yield "## Targets\n\n" + tables.verdicts(judge(results))
    yield _TARGETS
    yield _soundness(results)


def _when(machine: Machine, effort: Effort) -> str:
    form = "" if effort.name == FULL.name else f", **{effort.name} run: figures are rough**"
    raw = "[results.json](benchmarks/results.json)"
    return f"{machine.date}, commit {machine.commit}{form}. `make bench` makes this page; all it rests on is in {raw}."


def _method(effort: Effort) -> str:
    return _METHOD.format(rounds=effort.rounds, seconds=effort.seconds, ab_requests=f"{effort.ab_requests:,}")


def _machine(results: Results) -> str:
    machine, devices = results.machine, [each.device for each in results.measurements]
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items())
    own = "was not measured"
    if devices:
        p50, p99 = (
            duration(median(times)) for times in zip(*((each.p50_us, each.p99_us) for each in devices), strict=True)
        )
        own = f"takes {p50}, p99 {p99}"
    return (
        f"Machine: {machine.cpu}, {machine.cores} cores, {machine.memory_bytes / (1 << 30):.0f} GiB, Linux "
        f"{machine.kernel}, {machine.file_system}; the device's own write and flush {own} (medians). {versions}."
    )


def _soundness(results: Results) -> str:
    """Return what went wrong, and what was left out."""
    unsound = [each for each in results.measurements if not each.is_sound]
    count = len(results.measurements) + len(results.failures)
    lines = [f"{count} loads ran, {len(unsound) + len(results.failures)} of them not as they must."]
    lines += [f"- {_where(each)}: {each.outcome.errors} errors. {each.fault}" for each in unsound]
    lines += [f"- {_where(each)}: {each.what}" for each in results.failures]
    lines += [f"- left out: {each}" for each in results.skipped]
    return "## Errors, checks, omissions\n\n" + lines[0] + "\n\n" + "\n".join(lines[1:])


def _where(done: Measurement | Failure) -> str:
    return f"{TITLES[done.peer]}, {done.setup}, {done.load}, round {done.round}"


def _plot(folder: Path, name: str, text: str) -> str:
    return f"![{text}](benchmarks/{name}.svg)" if (folder / f"{name}.svg").exists() else ""
