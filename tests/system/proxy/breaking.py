"""A server that takes requests and answers only some of them, for what stands in front of it."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n1\n"


@dataclass
class Breaking:
    """Answers the first request of each connection, takes the second, and closes."""

    listener: socket.socket
    taken: list[bytes] = field(default_factory=list)
    """The line and header of every request."""

    @property
    def address(self) -> str:
        """Where it listens, as host and port."""
        return "{}:{}".format(*self.listener.getsockname())

    def serve(self) -> None:
        """Serve one connection after another until the listener is shut down."""
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                if self._take(connection):
                    connection.sendall(_ANSWER)
                    self._take(connection)

    def _take(self, connection: socket.socket) -> bool:
        received = b""
        while b"\r\n\r\n" not in received:
            more = connection.recv(65536)
            if not more:
                return False
            received += more
        self.taken.append(received)
        return True


@contextmanager
def breaking() -> Iterator[Breaking]:
    """Run one until the end of the block."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Breaking(listener)
        serving = threading.Thread(target=server.serve, daemon=True)
        serving.start()
        yield server
        listener.shutdown(socket.SHUT_RDWR)
