"""Fuzzed requests: whatever bytes come, the reader takes exactly the requests that RFC 9112 finds in them.

Almost-valid streams are given to the reader whole and in pieces, and what it makes of them is compared with what an
independent grammar says (`grammar.py`). Each is also carried out by connections in memory, some of which have seen
other requests before: the same bytes must mean the same.
"""

from collections.abc import Hashable, Iterable
from typing import Final

from pexservice.errors import BadRequest
from pexservice.http.reader import Received, RequestReader, WantsContinue
from pexservice.http.request import Request
from support.messages import INVALID, VALID
from support.smuggling import CARRIERS, SMUGGLED
from torture.attack import Attack, Bench, Violation, require
from torture.judges import grammar
from torture.judges.desk import Desk
from torture.judges.grammar import Stream
from torture.mutation import Mutator

INPUTS_A_ROUND: Final = 10_000
FOUND_CHARACTERS_MAX: Final = 3_000
"""Of a violation; the input is kept in full."""
DETAILS_MAX: Final = 40
"""Of different texts in errors. The service has some 20; were a byte of a request among them, there would be more."""
LARGE_BYTES: Final = 400
_VALID: Final = [message.data for message in (VALID | CARRIERS).values()]
_INVALID: Final = [message.data for message in (INVALID | SMUGGLED).values()]
SMALL: Final = [data for data in _VALID * 3 + _INVALID if len(data) <= LARGE_BYTES]
LARGE: Final = [data for data in _VALID + _INVALID if len(data) > LARGE_BYTES]
LARGE_SHARE: Final = 0.01
"""Of inputs made from messages near the limits: each costs as much as a hundred others."""
TOKENS: Final = [
    *(b"\r\n", b"\r\n\r\n", b"\r", b"\n", b"\0", b" ", b"\t", b":", b",", b";", b'"', b"%", b"#", b"?", b"[", b"\x7f"),
    *(b"\xff", b"0", b"1", b"0\r\n\r\n", b"3\r\nabc\r\n", b"ffffffffffffffff", b"18446744073709551615"),
    *(b"Host: y\r\n", b"Content-Length: 3\r\n", b"Content-Length: 0\r\n", b"Transfer-Encoding: chunked\r\n"),
    *(b"Connection: close\r\n", b"Connection: keep-alive\r\n", b"Expect: 100-continue\r\n", b"Upgrade: h2c\r\n"),
    *(b"chunked", b"gzip", b"close", b"HTTP/1.0", b"HTTP/1.1", b"HTTP/2.0", b"http://", b"x/", b"*", b"[::1]"),
    *(b"GET /next HTTP/1.1\r\nHost: x\r\n\r\n", b"POST /reset HTTP/1.1\r\n", b"HEAD", b"OPTIONS", b"CONNECT"),
    *(b"Prefer: return=minimal\r\n", b"Sec-Purpose: prefetch\r\n", b"Accept: text/plain;q=0\r\n", b"HEAD /next "),
    *(b"Origin: http://x\r\n", b"Origin: null\r\n", b'If-Match: "a, b"\r\n', b"If-None-Match: *\r\n"),
]


def run(bench: Bench) -> int:
    """Feed 10,000 inputs."""
    small, large = Mutator(bench.rng, SMALL, TOKENS), Mutator(bench.rng, LARGE, TOKENS)
    details: set[str] = set()
    with bench.in_process():
        desk = Desk()
        for _ in range(INPUTS_A_ROUND):
            mutator = large if bench.rng.random() < LARGE_SHARE else small
            data = mutator.make()
            pieces = mutator.pieces(data)
            try:
                events = judge(data, pieces)
                _judge_meaning(desk, data, pieces)
                details |= {event.detail for event in events if isinstance(event, BadRequest)}
                require(len(details) <= DETAILS_MAX, f"errors repeat what was sent: {details}")
            except Violation as found:
                (bench.directory / "input").write_bytes(data)
                raise Violation(str(found)[:FOUND_CHARACTERS_MAX]) from found
            mutator.learn(data, _effect(events))
    return INPUTS_A_ROUND


def judge(data: bytes, pieces: Iterable[bytes]) -> list[Received]:
    """Read a stream whole and in pieces; return the events. Raises Violation."""
    events, events_of_pieces = _read(data, [data]), _read(data, pieces)
    require(not any(isinstance(event, BadRequest) for event in events[:-1]), f"{data!r} went on behind an error")
    require(_outcome(events) == _outcome(events_of_pieces), f"{data!r} means another thing in pieces: {pieces!r}")
    disagreement = disagree(grammar.read(data), events)
    if disagreement:
        raise Violation(f"{disagreement}: {data!r}")
    return events


def disagree(stream: Stream, events: list[Received]) -> str | None:
    """Return in what the events that a reader made of a stream are not what it holds, or None."""
    requests = [event for event in events if isinstance(event, Request)]
    is_refused = bool(events) and isinstance(events[-1], BadRequest)
    for request, said in zip(requests, stream.messages, strict=False):
        read = (request.method, request.path, request.keep_alive, request.body_bytes, list(request.fields))
        if read != (said.method, said.path or request.path, said.keep_alive, said.body_bytes, said.fields):
            return f"{said} was read as {request}"
    if len(requests) > len(stream.messages):
        return f"there is no request in what was taken for {requests[len(stream.messages)]}"
    if len(requests) < len(stream.messages):
        missing = stream.messages[len(requests)]
        return None if is_refused and missing.may_be_refused else f"not taken: {missing}"
    if stream.ending == "wrong" and not is_refused:
        return "what must be refused was not"
    if stream.ending == "done" and is_refused:
        return "what follows the last request was refused"
    return None


def _read(data: bytes, pieces: Iterable[bytes]) -> list[Received]:
    reader = RequestReader()
    events: list[Received] = []
    try:
        for piece in pieces:
            reader.feed(piece)
            events += iter(reader.next, None)
    except Exception as error:
        raise Violation(f"{data!r} raised {error!r}") from error
    return events


def _outcome(events: list[Received]) -> list[Request | None]:
    """Return what no cut may change: the requests, and that, not why, there was an error."""
    return [event if isinstance(event, Request) else None for event in events if not isinstance(event, WantsContinue)]


def _effect(events: list[Received]) -> Hashable:
    """Return what sort of thing happened; llhttp's reasons tell which of its states were reached."""
    return tuple(
        (event.path, event.keep_alive, event.body_bytes, event.expects_continue, len(event.fields))
        if isinstance(event, Request)
        else (event.detail, str(event.__cause__))
        if isinstance(event, BadRequest)
        else "continue"
        for event in events
    )


def _judge_meaning(desk: Desk, data: bytes, pieces: list[bytes]) -> None:
    """Carry out a stream on a new service, and on one that has seen many others: whole, in pieces, and once more."""
    try:
        first = Desk().exchange(data)
        among_others, in_pieces, again = desk.exchange(data), desk.exchange(*pieces), desk.exchange(data)
    except Exception as error:
        raise Violation(f"{data!r} in pieces {pieces!r} raised {error!r}") from error
    require(first == among_others == again, f"{data!r} means {first}, among others {among_others}, then {again}")
    require(first[0] == in_pieces[0], f"{data!r} steps {first[0]!r}, and in pieces {pieces!r}, {in_pieces[0]!r}")


ATTACK: Final = Attack(
    "fuzzed requests",
    run,
    rounds=100,
    rounds_short=1,
    sabotage="lenient-host",
    noticed="^there is no request in what was taken for|^what must be refused was not",
    cycles=1_000_000,
)
