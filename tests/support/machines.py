"""A second machine, so that the core and the stores know none: a counter with a limit, which refuses to pass it.

Beside it, what commands come to on any machine, taken one by one.
"""

from collections.abc import Sequence
from typing import Any, Final

from pexservice.core.judging import Judgement, Place
from pexservice.core.machine import Machine, Refusal

LIMIT: Final = 10
FULL: Final = Refusal("limit-reached", "Limit reached", "The counter does not go beyond its limit. Take away first.")


class Counter(Machine[tuple[int, int], int]):
    """Commands are amounts to add, of any sign. The state is the count, and how often it was changed."""

    name = "counter"
    columns = ("count", "changes")
    kinds = ("up", "down")
    initial = (0, 0)

    def step(self, state: tuple[int, int], command: int) -> tuple[int, int] | Refusal:
        count, changes = state
        return FULL if count + command > LIMIT else (count + command, changes + 1)

    def kind(self, command: int) -> str:
        return "up" if command >= 0 else "down"

    def encode_state(self, state: tuple[int, int]) -> str:
        return f"{state[0]},{state[1]}"

    def decode_state(self, text: str) -> tuple[int, int]:
        count, changes = map(int, text.split(","))
        return count, changes

    def tag(self, state: tuple[int, int]) -> str:
        return f"{state[0]}.{state[1]}".replace("-", "m")

    def encode(self, commands: Sequence[int]) -> str:
        return " ".join(map(str, commands))

    def decode(self, text: str) -> list[int]:
        return list(map(int, text.split(" ")))

    def answer_bytes_max(self, state: tuple[int, int]) -> int:
        return 32


COUNTER: Final = Counter()


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
