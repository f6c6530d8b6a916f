"""Sends streams of bytes to a real service, each on a connection of its own, and judges all that comes of them.

The grammar says which requests a stream holds, so it also says how many answers there must be, whether the connection
must end, and which of them step. The service's own sequence is the witness: behind every stream another client takes a
step, and the sequence of that one tells exactly how many steps the stream took.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Final, Self

from support.client import Answer
from support.messages import NEXT
from support.process import Service
from torture.attack import Violation, require
from torture.judges import grammar, reading
from torture.judges.grammar import Said, Stream
from torture.vitals import NEW_JOURNAL

PATIENCE_S: Final = 5
"""What must be answered, or ended, is so at once. Half of the deadline by which the service gives up waiting."""
MARK: Final = b"zq7leak"
"""Bytes that no answer and no log line has a reason to contain."""
STEP_PATHS: Final = {"/next", "/previous", "/reset", None}
"""None is a target that is no URI: a lenient reader may find such a path in it."""
STEPPED: Final = {200, 204, 303}
TAKEN: Final = {200, 204, 303, 304, 403, 404, 405, 412}
"""What a request that arrived whole may be answered with."""
FOUND_CHARACTERS_MAX: Final = 5_000
"""Of a violation. The messages near the limits are not worth reading to their end."""
ERRORS_MAX: Final = 60
"""Different errors. The service has some 30; were a byte of a request among them, there would be more."""


class Judge:
    """Knows how many steps the service has taken."""

    def __init__(self, service: Service) -> None:
        self.exchanges = 0
        self._service = service
        self._witness = service.connect()
        self._sequence = self._witness.ask("GET", "/current").sequence
        self._errors: set[tuple[int, bytes]] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._witness.close()

    def exchange(self, *pieces: bytes, status: int | None = None) -> None:
        """Send a stream in pieces. A `status` is what its last answer must have. Raises Violation."""
        stream = grammar.read(b"".join(pieces))
        sent = b""
        try:
            sent, is_ended = self._send(pieces, stream)
            require(MARK not in sent.lower(), "bytes of a request came back")
            answers = reading.parse(sent, stream.methods)
            finals = [answer for answer in answers if answer.status >= 200]
            _require_answered(stream, finals)
            require(is_ended, "the connection stays open")
            require(status is None or finals[-1].status == status, f"the last status is not {status}")
            self._require_steps(stream.messages, finals)
            self._errors |= {(answer.status, answer.body) for answer in finals if answer.status >= 400}
            require(len(self._errors) <= ERRORS_MAX, f"errors repeat what was sent: {self._errors}")
        except (Violation, OSError) as found:
            raise Violation(f"{found}, on {pieces!r}, answered {sent!r}"[:FOUND_CHARACTERS_MAX]) from found
        self.exchanges += 1

    def require_quiet_log(self) -> None:
        """Check that nothing but the usual was logged, and no byte of a request."""
        log = self._service.log.lower()
        require(MARK.decode() not in log, f"bytes of a request were logged: {log}")
        usual = ('"level": "info"', NEW_JOURNAL)
        unusual = [line for line in log.splitlines() if not any(word in line for word in usual)]
        require(not unusual, f"this was logged: {unusual}")

    def _send(self, pieces: Sequence[bytes], stream: Stream) -> tuple[bytes, bool]:
        """Return everything that is sent back, and whether the connection ended. An open one is ended from this side.

        Behind what must be refused, more steps are sent when all is over. If they are taken, the next stream shows it.
        """
        received = b""
        # What is sent behind a last request, in a packet that comes later, may be answered by a reset.
        with self._service.connect() as client, suppress(*[ConnectionError] * (stream.ending == "done")):
            client.socket.settimeout(PATIENCE_S)
            try:
                with suppress(ConnectionError):  # What was answered before it tells whether it may be.
                    client.send(*pieces)
                    if stream.ending == "open":
                        client.end_sending()
                while piece := client.socket.recv(1 << 16):
                    received += piece
            except TimeoutError:
                return received, False
            with suppress(ConnectionError):
                client.send(NEXT * 2 * (stream.ending == "wrong"))
        return received, True

    def _require_steps(self, messages: list[Said], finals: list[Answer]) -> None:
        """Check that exactly the requests that step, and were answered so, did, in order."""
        for said, answer in zip(messages, finals, strict=False):
            is_step = said.method in {"GET", "POST"} and said.path in STEP_PATHS
            # As of a step, and not as of a page, which tells browsers what may run in it.
            is_other = answer.get("cache-control") != "no-store" or answer.get("content-security-policy") is not None
            has_stepped = answer.status in STEPPED and not is_other
            require(is_step or not has_stepped, f"{said} stepped: {answer}")
            self._sequence += has_stepped
            is_placed = answer.get("pex-sequence") is not None
            is_judged = is_step and said.path is not None and answer.status == 412
            require(is_placed or not is_judged, f"it is not told where it was judged: {answer}")
            if is_placed:
                require(answer.sequence == self._sequence, f"the sequence is {self._sequence}, not that of {answer}")
        self._sequence += 1
        taken = self._witness.ask("POST", "/reset").sequence  # To 0, where values are short.
        require(taken == self._sequence, f"steps were taken that were not answered: {taken - self._sequence}")


def _require_answered(stream: Stream, finals: list[Answer]) -> None:
    """Check that every request was answered, and that the connection ended where it must."""
    messages = stream.messages
    is_refused = bool(finals) and finals[-1].status not in TAKEN
    taken = finals[:-1] if is_refused else finals
    require(all(answer.status in TAKEN for answer in taken), "there are answers behind an error")
    require(len(taken) <= len(messages), "there are more answers than requests")
    if len(taken) < len(messages):
        missing = messages[len(taken)]
        require(is_refused and missing.may_be_refused, f"a request was not taken: {missing}")
    else:
        require(is_refused or stream.ending != "wrong", "what must be refused was not")
        require(not is_refused or stream.ending != "done", "what follows the last request was refused")
    is_last = is_refused or stream.ending == "done"
    closes = [answer.closes for answer in finals]
    require(not any(closes[:-1]), "there are answers behind the last")
    require(not is_last or closes[-1], "the last answer does not say that it is the last")
