"""What may hang does so in a thread of its own."""

import asyncio
import threading

import pytest

from pexservice.disk.daemons import first, in_daemon, in_time, off_loop
from pexservice.errors import AddressUnavailable

HUNG = AddressUnavailable("it hangs")


def test_what_a_function_comes_to_is_told() -> None:
    """What it returns, or what it raises."""

    def fail() -> None:
        raise KeyError("a defect")

    async def scene() -> None:
        assert await in_daemon(lambda: 7) == 7
        assert await in_time(lambda: 8, 60, HUNG) == 8
        with pytest.raises(KeyError):
            await in_daemon(fail)
        with pytest.raises(KeyError):
            await in_time(fail, 60, HUNG)

    asyncio.run(scene())


def test_without_a_thread_the_event_loop_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is to be done is done: a limit on threads is no reason to stop."""

    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    def fail() -> None:
        raise OSError(28, "No space left on device")

    async def scene() -> None:
        threads = {await off_loop(threading.get_ident)}
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", start)
            threads.add(await off_loop(threading.get_ident))
            with pytest.raises(OSError, match="No space left"):
                await off_loop(fail)
        assert len(threads - {threading.get_ident()}) == 1

    asyncio.run(scene())


def test_nobody_waits_for_ever() -> None:
    """Beyond the time it is said what hung; and nothing keeps the process, though the function goes on."""
    go_on = threading.Event()

    async def scene() -> None:
        with pytest.raises(AddressUnavailable, match="it hangs"):
            await in_time(go_on.wait, 0.01, HUNG)

    asyncio.run(scene())
    waiting = [thread for thread in threading.enumerate() if thread is not threading.main_thread()]
    assert all(thread.daemon for thread in waiting)
    go_on.set()  # It is told to a loop that is closed, and to nobody.


def test_the_first_of_several_is_enough() -> None:
    """The others go on."""

    async def scene() -> None:
        late: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        await first(in_daemon(lambda: 7), late)
        assert not late.done()
        await first(late, timeout_s=0)
        assert not late.done()

    asyncio.run(scene())
