"""The server of one process of several, in what is its own."""

import asyncio
import errno
import os
import socket

import pytest
import structlog

from pexservice.http.joint import JointServer
from support.wire import Wire


class Alone:
    """The connections of all processes, of which there is but one, and those of others that a test makes up."""

    def __init__(self) -> None:
        self.counted = 0
        self.others = 0

    def connections(self) -> int:
        """As `joint.Occupancy.connections`."""
        return self.counted + self.others

    def count(self, connections: int) -> None:
        """As `joint.Occupancy.count`."""
        self.counted = connections

    def pause_s(self) -> float:
        """As `joint.Occupancy.pause_s`."""
        return 0.0


async def _scene(*, is_swept: bool) -> tuple[int, list[str]]:
    """Return how many connections there are after one of which the event loop cannot hear, and what was logged."""
    server = JointServer(Wire().shared, Alone(), connections_max=1, processes=1)
    ours, its = socket.socketpair()
    taken = socket.SocketType(ours.family, ours.type, ours.proto, ours.detach())

    def announce(fd: int) -> None:
        if is_swept:  # The event loop came in between, and had no place for it.
            server._newcomers.pop(fd).close()
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))

    server._poller.announce = announce  # type: ignore[method-assign]
    with structlog.testing.capture_logs() as logs:
        server._welcome(taken)
    assert taken.fileno() == -1
    its.close()
    return server.connections, [each["event"] for each in logs]


def test_a_connection_of_which_the_event_loop_cannot_hear_is_closed() -> None:
    """And that is told."""
    assert asyncio.run(_scene(is_swept=False)) == (0, ["a connection could not be taken"])


def test_a_connection_that_a_sweep_has_closed_meanwhile_is_none() -> None:
    """The thread that accepts and the event loop share the newcomers."""
    assert asyncio.run(_scene(is_swept=True)) == (0, [])


async def _left(*, others: int) -> int:
    """Return how many of 6 connections a sweep leaves, where all may have 6 and this process's share is 2."""
    occupancy = Alone()
    server = JointServer(Wire().shared, occupancy, connections_max=6, processes=3)
    clients = []
    for _ in range(6):
        ours, its = socket.socketpair()
        server._welcome(socket.SocketType(ours.family, ours.type, ours.proto, ours.detach()))
        clients.append(its)
    server._settle_all()
    occupancy.others = others
    server._sweep()
    left = server.connections
    await server.drain(0)
    for client in clients:
        client.close()
    return left


@pytest.mark.parametrize(("others", "left"), [(0, 6), (1, 5), (3, 3), (9, 2)])
def test_a_sweep_makes_as_much_room_as_is_missing(others: int, left: int) -> None:
    """And never more: an idle connection that is in nobody's way stays. A process keeps its share."""
    assert asyncio.run(_left(others=others)) == left
