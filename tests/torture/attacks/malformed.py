"""Malformed HTTP: a corpus of requests drawn from the MUSTs of RFC 9110 and 9112, valid and not, however they arrive.

Every message goes to the real service with steps pipelined before and behind it, byte by byte, and cut in two at every
byte; so do messages at every limit, and almost-valid ones that a mutator makes of all these. What must come of each
stream is known (`http/judge.py`), above all how far the walk may have moved.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Final

from support.messages import HOST, INVALID, NEXT, VALID, Invalid, Valid, get
from support.process import Service
from torture.attack import Attack, Bench, require
from torture.attacks.malformed_fuzz import SMALL, TOKENS
from torture.attacks.malformed_limits import MESSAGES, PIPELINES
from torture.judges.judge import MARK, Judge
from torture.mutation import Mutator

CONDITIONS: Final = [
    get(HOST + fields) for fields in (b"If-Match: *\r\n", b'If-Match: "a, b"\r\n', b"If-None-Match: *\r\n")
]
"""Steps that are judged at their turn: what is refused then tells where the walk stands."""
CORPUS: Final[list[Valid | Invalid]] = [*VALID.values(), *INVALID.values(), *MESSAGES, *CONDITIONS]
CUT_BYTES_MAX: Final = 120
"""Longer messages are not cut at every byte."""
SHARES: Final = 20
"""Of the cuts; a round tries one."""
MUTATIONS_A_ROUND: Final = 500
PENDING_MAX: Final = 20
CONNECTIONS_MAX: Final = 12
MARKS: Final = [
    MARK,
    b"/" + MARK,
    MARK + b": " + MARK + b"\r\n",
    MARK + b" /next HTTP/1.1\r\n",
    b"http://" + MARK + b"/",
]


def run(bench: Bench) -> int:
    """Send every message, this round's share of the cuts, and some mutations."""
    with bench.serving(bench.directory / "data") as service, Judge(service) as judge:
        for message in CORPUS:
            status = message.status if isinstance(message, Invalid) else None
            judge.exchange(NEXT + message.data + NEXT, status=status)
        for pipeline in PIPELINES:
            judge.exchange(pipeline)
            judge.exchange(pipeline)  # Now it is remembered.
        for pieces in list(_cuts())[bench.index % SHARES :: SHARES]:
            judge.exchange(*pieces)
        mutator = Mutator(bench.rng, SMALL, TOKENS + MARKS)
        for _ in range(MUTATIONS_A_ROUND):
            data = mutator.make()
            judge.exchange(*bench.rng.choice(([data], mutator.pieces(data))))
        judge.require_quiet_log()
    with bench.serving(
        bench.directory / "data", "--max-pending", str(PENDING_MAX), "--max-connections", str(CONNECTIONS_MAX)
    ) as service:
        return judge.exchanges + _press_connections(service) + _press_pending(service)


def _cuts() -> Iterator[list[bytes]]:
    """Give every message byte by byte, and short ones cut at every byte, with a step behind."""
    for message in CORPUS:
        data = message.data
        if len(data) > CUT_BYTES_MAX:
            continue
        yield [data[index : index + 1] for index in range(len(data))]
        yield from ([data[:place], data[place:] + NEXT] for place in range(len(data) + 1))


def _press_connections(service: Service) -> int:
    """Open as many connections as there may be, and one more, for which exactly one that is idle makes room."""
    with ExitStack() as stack:
        clients = [stack.enter_context(service.connect()) for _ in range(CONNECTIONS_MAX)]
        statuses = {client.ask("GET", "/livez").status for client in clients}
        newcomer = stack.enter_context(service.connect())
        statuses.add(newcomer.ask("GET", "/livez").status)
        require(statuses == {200}, f"a connection was not served: {statuses}")
        ended = 0
        for client in clients:
            try:
                client.ask("GET", "/livez")
            except ConnectionError:
                ended += 1
        require(ended == 1, f"{ended} connections made room for one")
    return 1


def _press_pending(service: Service) -> int:
    """Send as many steps at once as may wait, one fewer, one more; those that are refused are not taken."""
    for count in (PENDING_MAX - 1, PENDING_MAX, PENDING_MAX + 1):
        with service.connect() as client:
            begin = client.ask("GET", "/current").sequence
            client.send(NEXT * count)
            answers = [client.read() for _ in range(count)]
            taken = [answer.sequence - begin for answer in answers if answer.status == 200]
            require({answer.status for answer in answers} <= {200, 503}, f"of {count} steps: {answers}")
            require(taken == list(range(1, len(taken) + 1)), f"of {count} steps: {answers}")
            require(len(taken) >= min(count, PENDING_MAX), f"{len(taken)} of {count} steps were taken")
            require(client.ask("GET", "/current").sequence == begin + len(taken), "a refused step was taken")
    return 3


ATTACK: Final = Attack(
    "malformed", run, SHARES, 1, sabotage="lenient-host", noticed="^there are more answers than requests"
)
