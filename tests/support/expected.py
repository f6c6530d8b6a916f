"""What a group must come to, found command by command."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pexservice.core.judging import Judgement, Place
from pexservice.core.machine import Machine, Refusal


def expect(machine: Machine[Any, Any], start: Place[Any], commands: Sequence[Any]) -> Judgement[Any, Any]:
    """Take commands one by one."""
    state, states, refusals, taken = start.state, [], {}, []
    for index, command in enumerate(commands):
        outcome = machine.step(state, command)
        if isinstance(outcome, Refusal):
            refusals[index] = outcome
        else:
            state = outcome
            taken.append(command)
        states.append(state)
    return Judgement(start, Place(start.sequence + len(taken), state), states, refusals, taken)


def like(judgement: Judgement[Any, Any]) -> Judgement[Any, Any]:
    """Return the same with lists for sequences of any kind."""
    return replace(
        judgement,
        states=list(judgement.states),
        refusals=dict(judgement.refusals),
        taken=list(judgement.taken),
        replays=dict(judgement.replays),
    )
