"""What the kernel tells, and is told, of a connected socket."""

import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from pexservice.http.socket_state import kernel_bytes, narrow, reset_when_closed
from support.process import wait_until


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A client and the socket that was accepted for it."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        socket.create_connection(listening.getsockname()) as client,
        listening.accept()[0] as accepted,
    ):
        yield client, accepted


def test_a_reset_is_heard_at_once(pair: tuple[socket.socket, socket.socket]) -> None:
    """What is unsent is dropped, and the client gets an error instead of an end."""
    client, accepted = pair
    reset_when_closed(accepted)
    accepted.close()
    with pytest.raises(ConnectionResetError):
        client.recv(1)


def test_bytes_are_the_kernels_until_they_are_acknowledged(pair: tuple[socket.socket, socket.socket]) -> None:
    """A client's kernel acknowledges what fits; of more, some stays here until the client has read."""
    client, accepted = pair
    accepted.setblocking(False)
    sent = 0
    with suppress(BlockingIOError):
        while True:
            sent += accepted.send(bytes(1 << 16))
    assert 0 < kernel_bytes(accepted) <= sent
    while sent:
        sent -= len(client.recv(1 << 20))
    wait_until(lambda: kernel_bytes(accepted) == 0)


def test_a_narrow_socket_keeps_less(pair: tuple[socket.socket, socket.socket]) -> None:
    """And on TCP it gives up a client that acknowledges nothing, after so long."""
    client, accepted = pair
    before = accepted.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
    narrow(accepted, 4096, 2.5)
    assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) < before
    assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 2500
    accepted.send(b"hello")
    assert client.recv(9) == b"hello"


def test_a_unix_socket_has_no_such_patience(tmp_path: Path) -> None:
    """Its kernel knows at once when the other end is gone; it keeps less all the same."""
    with socket.socket(socket.AF_UNIX) as listening, socket.socket(socket.AF_UNIX) as client:
        listening.bind(str(tmp_path / "socket"))
        listening.listen()
        client.connect(listening.getsockname())
        accepted, _ = listening.accept()
        with accepted:
            before = accepted.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
            narrow(accepted, 4096, 2.5)
            assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) < before
