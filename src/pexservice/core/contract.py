"""What the core and the stores rely on, whatever the machine: proved by commands that its author thinks of.

While a service runs, nothing reads a row back. So a machine whose reading and writing do not agree gives answers, and
its next start ends with 65. Whoever writes one calls this in a test of their own.
"""

import random
from collections.abc import Callable, Sequence
from typing import Final

from pexservice.core.machine import FIELDS_ARE, C, Machine, Refusal, S, T, is_field
from pexservice.errors import WrongMachine

_GROUP_COMMANDS_MAX: Final = 8


def prove(machine: Machine[S, C], commands: Sequence[C], *, groups: int = 1_000, seed: int = 0) -> None:
    """Have a machine take random groups of some commands, and read again all that it writes.

    Give it commands of every kind, with the shortest and the longest of arguments, those that are refused among them.
    `groups`, 1 or more, follow one another from the initial state; 1,000 take some tenths of a second. The same `seed`
    draws the same ones.

    Raises WrongMachine, which names the method, at the first thing that does not hold; and ValueError if it is given
    nothing to prove it by.
    """
    if not commands or groups < 1:
        raise ValueError(f"{len(commands)} commands in {groups} groups prove nothing: give one of each at least")
    machine.check()
    draw = random.Random(seed)  # noqa: S311 - it draws tests.
    state = machine.initial
    for _ in range(groups):
        group = draw.choices(commands, k=draw.randint(1, _GROUP_COMMANDS_MAX))
        before = _read_again("state", machine.encode_state, machine.decode_state, state, len(machine.columns))
        states, taken = _step_by_step(machine, state, group)
        is_as_it_was = machine.encode_state(state) == before
        _demand("step", "another state, and leave the one that it is given as it was", is_as_it_was)
        _demand("step", "the same each time", _step_by_step(machine, state, group) == (states, taken))
        _demand("apply", "the same as step does", list(machine.apply(state, group).states) == states)
        for command in group:
            _demand("kind", "one of kinds", machine.kind(command) in machine.kinds)
        for each in states:
            _read_again("state", machine.encode_state, machine.decode_state, each, len(machine.columns))
        if taken:
            text = _read_again("commands", machine.encode, lambda text: list(machine.decode(text)), taken, 1)
            _demand("replay", "what was taken", machine.replay(state, text) == (len(taken), states[-1]))
            _demand("unpack", "what pack wrote", list(machine.unpack(machine.pack(taken))) == taken)
            _demand("tally", "as many as were taken", sum(machine.tally(taken).values()) == len(taken))
        state = states[-1]


def _step_by_step(machine: Machine[S, C], state: S, commands: Sequence[C]) -> tuple[list[S], list[C]]:
    states, taken = [], []
    for command in commands:
        outcome = machine.step(state, command)
        if not isinstance(outcome, Refusal):
            state = outcome
            taken.append(command)
        states.append(state)
    return states, taken


def _read_again(what: str, write: Callable[[T], str], read: Callable[[str], T], value: T, fields: int) -> str:
    try:
        text = write(value)
    except Exception as error:
        raise WrongMachine(f"it does not write {what} {value!r:.200}: {type(error).__name__}.") from error
    if not isinstance(text, str):
        raise WrongMachine(f"it writes {what} {value!r:.200} as {text!r:.80}, which is not a text, a str.")
    if not all(map(is_field, text.split(","))) or text.count(",") != fields - 1:
        raise WrongMachine(f"it writes {what} as {text!r:.200}, where {fields} fields are due. {FIELDS_ARE}")
    try:
        found = read(text)
    except Exception as error:
        raise WrongMachine(f"it does not read its own {what} {text!r:.200}: {type(error).__name__}.") from error
    if found != value:
        raise WrongMachine(f"it reads its own {what} {text!r:.200} as {found!r:.200}, which is another.")
    return text


def _demand(method: str, due: str, holds: bool) -> None:  # noqa: FBT001
    if not holds:
        raise WrongMachine(f"its {method} does not give {due}.")
