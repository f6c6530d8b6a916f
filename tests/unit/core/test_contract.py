"""The proof that authors of machines call: it passes what is right, and finds what is not."""

from collections.abc import Sequence
from typing import Any

import pytest

from pexservice.core.contract import prove
from pexservice.core.machine import Machine, Outcomes
from pexservice.errors import WrongMachine
from pexservice.walk.machine import WALK
from pexservice.walk.steps import NEXT, PREVIOUS, RESET
from support.machines import COUNTER, FULL, Counter
from tickets.machine import TICKETS, Buy, Return

COMMANDS = [-7, -1, 0, 1, 20]


@pytest.mark.parametrize(
    ("machine", "commands"),
    [
        (WALK, [NEXT, PREVIOUS, RESET]),
        (COUNTER, COMMANDS),
        (TICKETS, [Buy("ann", 1), Buy("b" * 20, 20), Return("ann", 1), Return("cid", 3)]),
    ],
)
def test_what_is_right_passes(machine: Machine[Any, Any], commands: Sequence[Any]) -> None:
    """Ours are."""
    prove(machine, commands, groups=50)


class Unsteady(Counter):
    """Steps by what is not in its command."""

    calls = 0

    def step(self, state: tuple[int, int], command: int) -> tuple[int, int]:
        Unsteady.calls += 1
        return state[0] + command, Unsteady.calls


def _fail(*_: object) -> None:
    raise KeyError("x")


@pytest.mark.parametrize(
    ("attribute", "wrong", "told"),
    [
        ("name", "a b", "its name 'a b' must be"),
        ("apply", lambda _, state, commands: Outcomes([state] * len(commands), {}), "its apply does not give the same"),
        ("kind", lambda *_: "sideways", "its kind does not give one of kinds"),
        ("encode_state", lambda _, state: f"{state[0]},{state[1] or ','}", "fields"),
        ("encode_state", lambda _, state: f"{state[0]},{state[1] % 3 or 0}", "reads its own state '.*' as .* another"),
        ("encode", lambda _, commands: ",".join(map(str, commands)), "it writes commands as '.*', where 1 fields are"),
        (
            "encode_state",
            lambda _, state: f"{state[0]},{state[1]}" if state[1] < 3 else None,
            "as None, which is not a",
        ),
        ("encode", lambda *_: None, r"it writes commands \[.*\] as None, which is not a text, a str"),
        ("encode", lambda _, commands: commands.text, r"it does not write commands \[.*\]: AttributeError"),
        ("encode", lambda _, commands: "" * len(commands), "where 1 fields are due. A field is"),
        ("encode", lambda *_: "x", "it does not read its own commands 'x': ValueError"),
        ("decode", lambda _, text: [abs(int(each)) for each in text.split(" ")], "reads its own commands"),
        ("replay", lambda _, state, text: (1, state), "its replay does not give what was taken"),
        ("unpack", lambda *_: [], "its unpack does not give what pack wrote"),
        ("tally", lambda *_: {}, "its tally does not give as many"),
        ("step", lambda *_: None, "its step returns None of .*: return a state, or a Refusal"),
        ("step", lambda _, state, command: {}[command], "its step raises KeyError of"),
        (
            "apply",
            lambda _, state, commands: [state] * len(commands),
            r"its apply returns \[.*: it must return Outcomes",
        ),
        ("apply", lambda *_: Outcomes(None, {}), "its apply raises TypeError of Outcomes"),  # type: ignore[arg-type]
        (
            "apply",
            lambda _, state, commands: Machine.apply(COUNTER, state, commands)._replace(refusals={}),
            "its apply does not give the same as step does",
        ),
        ("kind", _fail, "its kind raises KeyError of"),
        ("replay", _fail, "its replay raises KeyError of"),
        ("tally", lambda *_: None, "its tally raises AttributeError of"),
        ("pack", lambda *_: "text", "its pack does not give bytes"),
        ("pack", _fail, "its pack raises KeyError of"),
        ("unpack", _fail, "its unpack raises KeyError of"),
        ("tag", lambda _, state: "-" * (state[1] > 2) or "a", "its tag '-' must be: letters"),
        ("tag", lambda _, state: {0: "a"}[state[1]], "its tag raises KeyError of the state [0-9-]+,[0-9]+: "),
        ("describe", lambda _, state: state if state[1] else "", "its describe returns .* of the state"),
        ("answer_bytes_max", lambda _, state: 2 - state[1], "its answer_bytes_max returns -1 of the state"),
        ("measures", lambda _, state: [1][: state[1]], "its measures have 1"),
        ("measures", lambda _, state: [1 // (state[1] - 1)][:0], "its measures raises ZeroDivisionError of the state"),
    ],
)
def test_what_is_wrong_is_named(attribute: str, wrong: object, told: str) -> None:
    """By its method, whatever it is."""
    with pytest.raises(WrongMachine, match=told):
        prove(type("Wrong", (Counter,), {attribute: wrong})(), COMMANDS)


def test_a_step_by_anything_else_is_found() -> None:
    """A clock, a random number, or a count of its own."""
    with pytest.raises(WrongMachine, match="its step does not give the same each time"):
        prove(Unsteady(), COMMANDS)


class Mutable(Counter):
    """Changes the state that it is given. Whatever it is asked again for then comes to the same: it is one list."""

    initial: Any = [0, 0]  # noqa: RUF012 - the mistake.

    def step(self, state: Any, command: int) -> Any:
        state[0] += command
        state[1] += 1
        return state

    def decode_state(self, text: str) -> Any:
        return list(map(int, text.split(",")))


def test_a_state_that_changes_is_found() -> None:
    """Else a command that was turned away would have been taken all the same, and the next row would not be read."""
    with pytest.raises(WrongMachine, match="its step does not give another state, and leave the one that it is given"):
        prove(Mutable(), COMMANDS)


class Ordered(Counter):
    """A state that is a dictionary, which is equal in whatever order, and is written as it comes."""

    columns = ("held",)  # type: ignore[assignment]
    initial: Any = {}  # noqa: RUF012 - the mistake.

    def step(self, state: Any, command: int) -> Any:
        return {command: 1} | state

    def encode_state(self, state: Any) -> str:
        return " ".join(map(str, state)) or "-"

    def decode_state(self, text: str) -> Any:
        return dict.fromkeys(sorted(map(int, text.split(" "))), 1) if text != "-" else {}

    tag = Machine.tag


def test_equal_states_that_are_written_otherwise_are_found() -> None:
    """A start compares what is written: it would take the row for damaged."""
    with pytest.raises(WrongMachine, match=r"it writes its own state '.*' as '.*' once it was read"):
        prove(Ordered(), COMMANDS)


def test_a_state_may_be_none() -> None:
    """If it is written and read as one."""

    class Once(Counter):
        columns = ("is",)  # type: ignore[assignment]
        initial: Any = 0

        def step(self, state: Any, command: int) -> Any:
            return None if state == 0 else FULL

        def encode_state(self, state: Any) -> str:
            return "done" if state is None else "open"

        def decode_state(self, text: str) -> Any:
            return None if text == "done" else 0

        tag = Machine.tag

    prove(Once(), COMMANDS, groups=5)


def test_memory_that_lacks_is_no_mistake() -> None:
    """It is told as what it is."""

    def step(*_: object) -> None:
        raise MemoryError

    with pytest.raises(MemoryError):
        prove(type("Large", (Counter,), {"step": step})(), COMMANDS)


@pytest.mark.parametrize(("commands", "groups"), [([], 1_000), (COMMANDS, 0), (COMMANDS, -1)])
def test_nothing_proves_nothing(commands: Sequence[int], groups: int) -> None:
    """A list that came out empty is not to pass."""
    with pytest.raises(ValueError, match=f"{len(commands)} commands in {groups} groups prove nothing"):
        prove(COUNTER, commands, groups=groups)
