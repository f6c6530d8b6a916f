"""How pexservice committed, from its own counts."""

import re
from typing import Final

from benchmarks.asking import ask
from benchmarks.figures import Commits

_SAMPLE: Final = re.compile(r"^(pex_group_steps_count|pex_group_steps_sum|pex_commit_seconds_sum) (\S+)$", re.MULTILINE)


def commits(port: int) -> Commits:
    """Read /metrics. To be done after the memory was read, since the first time takes some. Raises OSError."""
    text = ask(port, "/metrics").decode("utf-8")
    samples = {name: float(value) for name, value in _SAMPLE.findall(text)}
    return Commits(
        groups=int(samples["pex_group_steps_count"]),
        steps=int(samples["pex_group_steps_sum"]),
        seconds=samples["pex_commit_seconds_sum"],
    )
