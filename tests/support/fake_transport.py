"""A transport without a socket: what is sent is kept, and what the client does is called by the test."""

from pexservice.http.transport import Handler


class FakeTransport:
    """As `pexservice.http.transport.Transport`. Bytes are taken at once, unless the client is said to take none."""

    def __init__(self) -> None:
        self.handler: Handler
        self.is_reading = True
        self.is_clogged = False
        self.is_shut_down = False
        self.is_closed = False
        self.was_reset = False
        self.takes = True
        self.stalls = False
        self.is_narrow = False
        self.sent = b""
        self.unsent_bytes = 0

    def send(self, data: bytes) -> None:
        if self.is_closed:
            return
        assert not self.is_shut_down, "it wrote behind its last answer"
        self.sent += data
        if not self.takes:
            self.unsent_bytes += len(data)
            if not self.is_clogged:
                self.is_clogged = True
                self.handler.on_clogged()

    def hold(self, data: bytes) -> None:
        self.send(data)

    def read(self, *, wanted: bool) -> None:
        if not self.is_closed:
            self.is_reading = wanted

    def narrow(self) -> None:
        self.is_narrow = True

    def is_stalled(self, now_s: float) -> bool:
        return self.stalls

    def shut_down(self) -> None:
        assert not self.unsent_bytes
        self.is_shut_down = True

    def close(self) -> None:
        assert not self.unsent_bytes
        self.lose()

    def abort(self) -> None:
        self.was_reset = True
        self.lose()

    # What the client does.

    def clog(self) -> None:
        """Take nothing that is sent from now on."""
        self.takes = False

    def drain(self) -> None:
        """Take all that is unsent."""
        self.takes, self.is_clogged, self.unsent_bytes = True, False, 0
        self.handler.on_drained()

    def lose(self) -> None:
        """Be closed."""
        if not self.is_closed:
            self.is_closed, self.is_reading, self.is_clogged, self.unsent_bytes = True, False, False, 0
            self.handler.on_lost()

    def statuses(self) -> list[int]:
        """Return those of all answers."""
        return [int(answer[:3]) for answer in self.sent.split(b"HTTP/1.1 ")[1:]]
