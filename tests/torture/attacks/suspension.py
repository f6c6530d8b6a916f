"""SIGSTOP and SIGCONT: the process is not run for a while, as on a suspended or starved machine.

While nobody listens, no client is late. Whatever was sent in the meantime, on connections old, new and half used, is
answered when the process goes on; nobody is cut off at a deadline that passed in its sleep, not even one who takes some
more time then.
"""

import signal
import time
from typing import Final

from pexservice.core.judging import Place
from pexservice.limits import DEFAULT
from pexservice.trial.linearizability import check
from pexservice.trial.operation import Operation
from support.client import Client, message
from torture.attack import Attack, Bench, Violation, require
from torture.load import Load, place_of

_FIRST_S: Final = 12.0
"""More than the deadline of a new connection, so that already the first round asks the question."""
_LONGEST_S: Final = 60.0
_NOTED_S: Final = 2 * DEFAULT.sweep_period_s + 0.5
"""By then the service has looked at the connections, and seen that nothing comes from some of them."""
_MARGIN_S: Final = 10.0
"""For the rest of a round, so that no deadline of a running service is met in it."""


def run(bench: Bench) -> int:
    """Suspend the service under load for a while, let it go on, and kill it."""
    assert DEFAULT.keep_alive_s > _MARGIN_S
    sleep_s = _LONGEST_S ** bench.rng.random() if bench.index else _FIRST_S
    data_dir = bench.directory / "data"
    history: list[Operation] = []
    with bench.serving(data_dir) as service:
        idle, half, slow, silent = service.connect(), service.connect(), service.connect(), service.connect()
        idle.ask("GET", "/livez")
        for client in (half, slow):
            client.send(message("GET", "/livez")[:-2])
        with Load(service, bench.rng, clients=6) as load:
            load.wait(20)
            time.sleep(_NOTED_S)
            service.send_signal(signal.SIGSTOP)
            asleep_s = time.monotonic()
            late = service.connect()
            for client in (idle, silent, late):
                client.send(message("GET", "/livez"))
            half.send(b"\r\n")
            time.sleep(sleep_s)
            service.send_signal(signal.SIGCONT)
            for name, client in (("idle", idle), ("half used", half), ("silent", silent), ("new", late)):
                _expect_answer(name, client)
            time.sleep(1.5 * DEFAULT.sweep_period_s)  # It may take so long, by the clock that stood still meanwhile.
            slow.send(b"\r\n")
            _expect_answer("slow", slow)
            require(time.monotonic() - asleep_s < sleep_s + _MARGIN_S, "goes on at once")
            load.wait(20)
        history += load.history
        load.require_answered()
        service.stop(signal.SIGKILL)
    with bench.serving(data_dir) as service:
        check(history, Place(0, 0), place_of(service))
    return 1


def _expect_answer(name: str, client: Client) -> None:
    with client:
        try:
            status = client.read().status
        except ConnectionError as error:
            cut_off = f"a connection that was {name} when the process was suspended was cut off: {error}"
            raise Violation(cut_off) from error
    require(status == 200, f"a connection that was {name} was answered {status}")


ATTACK: Final = Attack(
    "SIGSTOP for 1 to 60 s",
    run,
    rounds=30,
    rounds_short=1,
    sabotage="wall-clock",
    noticed="^a connection that was .* was (cut off|answered 408)",
    cycles=30,
    pace="waiting",
)
