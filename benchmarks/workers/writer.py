"""`python -m benchmarks.workers.writer DIRECTORY PROGRAM WORKERS STEPS SECONDS DOWN CORE`: the writer alone.

It is the product's own, on the product's own journal. Its workers are simulated, by a program in C on another core.
Prints what that printed, with the processor time that this process used.
"""

import asyncio
import json
import os
import sys
import time
from contextlib import suppress
from mmap import mmap
from pathlib import Path
from typing import Final

import uvloop

from pexservice.config import Settings
from pexservice.core.store import Store
from pexservice.limits import DEFAULT
from pexservice.stores.journal.holding import HeldJournal
from pexservice.stores.shared.board import Board
from pexservice.stores.shared.ordering import Writer, connected
from pexservice.walk.machine import WALK
from pexservice.walk.steps import Step

_BECOME: Final = """
import os, sys
core, fds, *program = sys.argv[1:]
numbers = [int(fd) for fd in fds.split(",")]
for to, fd in enumerate(numbers, 200):
    os.dup2(fd, to)
for to in range(len(numbers)):
    os.dup2(200 + to, 3 + to)
os.sched_setaffinity(0, {int(core)})
os.execv(program[0], program)
"""
"""Becomes a program on a core, with some descriptors as those from 3 on."""


async def measure(directory: Path, program: list[str], core: int) -> None:
    """Order what simulated workers send, for some time. The program is told first how many, then how much of each."""
    workers, steps = int(program[1]), int(program[2])
    held = await HeldJournal.hold(WALK, Settings(data_dir=directory))
    store: Store[int, Step] = await held.open()
    board = Board(WALK, mmap(-1, Board.size(DEFAULT)), DEFAULT, held.unready_reasons)
    writer = Writer(WALK, board, DEFAULT)
    pairs = [connected(DEFAULT) for _ in range(workers)]
    for ours, _ in pairs:
        writer.join(ours, lambda _: None)
    running = asyncio.gather(writer.run(store), store.run())
    began = store.read()
    used_s = time.process_time()
    for _, its in pairs:
        its.set_inheritable(True)
    fds = ",".join(str(its.fileno()) for _, its in pairs)
    load = await asyncio.create_subprocess_exec(
        *[sys.executable, "-c", _BECOME, str(core), fds, *program], stdout=asyncio.subprocess.PIPE, close_fds=False
    )
    printed, _ = await load.communicate()
    used_s = time.process_time() - used_s
    found = json.loads(printed)
    ordered = board.place.sequence - began.sequence
    assert found["steps"] <= ordered <= found["steps"] + workers * steps, "what was answered was ordered, and no more"
    sys.stdout.write(json.dumps(found | {"cpu_s": round(used_s, 3)}) + "\n")
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


if __name__ == "__main__":
    where, *its_program, its_core = sys.argv[1:]
    others = os.sched_getaffinity(0) - {int(its_core)}
    os.sched_setaffinity(0, others or os.sched_getaffinity(0))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(measure(Path(where), its_program, int(its_core)))
