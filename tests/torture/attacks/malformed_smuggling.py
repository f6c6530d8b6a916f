"""Smuggled requests: messages that hold a request in a place where some server has found one, and executed it.

Each message must be refused as a whole, and the connection must end, so that nothing in it or behind it can be taken
for a request. A valid message that holds a request in its body must be taken once, and what it holds never. The
sequence of the walk tells whether a hidden step was taken.
"""

from typing import Final

from support.messages import NEXT, Invalid, Valid
from support.smuggling import CARRIERS, SMUGGLED
from torture.attack import Attack, Bench
from torture.judges.judge import Judge

PAIRS: Final[list[Valid | Invalid]] = [*SMUGGLED.values(), *CARRIERS.values()]
CUTS_A_ROUND: Final = 8


def run(bench: Bench) -> int:
    """Send every pair whole, behind its head, byte by byte, and cut in random places."""
    with bench.serving(bench.directory / "data") as service, Judge(service) as judge:
        for pair in PAIRS:
            data, status = pair.data, pair.status if isinstance(pair, Invalid) else None
            judge.exchange(data, status=status)
            judge.exchange(NEXT + data + NEXT, status=status)
            body = data.index(b"\r\n\r\n") + 4
            judge.exchange(data[:body], data[body:], NEXT, status=status)
            for _ in range(CUTS_A_ROUND):
                places = sorted(bench.rng.sample(range(1, len(data)), 2))
                judge.exchange(data[: places[0]], data[places[0] : places[1]], data[places[1] :] + NEXT, status=status)
        for pair in PAIRS[bench.index % CUTS_A_ROUND :: CUTS_A_ROUND]:
            judge.exchange(*(pair.data[index : index + 1] for index in range(len(pair.data))))
        judge.require_quiet_log()
        return judge.exchanges


ATTACK: Final = Attack(
    "smuggled requests", run, 20, 1, sabotage="lenient-framing", noticed="^there are more answers than requests"
)
