"""The process that workers are forked from, told what to do by a program of the test."""

import subprocess
import sys
from typing import Final

_PROGRAM: Final = """
import asyncio, os, signal, sys, time
from dataclasses import replace
from pexservice.errors import Fatal
from pexservice.limits import DEFAULT
from pexservice.process.nursery import Nursery, NurseryLost

def work(order, fds):
    os.write(fds[0], order.encode())
    if order == "exit":
        os._exit(7)
    time.sleep(60)

nursery = Nursery.found(work, replace(DEFAULT, nursery_patience_s=0.5))

def is_there(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True

def children():
    with open(f"/proc/{nursery.pid}/task/{nursery.pid}/children") as file:
        return [int(each) for each in file.read().split()]

async def main():
    nursery.attend()
    await scene()

{scene}
asyncio.run(main())
"""


def play(scene: str, *wrapper: str) -> str:
    """Run a scene, and return what it printed."""
    program = [*wrapper, sys.executable, "-c", _PROGRAM.replace("{scene}", scene)]
    done = subprocess.run(program, capture_output=True, text=True, timeout=60, check=False)
    assert not done.stderr, done.stderr
    return done.stdout


def test_a_worker_gets_its_order_and_its_descriptors() -> None:
    """And what it ended with is told, once it is asked for."""
    printed = play("""
async def scene():
    ours, its = os.pipe()
    await nursery.start(3, "exit", [its])
    os.close(its)
    print(os.read(ours, 100), os.read(ours, 100), await nursery.end(3))
""")
    assert printed == "b'exit' b'' 7\n"


def test_a_worker_is_ended_whatever_it_does() -> None:
    """Killed, and then asked for its status."""
    printed = play("""
async def scene():
    ours, its = os.pipe()
    await nursery.start(0, "sleep", [its])
    os.read(ours, 100)
    await nursery.kill(0)
    print(await nursery.end(0), children())
""")
    assert printed == "-9 []\n"


def test_workers_end_with_the_nursery_and_the_nursery_with_the_service() -> None:
    """Whoever is killed takes those below along."""
    printed = play("""
async def scene():
    for number in range(2):
        await nursery.start(number, ".", [os.open(os.devnull, os.O_WRONLY)])
    pids = children()
    os.kill(nursery.pid, signal.SIGKILL)
    os.waitpid(nursery.pid, 0)
    try:
        await nursery.lost
    except NurseryLost as error:
        print("", len(pids), error.exit_status)
    while any(map(is_there, pids)):
        await asyncio.sleep(0.01)
""")
    assert printed == " 2 71\n"
    orphan = play("""
async def scene():
    print(nursery.pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
""")
    gone = "import os, sys, time\nwhile os.path.exists(f'/proc/{sys.argv[1]}/exe'): time.sleep(0.01)"
    subprocess.run([sys.executable, "-c", gone, orphan.strip()], timeout=30, check=True)


def test_a_nursery_that_does_not_answer_is_lost() -> None:
    """A suspended one keeps nobody waiting for long."""
    printed = play("""
async def scene():
    os.kill(nursery.pid, signal.SIGSTOP)
    try:
        await nursery.start(0, ".", [1])
    except NurseryLost as error:
        print(error)
    os.kill(nursery.pid, signal.SIGKILL)
""")
    assert printed == "the process that starts workers does not answer.\n"


def test_signals_to_stop_leave_it_alone() -> None:
    """A terminal and systemd send them to all; the service decides."""
    printed = play("""
async def scene():
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(nursery.pid, number)
    await nursery.start(0, "exit", [1])
    while " Z " not in open(f"/proc/{children()[0]}/stat").read():
        await asyncio.sleep(0.01)
    print("", await nursery.end(0))
""")
    assert printed == "exit 7\n"


def test_a_worker_that_is_wanted_no_more_is_not_started() -> None:
    """A stop closes the listeners, while the order of another worker waits for its turn."""
    printed = play("""
async def scene():
    ours, its = os.pipe()
    is_wanted = True
    starts = [nursery.start(0, "sleep", [its]), nursery.start(1, "sleep", [its], lambda: is_wanted)]
    starts = [asyncio.ensure_future(each) for each in starts]
    await asyncio.sleep(0)
    is_wanted = False
    os.close(its)
    first, second = await asyncio.gather(*starts)
    print(first == children()[0], second, len(children()))
""")
    assert printed == "True 0 1\n"


def test_whoever_started_it_may_have_the_end_of_children_ignored() -> None:
    """That is inherited, and the kernel forgets who ended: then a stop, or the end of a worker, ended all with 71."""
    scene = """
async def scene():
    ours, its = os.pipe()
    await nursery.start(0, "exit", [its])
    os.close(its)
    print(os.read(ours, 100), os.read(ours, 100))
    await nursery.kill(0)
    print(await nursery.end(0), children())
"""
    # It has closed its pipe, and ended or not: by itself, or killed.
    assert play(scene, "env", "--ignore-signal=CHLD").rpartition("\n")[0] in {
        "b'exit' b''\n7 []",
        "b'exit' b''\n-9 []",
    }


def test_a_process_that_cannot_be_had_is_scarce() -> None:
    """The error says what to raise."""
    printed = play("""
def fail():
    raise OSError(11, "Resource temporarily unavailable")

async def scene():
    try:
        await lacking.start(0, ".", [1])
    except Fatal as error:
        print(error.exit_status, error)

fork = os.fork
os.fork = lambda: fork() if os.getpid() == service else fail()
service = os.getpid()
lacking = Nursery.found(work, DEFAULT)
nursery = lacking
""")
    assert printed == (
        "71 no worker process can be started: Resource temporarily unavailable. Raise the limit on processes.\n"
    )
