"""Interleaved rounds: in each, every load runs once on every peer that gets it.

Machines drift, by neighbours, by heat, by the age of a disk. So what is compared ran within seconds of each other, a
ratio is taken within one round, and the report shows the median of the rounds with the least and the largest. The order
of the peers turns by one each round, so that none always follows the same other.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks import accounting, checks, machine, processes, scrape
from benchmarks.effort import FULL, Effort
from benchmarks.figures import Failure, Measurement
from benchmarks.loads import PEX, Load
from benchmarks.loads.tools import Target, timeout_s
from benchmarks.peers import Peer
from benchmarks.peers.running import running
from benchmarks.placement import Placement


@dataclass(frozen=True, slots=True)
class Task:
    """One load on one peer in one round."""

    placement: Placement
    load: Load
    peer: Peer
    round: int


def tasks(placements: list[Placement], loads: list[Load], peers: list[Peer], effort: Effort) -> Iterator[Task]:
    """Give everything that a run measures, in its order."""
    for number in range(effort.rounds):
        turn = number % max(1, len(peers))
        turned = peers[turn:] + peers[:turn]
        for placement in placements:
            is_main = placement.server_cpu != placement.load_cpu
            for load in loads:
                if effort.name == FULL.name or load.is_quick:
                    wanted = load.peers if is_main else load.on_one_core
                    for peer in turned:
                        if peer.name in wanted:
                            yield Task(placement, load, peer, number)


class Rounds:
    """Carries out tasks, one at a time, and keeps what they gave."""

    def __init__(self, effort: Effort, build: Path, data: Path) -> None:
        self.measurements: list[Measurement] = []
        self.failures: list[Failure] = []
        self._effort = effort
        self._build = build
        self._data = data

    def carry_out(self, task: Task) -> Measurement | Failure:
        """Run one load on a fresh peer."""
        try:
            measurement = self._measure(task)
        except (processes.Failed, OSError, ValueError) as error:
            what = str(error) or type(error).__name__
            failure = Failure(task.placement.name, task.load.name, task.peer.name, task.round, what)
            self.failures.append(failure)
            return failure
        self.measurements.append(measurement)
        return measurement

    def _measure(self, task: Task) -> Measurement:
        tool, placement, rate = task.load.tool, task.placement, self._rate(task)
        with (
            running(task.peer, placement, self._data, position=task.load.position) as peer,
            tempfile.TemporaryDirectory(dir=self._data) as scratch,
        ):
            target = Target(peer.port, self._effort.seconds, self._effort.ab_requests, rate, self._build, Path(scratch))
            device = machine.device(self._data)
            began = checks.prepare(peer.port, task.peer, task.load)
            pids = accounting.family(peer.pids)
            before = accounting.read(pids, placement)
            output = processes.run(placement.load(tool.command(target)), timeout_s=timeout_s(target))
            accounts = accounting.between(before, accounting.read(pids, placement), pids)
            outcome = tool.outcome(output, target)
            ended = checks.settle(peer.port, task.peer)
            fault = checks.judge(task.load, began, ended, outcome)
            commits = scrape.commits(peer.port) if task.peer.name in PEX and task.load.is_stepping else None
        return Measurement(
            setup=placement.name,
            load=task.load.name,
            peer=task.peer.name,
            round=task.round,
            outcome=outcome,
            accounts=accounts,
            commits=commits,
            device=device,
            position=None if ended is None else ended.state,
            fault=fault,
        )

    def _rate(self, task: Task) -> float:
        """Return the rate for a load that has one: half of what the same peer reached before. Raises ValueError."""
        if not task.load.half_rate_of:
            return 0.0
        wanted = (task.placement.name, task.load.half_rate_of, task.peer.name, task.round)
        for done in reversed(self.measurements):
            if (done.setup, done.load, done.peer, done.round) == wanted:
                return done.rate / 2
        raise ValueError(f"there is no rate to halve: {task.load.half_rate_of} failed")
