"""Sockets that listen, and what they give out."""

import socket
from pathlib import Path

import pytest

from pexservice.http.listener import Listener


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_UNIX])
def test_a_connection_is_given_out_as_it_is(tmp_path: Path, family: socket.AddressFamily) -> None:
    """Its family is that of the listener, it sends at once, and when nobody waits there is none."""
    with socket.socket(family) as listening, socket.socket(family) as client:
        listening.bind(("127.0.0.1", 0) if family == socket.AF_INET else str(tmp_path / "socket"))
        listening.listen()
        listener = Listener(listening)
        with pytest.raises(BlockingIOError):
            listener.accept()
        client.connect(listening.getsockname())
        accepted = listener.accept()
        try:
            assert accepted.family == family
            if family == socket.AF_INET:
                assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            accepted.send(b"hello")
            assert client.recv(9) == b"hello"
        finally:
            accepted.close()
