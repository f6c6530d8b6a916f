"""What a connection and its socket ask of each other: two small interfaces, our own.

They look like asyncio's and are not: a transport knows nothing of the phases of a connection, it has no state but
"reads or not" and "unsent bytes or not", and whoever drives it says when to shut down and when to close. `sockets.py`
is the one for real sockets.
"""

from typing import Protocol


class Transport(Protocol):
    """What a connection asks of its socket. Once it was closed, every call does nothing."""

    is_reading: bool
    """Whether bytes are received. To be changed by `read` alone."""
    is_clogged: bool
    """Whether more bytes are unsent than may be: the client does not take its answers. Until all are sent."""

    @property
    def unsent_bytes(self) -> int:
        """How many bytes wait here, held, or not taken by the kernel."""
        ...

    def send(self, data: bytes) -> None:
        """Send bytes, behind what was sent and held before; what the kernel does not take waits here."""
        ...

    def hold(self, data: bytes) -> None:
        """Send bytes in one go with what is sent next, or by themselves soon. What is long together is sent at once."""
        ...

    def read(self, *, wanted: bool) -> None:
        """Receive from now on, or leave what comes to the kernel."""
        ...

    def narrow(self) -> None:
        """Have the kernel keep little of what is sent from now on: for a client that is to skip what it reads late."""
        ...

    def is_stalled(self, now_s: float) -> bool:
        """Whether bytes are unsent and the client has not taken any for too long. To be asked at every sweep."""
        ...

    def shut_down(self) -> None:
        """Close our half. Nothing may be unsent."""
        ...

    def close(self) -> None:
        """Close. Nothing may be unsent."""
        ...

    def abort(self) -> None:
        """Close with a reset, and drop what is unsent: else the kernel would go on holding what nobody takes."""
        ...


class Handler(Protocol):
    """What a socket tells of, always at once: also from within a call of its transport."""

    def on_data(self, data: bytes) -> None:
        """Take what the client sent."""
        ...

    def on_end(self) -> None:
        """Take note that the client sends no more, and stop reading: it would be told again and again."""
        ...

    def on_clogged(self) -> None:
        """Take note that the client falls behind."""
        ...

    def on_drained(self) -> None:
        """Take note that bytes were unsent, and now all are sent."""
        ...

    def on_lost(self) -> None:
        """Take note that the socket is closed, by whichever side. The last call there is."""
        ...
