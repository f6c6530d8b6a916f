"""Something else that listens where a service was expected."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def answering(answer: bytes, *, then: bytes = b"", period_s: float = 0.0, closes: bool = True) -> Iterator[int]:
    """Answer each connection with these bytes, then with others again and again; return the port.

    Without `closes`, the connection stays open after the answer.
    """
    is_over = threading.Event()

    def serve(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            if not closes or then:  # One that closes at once may do so before it is asked.
                connection.recv(4096)
            connection.sendall(answer)
            while then and not is_over.wait(period_s):
                connection.sendall(then)
            if closes:
                connection.shutdown(socket.SHUT_WR)
                connection.recv(4096)
            else:
                is_over.wait()

    def accept(server: socket.socket) -> None:
        with suppress(OSError):
            while True:
                connection, _ = server.accept()
                connection.settimeout(60)
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=accept, args=(server,), daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            is_over.set()
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
