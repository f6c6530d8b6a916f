"""The end of a worker, as its writer sees it."""

import os
import socket
import subprocess
import sys
from typing import Final

_PROGRAM: Final = """
import os, socket, sys
from unittest.mock import patch
from pexservice.process import worker
from pexservice.process.worker import Order, work

channel, log = map(int, sys.argv[1:])

async def serve(plan, order, fds):
    socket.socket(fileno=fds[0]).close()

def finish():
    os.write(log, b"finished")

with patch.object(worker, "_work", serve), patch.object(worker, "logs") as logs:
    logs.finish = finish
    work(None, Order(0, None, (), 0), [channel])
"""


def test_a_worker_is_there_until_it_has_told_its_last() -> None:
    """The writer ends for good whoever closes its channel: what is yet to be logged, and the status, were lost."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    reading, writing = os.pipe()
    program = [sys.executable, "-c", _PROGRAM, str(its.fileno()), str(writing)]
    with subprocess.Popen(program, pass_fds=[its.fileno(), writing]) as process:
        its.close()
        os.close(writing)
        assert ours.recv(1) == b""
        os.set_blocking(reading, False)
        assert os.read(reading, 100) == b"finished"
        assert process.wait() == 0
    ours.close()
    os.close(reading)
