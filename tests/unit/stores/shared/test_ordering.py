"""The process that owns the data, with its workers in the same process."""

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import pytest

from pexservice.core.judging import Place, follow, judge
from pexservice.core.keys import Tag, Terms
from pexservice.errors import Recovering
from pexservice.limits import DEFAULT
from pexservice.stores.shared.message import Kind, Part, group
from pexservice.stores.shared.ordering import connected, shares
from pexservice.walk.machine import WALK
from pexservice.walk.steps import NEXT, PREVIOUS
from support.machines import COUNTER
from support.memory_store import MemoryStore
from support.shared_store import Shared, heard, play


def test_what_comes_while_the_store_is_busy_shares_the_next_group() -> None:
    """Of however many workers."""

    async def scenario(shared: Shared, below: MemoryStore[Any, Any]) -> None:
        workers = [shared.worker() for _ in range(4)]
        commits = [workers[0].commit([NEXT])]
        await heard()
        commits += [worker.commit([PREVIOUS, NEXT]) for worker in workers[1:]]
        await heard()
        assert (len(below.groups), shared.writer.waiting, shared.writer.is_stalled) == (1, 7, False)
        below.release()
        await heard()
        assert list(map(len, below.groups)) == [1, 6]
        below.release()
        ends = [(await commit).end.sequence for commit in commits]
        assert sorted(ends) == [1, 3, 5, 7]

    play(scenario)


def test_a_durable_group_is_published_then_the_next_leaves_then_it_is_answered() -> None:
    """So who was answered finds nothing older anywhere, and the disk does not wait for messages."""

    async def scenario(shared: Shared, below: MemoryStore[Any, Any]) -> None:
        one, other = shared.worker(), shared.worker()
        first = one.commit([NEXT])
        await heard()
        other.commit([NEXT])
        await heard()
        order: list[str] = []
        show, commit, send = shared.writer._board.show_place, below.commit, shared.writer._send

        def note(what: str, then: Callable[..., Any]) -> Callable[..., Any]:
            def noted(*of: Any) -> Any:
                order.append(what)
                return then(*of)

            return noted

        shared.writer._board.show_place = note("published", show)  # type: ignore[method-assign]
        below.commit = note("next", commit)  # type: ignore[method-assign]
        shared.writer._send = note("answered", send)  # type: ignore[method-assign]
        assert one.read() == Place(0, 0)
        below.release()
        await first
        assert order == ["published", "next", "answered"]
        assert other.read() == Place(1, 1)

    play(scenario)


def test_several_groups_are_in_flight_and_answered_in_order() -> None:
    """As many as the store takes; another leaves beside those in flight once half of the workers wait."""

    async def scenario(shared: Shared, below: MemoryStore[Any, Any]) -> None:
        workers = [shared.worker() for _ in range(6)]
        commits = []
        for worker in workers:
            commits.append(worker.commit([NEXT]))
            await heard()
        assert list(map(len, below.groups)) == [1, 3]
        below.release(1)
        await heard()
        assert workers[0].read() == Place(0, 0)
        below.release(0)
        await heard()
        assert workers[0].read() == Place(4, 4)
        assert list(map(len, below.groups)) == [1, 3, 2]
        below.release(2)
        assert [(await commit).start.sequence for commit in commits] == [0, 1, 2, 3, 4, 5]

    play(scenario, in_flight_max=2)


def test_groups_that_come_before_the_store_is_open_wait() -> None:
    """Until then workers are told that it recovers."""

    async def run() -> None:
        shared = Shared(WALK, MemoryStore(WALK))
        worker = shared.worker()
        assert isinstance(worker.unready, Recovering)
        assert isinstance(shared.writer.unready, Recovering)
        commit = worker.commit([NEXT])
        await heard()
        assert shared.writer.is_stalled
        shared.run()
        assert (await commit).end == shared.writer.place == Place(1, 1)
        assert shared.heard == [Kind.OPEN]
        await shared.stop()

    asyncio.run(run())


def test_groups_are_joined_up_to_what_a_row_may_hold() -> None:
    """The rest waits."""

    async def scenario(shared: Shared, below: MemoryStore[Any, Any]) -> None:
        workers = [shared.worker() for _ in range(4)]
        workers[0].commit([NEXT])
        await heard()
        for worker in workers[1:]:
            worker.commit([NEXT] * 30_000)
        await heard()
        below.release()
        await heard()
        assert list(map(len, below.groups)) == [1, 60_000]
        below.release()
        await heard()
        assert list(map(len, below.groups)) == [1, 60_000, 30_000]

    play(scenario)


@pytest.mark.parametrize("counts", [[5], [1, 1, 3], [2, 3]])
def test_parts_begin_where_those_before_them_end(counts: list[int]) -> None:
    """By sequence and by state, also where the machine refused something."""
    commands = [9, 3, 1, -1, 5]
    terms = {2: Terms(match=frozenset([Tag(1, "nowhere")]))}
    judgement = judge(COUNTER, Place(4, COUNTER.initial), commands, terms)
    assert len(judgement.refusals) == 3
    parts = []
    for number, count in enumerate(counts):
        part = Part()
        for message in group(number, count, b"x", {}, DEFAULT):
            part.add(message)
        parts.append(part)
    begin, place = 0, judgement.start
    for part, share in zip(parts, shares(judgement, parts), strict=True):
        assert (share.start, share.number) == (place, part.number)
        own = commands[begin : begin + part.count]
        place = follow(COUNTER, place, own, share.replays, share.refusals).end
        begin += part.count
    assert place == judgement.end


def test_a_socket_of_the_writer_keeps_messages_apart() -> None:
    """It is of the kind that the messages rely on."""

    async def scenario(shared: Shared, _below: MemoryStore[Any, Any]) -> None:
        shared.worker()
        assert shared.channels[0].socket.type == socket.SOCK_SEQPACKET

    play(scenario)


def test_a_channel_takes_the_longest_message_whatever_the_kernel_gives_by_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Advice on tuning sets net.core.wmem_default to 64 KiB: who sent more took the other for gone."""
    by_default = socket.socketpair

    def tuned(*kind: int) -> tuple[socket.socket, socket.socket]:
        ends = by_default(*kind)
        for each in ends:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32_768)
        return ends

    monkeypatch.setattr(socket, "socketpair", tuned)
    message = bytes(DEFAULT.message_bytes_max)
    ours, its = connected(DEFAULT)
    with ours, its:
        for each in (ours, its):
            assert each.send(message, socket.MSG_DONTWAIT) == len(message)


def test_a_worker_that_joins_just_before_the_writer_runs_is_told_that_groups_are_taken() -> None:
    """A start whose recovery ends while workers are started: who joined in between served nobody, for ever."""

    async def run() -> None:
        shared = Shared(WALK, MemoryStore(WALK))
        shared.worker()
        shared.run()
        shared.worker()
        await heard()
        assert shared.heard == [Kind.OPEN] * 2
        await shared.stop()

    asyncio.run(run())
