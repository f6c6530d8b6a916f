"""`python -m benchmarks.watchers`: what 1,000 clients that watch `/events` cost those who step.

One service, and on it the same load again and again, in turns with and without watchers. A ratio is taken between two
neighbours, so that what else the machine does falls on both. The watchers read all that they are sent, on the core of
the load: so requests per second also pay for that, and the processor time of the service for a step does not.
"""

import selectors
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final

import click

from benchmarks.asking import ask
from benchmarks.loads.tools import Target, Wrk, timeout_s
from benchmarks.peers.running import free_port
from benchmarks.placement import TWO_CORES, placements
from benchmarks.processes import run, serving

_REQUEST: Final = b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n"
_CLOCK_OF_PROCESS: Final = 2
_LOAD: Final = Wrk(64, ("/previous:1",))
"""Answers of constant size, at position 0."""


class Watchers:
    """Clients that read what they are told, and count it."""

    def __init__(self, port: int, count: int) -> None:
        self._selector = selectors.EpollSelector()
        self._is_over = False
        self.events = 0
        for _ in range(count):
            connection = socket.create_connection(("127.0.0.1", port))
            connection.sendall(_REQUEST)
            self._selector.register(connection, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        while not self._is_over:
            for key, _ in self._selector.select(0.1):
                assert isinstance(key.fileobj, socket.socket)
                data = key.fileobj.recv(1 << 16)
                assert data, "a watcher was closed"
                self.events += data.count(b"\nid: ") + data.startswith(b"id: ")

    def close(self) -> None:
        """Stop watching."""
        self._is_over = True
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            assert isinstance(key.fileobj, socket.socket)
            key.fileobj.close()
        self._selector.close()


@contextmanager
def watching(port: int, count: int) -> Iterator[Watchers]:
    """Have so many watchers until the end of the block."""
    watchers = Watchers(port, count)
    try:
        yield watchers
    finally:
        watchers.close()


@click.command()
@click.option("--watchers", "count", default=1_000, show_default=True)
@click.option("--rounds", default=24, show_default=True, help="Pairs of measurements.")
@click.option("--seconds", default=1, show_default=True, help="Of each measurement.")
def main(*, count: int, rounds: int, seconds: int) -> None:
    """Print what watchers cost, in requests per second and in processor time for a step."""
    with TemporaryDirectory() as scratch, placements([]) as places:
        place = next((each for each in places if each.name == TWO_CORES), places[0])
        port = free_port()
        target = Target(port, seconds, 0, 0, Path(scratch), Path(scratch))
        program = ["pexservice", "serve", "--port", str(port), "--data-dir", f"{scratch}/data"]
        with serving(place.server(program), Path(scratch) / "log", {}) as process:
            ask(port, "/current", patience_s=60)
            clock = (~process.pid << 3) | _CLOCK_OF_PROCESS

            def measure(number: int) -> tuple[float, float, float]:
                """Return steps a second, processor seconds of the service for a step, and events to each watcher."""
                with watching(port, number) as watchers:
                    time.sleep(0.5)
                    began_s, told = time.clock_gettime(clock), watchers.events
                    outcome = _LOAD.outcome(run(place.load(_LOAD.command(target)), timeout_s=timeout_s(target)), target)
                    cpu_s, told = time.clock_gettime(clock) - began_s, watchers.events - told
                    return outcome.answers / outcome.seconds, cpu_s / outcome.answers, told / max(number, 1) / seconds

            measure(0)
            rates, costs, events = [], [], []
            for turn in range(rounds):
                first, second = (measure(number) for number in ((0, count) if turn % 2 else (count, 0)))
                without, watched = (first, second) if turn % 2 else (second, first)
                rates.append(watched[0] / without[0])
                costs.append(watched[1] / without[1])
                events.append(watched[2])
                click.echo(f"CPU a step {without[1] * 1e6:.1f} and {watched[1] * 1e6:.1f} us, ratio {costs[-1]:.3f}")
    click.echo(
        f"{count} watchers, medians of {rounds} pairs: steps/s {median(rates):.3f}, CPU a step {median(costs):.3f};"
    )
    click.echo(f"each was told {median(events):.1f} states a second.")


if __name__ == "__main__":
    main()
