"""What the writer makes of workers that end, and of a store that fails."""

import asyncio
import errno
import os
import socket
from typing import Any

import pytest

from pexservice.core.judging import Place
from pexservice.errors import DefectiveMachine, StorageFailed
from pexservice.stores.shared.message import Kind, Told
from pexservice.walk.steps import NEXT
from support.machines import Counter
from support.memory_store import Full, MemoryStore
from support.shared_store import Shared, heard, play


@pytest.mark.parametrize("is_at_once", [True, False])
def test_a_store_that_cannot_go_on_ends_the_writer(is_at_once: bool) -> None:  # noqa: FBT001
    """Behind the groups before it, and nothing of it is answered."""

    async def scenario(shared: Shared, below: MemoryStore[Any, Any]) -> None:
        worker = shared.worker()
        if is_at_once:
            below.commit = _fail  # type: ignore[assignment,method-assign]
        commit = asyncio.ensure_future(_awaited(worker.commit([NEXT])))
        await heard()
        if not is_at_once:
            below.fail(StorageFailed())
        await heard()
        assert shared.running is not None
        assert isinstance(shared.running.exception(), StorageFailed)
        assert not commit.done()
        commit.cancel()

    play(scenario)


def _fail(_commands: object, _terms: object) -> None:
    raise StorageFailed


async def _awaited(commit: Any) -> Any:
    return await commit


@pytest.mark.parametrize("is_at_once", [True, False])
def test_who_is_turned_away_is_told_in_turn(is_at_once: bool) -> None:  # noqa: FBT001
    """And the writer goes on."""

    async def scenario(shared: Shared, below: MemoryStore[Any, Any]) -> None:
        worker = shared.worker()
        below.unready = Full() if is_at_once else None
        commit = worker.commit([NEXT])
        await heard()
        if not is_at_once:
            below.fail(Full())
            below.ahead = below.place
        with pytest.raises(Full):
            await commit
        below.unready = None
        commit = worker.commit([NEXT])
        await heard()
        below.release()
        assert (await commit).end == Place(1, 1)

    play(scenario)


def test_a_worker_that_is_gone_is_not_waited_for() -> None:
    """Its group is taken all the same, and others are answered."""

    async def scenario(shared: Shared, below: MemoryStore[Any, Any]) -> None:
        gone, other = shared.worker(), shared.worker()
        gone.commit([NEXT])
        await heard()
        commit = other.commit([NEXT])
        await heard()
        await gone.close()
        await heard()
        assert shared.ended == ["worker"]
        below.release()
        await heard()
        below.release()
        assert (await commit).start == Place(1, 1)
        shared.writer.tell(shared.channels[0], Told(Kind.STOP))

    play(scenario)


def test_a_worker_that_was_cut_off_is_gone() -> None:
    """A reset is an end, and a wake-up for nothing is none."""

    async def scenario(shared: Shared, below: MemoryStore[Any, Any]) -> None:
        worker = shared.worker()
        await heard()
        channel = shared.channels[0]
        shared.writer._on_message(channel, lambda _: shared.ended.append("too early"))
        shared.writer.tell(channel, Told(Kind.STOP))
        worker._channel.close()  # With a message unread: a reset.
        shared.writer._on_message(channel, lambda _: shared.ended.append("worker"))
        assert shared.ended == ["worker"]
        assert channel.socket.fileno() == -1

    play(scenario)


def test_what_a_socket_has_no_room_for_waits_until_it_has() -> None:
    """Nobody waits for a worker that does not listen; once it does, it is told all, in order."""

    async def scenario(shared: Shared, below: MemoryStore[Any, Any]) -> None:
        worker = shared.worker()
        await heard()
        asyncio.get_running_loop().remove_reader(worker._channel)
        for _ in range(1_000):
            shared.writer.tell(shared.channels[0], Told(Kind.STOP))
        await heard()
        assert shared.channels[0].unsent
        asyncio.get_running_loop().add_reader(worker._channel, worker._on_message)
        for _ in range(100):
            await heard()
        assert shared.heard == [Kind.OPEN, *[Kind.STOP] * 1_000]
        assert not shared.channels[0].unsent

    play(scenario)


def test_what_waits_for_a_worker_goes_with_it() -> None:
    """One that is gone is told nothing more."""

    async def scenario(shared: Shared, below: MemoryStore[Any, Any]) -> None:
        worker = shared.worker()
        await heard()
        asyncio.get_running_loop().remove_reader(worker._channel)
        for _ in range(1_000):
            shared.writer.tell(shared.channels[0], Told(Kind.STOP))
        worker._channel.close()
        for _ in range(10):
            await heard()
        assert shared.ended == ["worker"]
        assert not shared.channels[0].unsent

    play(scenario)


class Unsendable:
    """A socket that the kernel has no memory for to send from."""

    def __init__(self, its: socket.socket) -> None:
        self._its = its

    def __getattr__(self, name: str) -> Any:
        return getattr(self._its, name)

    def send(self, *_: object) -> int:
        """As `socket.socket.send`."""
        raise OSError(errno.ENOBUFS, os.strerror(errno.ENOBUFS))


def test_a_worker_that_cannot_be_told_is_ended() -> None:
    """It would wait for what it was not told for ever, and its clients with it; so it is replaced."""

    async def scenario(shared: Shared, below: MemoryStore[Any, Any]) -> None:
        shared.worker()
        await heard()
        channel = shared.channels[0]
        channel.socket = Unsendable(channel.socket)  # type: ignore[assignment]
        shared.writer.tell(channel, Told(Kind.STOP))
        await heard()
        assert set(shared.ended) == {"worker", "writer"}, "each of the two hears that the other is gone"
        assert channel.socket.fileno() == -1

    play(scenario)


@pytest.mark.parametrize(
    "wrong",
    [
        {"decode": lambda _, text: [int(each[:2]) for each in text.split(" ")]},
        {"decode": lambda _, text: [int(each) for each in text.split(" ") if len(each) == 1]},
        {"pack": lambda _, commands: bytes(commands), "unpack": lambda _, data: list(data[1:])},
        {"pack": lambda *_: b"", "unpack": lambda _, data: list(data)},
    ],
)
def test_commands_that_come_as_others_end_the_writer(wrong: dict[str, Any]) -> None:
    """With a sentence for the author of the machine, and before the store or the worker hears of the group."""

    async def scenario(shared: Shared, below: MemoryStore[Any, Any]) -> None:
        commit = asyncio.ensure_future(_awaited(shared.worker().commit([5, 120])))
        await heard()
        assert (below.groups, commit.done()) == ([], False)
        commit.cancel()
        assert shared.running is not None
        with pytest.raises(DefectiveMachine, match="its encode and decode, or its pack and unpack, do not agree"):
            shared.running.result()

    play(scenario, machine=type("Wrong", (Counter,), wrong)())


def test_memory_that_lacks_for_commands_is_no_mistake_of_their_author() -> None:
    """It is told as what it is."""

    def unpack(*_: object) -> list[int]:
        raise MemoryError

    async def scenario(shared: Shared, below: MemoryStore[Any, Any]) -> None:
        shared.worker().commit([5])
        await heard()
        assert shared.running is not None
        assert isinstance(shared.running.exception(), MemoryError)

    play(scenario, machine=type("Short", (Counter,), {"unpack": unpack})())
