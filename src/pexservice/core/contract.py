"""What the core and the stores rely on, whatever the machine: proved by commands that its author thinks of.

While a service runs, nothing reads a row back. So a machine whose reading and writing do not agree gives answers, and
its next start ends with 65. Whoever writes one calls this in a test of their own.
"""

import random
from collections.abc import Callable, Sequence
from typing import Any, Final

from pexservice.core.machine import FIELDS_ARE, C, Machine, Outcomes, Refusal, S, T, is_field
from pexservice.errors import WrongMachine, ending

_GROUP_COMMANDS_MAX: Final = 8


def prove(machine: Machine[S, C], commands: Sequence[C], *, groups: int = 1_000, seed: int = 0) -> None:
    """Have a machine take random groups of some commands, and read again all that it writes.

    Give it commands of every kind, with the shortest and the longest of arguments, those that are refused among them.
    `groups`, 1 or more, follow one another from the initial state; 1,000 take some tenths of a second. The same `seed`
    draws the same ones.

    Each state that it comes to is shown, too, as a start shows the first one. Raises WrongMachine, which names the
    method, at the first thing that does not hold; and ValueError if it is given nothing to prove it by.
    """
    if not commands or groups < 1:
        raise ValueError(f"{len(commands)} commands in {groups} groups prove nothing: give one of each at least")
    machine.check()
    draw = random.Random(seed)  # noqa: S311 - it draws tests.
    state = machine.initial
    for _ in range(groups):
        group = draw.choices(commands, k=draw.randint(1, _GROUP_COMMANDS_MAX))
        before = _state_read_again(machine, state)
        states, refusals, taken = _step_by_step(machine, state, group)
        is_as_it_was = machine.encode_state(state) == before
        _demand("step", "another state, and leave the one that it is given as it was", is_as_it_was)
        _demand("step", "the same each time", _step_by_step(machine, state, group) == (states, refusals, taken))
        _demand("apply", "the same as step does", _applied(machine, state, group) == (states, refusals))
        for command in group:
            _demand("kind", "one of kinds", _called("kind", machine.kind, command) in machine.kinds)
        for each in states:
            machine.check_shown(each, f"the state {_state_read_again(machine, each):.80}")
        if taken:
            text = _read_again("commands", machine.encode, lambda text: list(machine.decode(text)), taken, 1)
            _demand(
                "replay", "what was taken", _called("replay", machine.replay, state, text) == (len(taken), states[-1])
            )
            packed: object = _called("pack", machine.pack, taken)
            _demand("pack", "bytes", isinstance(packed, bytes))
            unpacked = _called("unpack", lambda data: list(machine.unpack(data)), packed)
            _demand("unpack", "what pack wrote", unpacked == taken)
            count = _called("tally", lambda taken: sum(machine.tally(taken).values()), taken)
            _demand("tally", "as many as were taken", count == len(taken))
        state = states[-1]


def _step_by_step(
    machine: Machine[S, C], state: S, commands: Sequence[C]
) -> tuple[list[S], dict[int, Refusal], list[C]]:
    states: list[S] = []
    refusals: dict[int, Refusal] = {}
    taken: list[C] = []
    for index, command in enumerate(commands):
        outcome = _called("step", machine.step, state, command)
        if isinstance(outcome, Refusal):
            refusals[index] = outcome
        else:
            if outcome is None and not _is_a_state(machine, outcome):
                raise WrongMachine(f"its step returns None of {command!r:.200}: return a state, or a Refusal.")
            state = outcome
            taken.append(command)
        states.append(state)
    return states, refusals, taken


def _is_a_state(machine: Machine[S, C], value: S) -> bool:
    try:
        return machine.read_state(machine.encode_state(value)) == value
    except Exception:  # noqa: BLE001 - whatever it is, it is no.
        return False


def _applied(machine: Machine[S, C], state: S, commands: Sequence[C]) -> tuple[list[S], dict[int, Refusal]]:
    outcomes: object = _called("apply", machine.apply, state, commands)
    if not isinstance(outcomes, Outcomes):
        raise WrongMachine(f"its apply returns {outcomes!r:.200}: it must return Outcomes(states, refusals).")
    return _called("apply", lambda each: (list(each.states), dict(each.refusals)), outcomes)


def _called(method: str, call: Callable[..., T], *given: Any) -> T:
    try:
        return call(*given)
    except Exception as error:
        if ending(error) is not None:  # The computer's fault, or told already.
            raise
        of = ", ".join(f"{each!r:.200}" for each in given)
        raise WrongMachine(f"its {method} raises {type(error).__name__} of {of}: {error!s:.200}.") from error


def _state_read_again(machine: Machine[S, C], state: S) -> str:
    return _read_again("state", machine.encode_state, machine.decode_state, state, len(machine.columns))


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
    again = write(found)
    if again != text:  # A start compares what is written.
        raise WrongMachine(f"it writes its own {what} {text!r:.200} as {again!r:.200} once it was read.")
    return text


def _demand(method: str, due: str, holds: bool) -> None:  # noqa: FBT001
    if not holds:
        raise WrongMachine(f"its {method} does not give {due}.")
