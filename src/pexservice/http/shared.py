"""What the connections of a server have in common."""

from dataclasses import dataclass
from typing import Any

from pexservice.core.budget import Budget
from pexservice.core.engine import Engine
from pexservice.core.metrics import Metrics
from pexservice.http.clock import Clock
from pexservice.http.memo import Memo
from pexservice.limits import Limits


@dataclass(slots=True)
class Shared:
    """What all connections of a server have in common."""

    engine: Engine[Any, Any]
    memo: Memo
    clock: Clock
    metrics: Metrics
    limits: Limits
    budget: Budget
    draining: bool = False
    """The server is about to stop: the next answer that a client waits for is its last."""
