"""Several services on one data directory.

Whoever comes second learns so before it has written anything. Two or four start at the same instant, on what a kill
under load left behind; one of them serves. While it serves, or while it is stopped with SIGSTOP and only seems to be
dead, one more comes. Every service that is turned away ends with 75, and no byte but the owner's changes.
"""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Barrier
from typing import Final

from pexservice.core.judging import Place
from pexservice.stores.journal.live_keys import KEYS_NAME
from pexservice.stores.journal.ring import RING_NAME
from pexservice.stores.journal.segment import segment_name
from pexservice.trial.linearizability import check
from pexservice.trial.operation import Operation
from support.process import Service
from torture.attack import Attack, Bench, require
from torture.attacks.damage_judge import contents, judge_files
from torture.load import WAIT_S, Load, place_of

_CYCLES: Final = 5
_OWNED_ELSEWHERE: Final = 75


def run(bench: Bench) -> int:
    """Start some at once, turn one away, kill the owner; again and again."""
    directory = bench.directory / "data"
    place, history = Place(0, 0), list[Operation]()
    for _ in range(_CYCLES):
        before = contents(directory)
        with _together(bench, directory, bench.rng.choice([2, 4])) as services:
            owner = _owner(directory, services)
            begun = place_of(owner)
            check(history, place, begun)
            judge_files(before, contents(directory), begun)
            new = contents(directory).keys() - before.keys() - {"lock", "."}
            require(new <= {RING_NAME, KEYS_NAME, segment_name(begun.sequence)}, f"a start at {begun} made {new}")
            with Load(owner, bench.rng) as load:
                load.wait(50)
                _turn_away(bench, directory, owner, is_stopped=bench.rng.random() < 0.5)
                load.wait(100)
                require(owner.stop(signal.SIGKILL) == -signal.SIGKILL, f"the owner ended by itself: {owner.log}")
            place, history = begun, load.history
    with bench.serving(directory) as service:
        check(history, place, place_of(service))
    return _CYCLES


@contextmanager
def _together(bench: Bench, directory: Path, count: int) -> Iterator[list[Service]]:
    """Start services at the same instant."""
    at_once = Barrier(count)
    with ExitStack() as stack:

        def start(_index: int) -> Service:
            at_once.wait(WAIT_S)
            return stack.enter_context(bench.serving(directory))

        with ThreadPoolExecutor(count) as pool:
            services = list(pool.map(start, range(count)))
        yield services


def _owner(directory: Path, services: list[Service]) -> Service:
    """Demand that one service serves and the others were turned away; return the one."""
    serving = [service for service in services if service.where]
    require(len(serving) == 1, f"{len(serving)} of {len(services)} services serve at the same time")
    for service in services:
        if service is not serving[0]:
            _expect_refusal(service)
    told = (directory / "lock").read_text().strip()
    require(told == str(serving[0].pid), f"the lock names process {told}, and its owner is {serving[0].pid}")
    return serving[0]


def _turn_away(bench: Bench, directory: Path, owner: Service, *, is_stopped: bool) -> None:
    """Start one more, beside an owner under load or one that is stopped."""
    if is_stopped:
        owner.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, owner.pid, os.WSTOPPED)
    try:
        before, lock = contents(directory), (directory / "lock").read_bytes()
        with bench.serving(directory) as second:
            _expect_refusal(second)
        require(f"(pid {owner.pid})" in second.log, f"does not name process {owner.pid}: {second.log}")
        after = contents(directory)
        if is_stopped:
            require(after == before, "a service that was turned away changed something")
        # The owner under load writes its history, each file under another name at first.
        changed = {name for name in after.keys() ^ before.keys() if not name.endswith(".new")}
        require(not changed, f"a service that was turned away made or took away {changed}")
        require((directory / "lock").read_bytes() == lock, "a service that was turned away changed the lock")
    finally:
        owner.send_signal(signal.SIGCONT)


def _expect_refusal(service: Service) -> None:
    require(not service.where, f"one more serves beside the owner: {service.log}")
    status = service.wait()
    require(status == _OWNED_ELSEWHERE, f"one more ended with {status}: {service.log}")
    require("owns the data directory" in service.log, f"one more does not say why it ended: {service.log}")


ATTACK: Final = Attack(
    "two services on one directory",
    run,
    10,
    1,
    sabotage="no-lock",
    noticed="serve at the same time|^one more ended with",
    cycles=50,
)
