"""A program is ended on entering the call that was meant, in whichever thread."""

import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from support.process import environment
from torture import tracer

_PROGRAM = """
import os, sys, threading
file = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
def write():
    os.write(file, b"x")
for _ in range(5):
    thread = threading.Thread(target=write)
    thread.start()
    thread.join()
"""


@pytest.fixture
def number() -> int:
    """Return the number of write(2) here."""
    if not shutil.which("strace"):
        pytest.skip("strace is not installed; make test-deps brings it")
    traced = subprocess.run(
        ["strace", "-n", "-e", "trace=write", "echo"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=True
    )
    found = re.search(rb"\[ *(\d+)\] write", traced.stderr)
    assert found
    return int(found[1])


@pytest.mark.parametrize("count", range(1, 7))
def test_the_call_that_was_meant(tmp_path: Path, number: int, count: int) -> None:
    """Five threads write; a sixth call never comes."""
    path = tmp_path / "written"
    program = [*tracer.wrapper(number, count), sys.executable, "-c", _PROGRAM, str(path)]
    status = subprocess.run(program, env=environment(), timeout=60, check=False).returncode
    assert path.read_text("ascii") == "x" * (count - 1)
    assert status == (-signal.SIGKILL if count < 6 else 0)


def test_a_program_that_cannot_be_run(number: int) -> None:
    """It fails as it does without a tracer, and leaves none behind."""
    program = [*tracer.wrapper(number, 1), "/nowhere"]
    ended = subprocess.run(program, env=environment(), capture_output=True, timeout=60, check=False)
    assert b"FileNotFoundError" in ended.stderr
    assert ended.returncode == 1
