"""Work of a command in an event loop."""

import asyncio
import errno
import os

import pytest

from pexservice.cli.looping import looped


def test_what_comes_of_the_work_is_returned() -> None:
    """It runs in a loop of its own."""

    async def work() -> int:
        await asyncio.sleep(0)
        return 7

    assert looped(work) == 7


def test_without_descriptors_nothing_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    """An event loop that cannot be made, and work that nobody awaits, would be told of beside the error."""
    before = os.listdir("/proc/self/fd")
    dup = os.dup

    def few(fd: int) -> int:
        if len(os.listdir("/proc/self/fd")) - len(before) > 3:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return dup(fd)

    with monkeypatch.context() as patched:
        patched.setattr(os, "dup", few)
        with pytest.raises(OSError, match=os.strerror(errno.EMFILE)):
            looped(_unbegun)
    assert len(os.listdir("/proc/self/fd")) == len(before)


async def _unbegun() -> None:
    raise AssertionError
