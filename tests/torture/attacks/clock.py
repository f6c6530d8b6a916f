"""Jumps of the wall clock.

Order, deadlines and recovery go by sequence and monotonic time, so whatever the time of day does, clients stay
connected and the walk goes on. libfaketime fakes the one clock for the service and leaves the other alone; the offset
comes from a file, which the attack rewrites while the service runs.
"""

import signal
import time
from pathlib import Path
from typing import Final

from pexservice.core.judging import Place
from pexservice.trial.linearizability import check
from pexservice.trial.operation import Operation
from support.client import message
from support.process import run as run_command
from torture.attack import Attack, Bench, Unsupported, Violation, require
from torture.load import Load, place_of

_LIBRARY: Final = "faketime/libfaketimeMT.so.1"
_TIMES: Final = ["-1h", "+1h", "@1970-01-01 00:00:00", "@2038-01-19 03:14:00", "-30s", "+400d"]
_JUMPS: Final = 4
_SEEN_S: Final = 1.2
"""More than a sweep's period: by then the service looked at the clock."""


def run(bench: Bench) -> int:
    """Serve through several jumps, kill, and start again at yet another time."""
    libraries = list(Path("/usr/lib").glob(f"*/{_LIBRARY}"))
    if not libraries:
        raise Unsupported("libfaketime")
    offset = bench.directory / "offset"
    offset.write_text("+0")
    faked = [
        "env",
        f"LD_PRELOAD={libraries[0]}",
        f"FAKETIME_TIMESTAMP_FILE={offset}",
        "FAKETIME_NO_CACHE=1",
        "FAKETIME_DONT_FAKE_MONOTONIC=1",
    ]
    data_dir = bench.directory / "data"
    history: list[Operation] = []
    dates = set()
    with bench.serving(data_dir, small_segments=True, wrapper=faked) as service, service.connect() as idle:
        idle.ask("GET", "/current")
        with service.connect() as partial, Load(service, bench.rng, clients=3) as load:
            partial.send(message("GET", "/current")[:-2])
            try:
                for offset_now in bench.rng.sample(_TIMES, _JUMPS):  # Half of them go to another day.
                    offset.write_text(offset_now)
                    time.sleep(_SEEN_S)
                    load.wait(1)
                    dates.add(idle.ask("GET", "/current")["date"][5:16])
                partial.send(b"\r\n")
                status = partial.read().status
            except ConnectionError as error:
                cut_off = f"a client was cut off when the clock jumped: {error}"
                raise Violation(cut_off) from error
            require(status == 200, f"a request that was half sent when the clock jumped was answered {status}")
        load.require_answered()
        history += load.history
        require(len(dates) > 1, f"the service does not see the jumps: {dates}")
        service.stop(signal.SIGKILL)
    offset.write_text(bench.rng.choice(_TIMES))
    with bench.serving(data_dir, wrapper=faked) as service:
        check(history, Place(0, 0), place_of(service))
        require(service.stop(signal.SIGTERM) == 0, f"does not stop in order: {service.log}")
    verified = run_command("journal", "verify", "--data-dir", str(data_dir))
    require(verified.returncode == 0, f"the journal is not whole: {verified.stderr}")
    return _JUMPS


ATTACK: Final = Attack(
    "jumps of the wall clock",
    run,
    rounds=5,
    rounds_short=1,
    sabotage="wall-clock",
    noticed="when the clock jumped",
    cycles=20,
    pace="waiting",
)
