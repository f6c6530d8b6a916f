"""`python -m torture.footprint`: how much memory the service takes, as a table in Markdown.

The situations are those of the attack on scarce memory, each with a service of its own. The resident set is read while
the situation lasts; its peak tells of the way there.
"""

import tempfile
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Final

from pexservice.limits import DEFAULT, MIB
from support.process import serving
from torture.attacks.scarce_memory import SITUATIONS, Situation
from torture.crowd import allow_descriptors, stand_at
from torture.vitals import Memory, eventually, gauges, memory

_SETTLED_S_MAX: Final = 60


def main() -> None:
    """Print the table."""
    allow_descriptors(DEFAULT.connections_max)
    print("| situation | VmRSS, MiB | VmHWM, MiB |\n|---|--:|--:|")  # noqa: T201 - what it is for.
    for situation in [Situation("nobody there", 1, lambda _service: nullcontext()), *SITUATIONS]:
        taken = _measure(situation)
        row = f"| {situation.name} | {taken.rss_bytes / MIB:.0f} | {taken.peak_bytes / MIB:.0f} |"
        print(row, flush=True)  # noqa: T201


def _measure(situation: Situation) -> Memory:
    with tempfile.TemporaryDirectory() as directory:
        data_dir = Path(directory) / "data"
        stand_at(data_dir, situation.position)
        with serving(data_dir) as service, service.connect() as watcher, situation.enter(service):
            look = partial(gauges, watcher)
            eventually(look, lambda seen: not seen.steps_waiting, "steps still wait", within_s=_SETTLED_S_MAX)
            return memory(service)


if __name__ == "__main__":
    main()
