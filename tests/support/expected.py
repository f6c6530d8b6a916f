"""What a group must come to, found command by command."""

from typing import Any

from pexservice.core.judging import Judgement


def like(judgement: Judgement[Any, Any]) -> Judgement[Any, Any]:
    """Return the same with lists for sequences of any kind."""
    return judgement._replace(
        states=list(judgement.states),
        refusals=dict(judgement.refusals),
        taken=list(judgement.taken),
        replays=dict(judgement.replays),
    )
