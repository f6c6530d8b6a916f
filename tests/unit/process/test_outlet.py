"""The queue of log lines and its thread."""

import os
import threading

import pytest

from pexservice.process.outlet import Outlet
from support.process import HANG_S

LINES_MAX = 600


def test_lines_come_in_order_and_are_all_there_in_the_end() -> None:
    """As long as somebody reads."""
    reader, writer = os.pipe()
    outlet = Outlet(writer, str.encode, lambda _: None, LINES_MAX)
    lines = [f"{number}\n" for number in range(500)]
    for line in lines:
        outlet.write(line)
    outlet.finish()
    os.close(writer)
    with os.fdopen(reader) as taken:
        assert taken.readlines() == lines
    assert outlet.dropped == 0


def test_the_queue_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """While a write hangs, as on a broken disk, so many lines wait, and the others are dropped."""
    hanging, released = threading.Event(), threading.Event()

    def hang(*_: object) -> bool:
        hanging.set()
        return released.wait(HANG_S)

    monkeypatch.setattr("pexservice.process.outlet.write", hang)
    told: list[int] = []
    outlet = Outlet(-1, str.encode, told.append, LINES_MAX)
    outlet.write("the one that hangs")
    assert hanging.wait(HANG_S)
    for _ in range(LINES_MAX + 7):
        outlet.write("x")
    assert outlet.dropped == 7
    released.set()
    outlet.finish()
    assert told == [7]


def test_lines_that_cannot_be_written_are_counted_and_told_of_once() -> None:
    """The first that can be is followed by the count; what is told is not told again."""
    told: list[int] = []
    full = os.open("/dev/full", os.O_WRONLY)
    outlet = Outlet(full, str.encode, told.append, LINES_MAX)
    for _ in range(3):
        outlet.write("x")
    outlet.finish()
    assert (outlet.dropped, told) == (3, [])
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, full)
    for _ in range(2):
        outlet.write("x")
    outlet.finish()
    assert (outlet.dropped, told) == (3, [3])
    os.close(null)
    os.close(full)


def test_without_a_thread_lines_are_written_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where none can be started."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    reader, writer = os.pipe()
    outlet = Outlet(writer, str.encode, lambda _: None, LINES_MAX)
    outlet.write("x")
    outlet.finish()
    assert os.read(reader, 9) == b"x"
    os.close(reader)
    os.close(writer)
