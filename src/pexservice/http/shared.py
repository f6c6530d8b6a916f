"""What the connections of a server have in common."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from pexservice.core.budget import Budget
from pexservice.core.engine import Engine
from pexservice.core.metrics import Metrics
from pexservice.errors import NotApplied
from pexservice.http.action import Action, ContinueAction, ReplyAction
from pexservice.http.answer import Answer, bad_request, not_applied
from pexservice.http.clock import Clock
from pexservice.http.memo import Memo
from pexservice.http.reader import Received, WantsContinue
from pexservice.http.request import Request
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

    def action(self, read: Received) -> Action | ContinueAction:
        """Return what that which was read amounts to."""
        if isinstance(read, Request):
            return self.memo.action(read)
        if isinstance(read, WantsContinue):
            return ContinueAction()
        return ReplyAction(None, partial(bad_request, self.clock, read), closes=True)

    def turned_away(self, action: Action, error: NotApplied) -> Answer:
        """Return the answer to what is turned away, and count it."""
        assert action.request is not None, "what is turned away was asked for"
        self.metrics.turned_away[error.code] += 1
        return not_applied(self.clock, action.request, error)
