"""The walk as a machine: its state is a position, its commands are the three steps.

Both are plain integers. Where only the end of a group matters, its steps are folded and not taken one by one
(`steps.py`); and equal steps lead along a range, so the common group costs the same however large it is.
"""

from collections.abc import Mapping, Sequence
from typing import Final, cast

from pexservice.core.machine import Machine, Outcomes
from pexservice.core.measures import Measure
from pexservice.limits import ROW_COMMANDS_MAX
from pexservice.walk.fibonacci import digits_max
from pexservice.walk.outline import Outline
from pexservice.walk.steps import NEXT, PREVIOUS, STEP_NAMES, Run, Step, decode, encode, expand, fold, positions, runs

POSITION_MAX: Final = 2**64 - 1
"""No walk comes so far, step by step; an import begins at most half way."""


class Walk(Machine[int, Step]):
    """The walk along the Fibonacci numbers. It refuses nothing."""

    name = "fibonacci"
    columns = ("position",)
    commands_column = "steps"
    kinds = tuple(STEP_NAMES.values())
    initial = 0

    def step(self, state: int, command: Step) -> int:
        """As `Machine.step`: next, previous, or back to 0."""
        if command == NEXT:
            return state + 1
        return max(state - 1, 0) if command == PREVIOUS else 0

    def apply(self, state: int, commands: Sequence[Step]) -> Outcomes[int]:
        """As `Machine.apply`."""
        return Outcomes(positions(state, bytes(commands)), {})

    def kind(self, command: Step) -> str:
        """As `Machine.kind`: the name of the step."""
        return STEP_NAMES[command]

    def tally(self, commands: Sequence[Step]) -> Mapping[str, int]:
        """As `Machine.tally`."""
        steps = bytes(commands)
        return {name: steps.count(step) for step, name in STEP_NAMES.items()}

    def encode_state(self, state: int) -> str:
        """As `Machine.encode_state`: the position in decimal."""
        return str(state)

    def decode_state(self, text: str) -> int:
        """As `Machine.decode_state`."""
        position = int(text)
        if not 0 <= position <= POSITION_MAX:
            message = f"beyond {POSITION_MAX}"
            raise ValueError(message)
        return position

    def tag(self, state: int) -> str:
        """As `Machine.tag`: the position in decimal."""
        return str(state)

    def encode(self, commands: Sequence[Step]) -> str:
        """As `Machine.encode`: run-length encoded, `3n1p1r`."""
        steps = bytes(commands)
        if steps.count(steps[:1]) == len(steps) > 0:  # PERF: all alike, the common group: 0.6 us less.
            return f"{len(steps)}{steps[0]:c}"
        return encode(runs(steps))

    def decode(self, text: str) -> Sequence[Step]:
        """As `Machine.decode`."""
        return [Step(step) for step in expand(_notation(text))]

    def replay(self, state: int, text: str) -> tuple[int, int]:
        """As `Machine.replay`, in time and memory that do not grow with the counts."""
        notation = _notation(text)
        return sum(run.count for run in notation), fold(notation)(state)

    def clamp(self, commands: Sequence[Step]) -> tuple[int | None, int]:
        """As `Machine.clamp`."""
        folded = fold(runs(bytes(commands)))
        return folded.shift, folded.floor

    def pack(self, commands: Sequence[Step]) -> bytes:
        """As `Machine.pack`: a byte for each step."""
        return bytes(commands)

    def unpack(self, data: bytes) -> Sequence[Step]:
        """As `Machine.unpack`. PERF: bytes are a sequence of steps; thousands are joined and counted at once."""
        return cast("Sequence[Step]", data)

    def measures(self, state: int) -> Sequence[Measure]:
        """As `Machine.measures`."""
        return (
            Measure("pex_position", "Where the walk stands.", state),
            Measure("pex_digits", "Digits of the value.", Outline.of(state).digits),
        )

    def answer_bytes_max(self, state: int) -> int:
        """As `Machine.answer_bytes_max`: the digits of the value."""
        return digits_max(state + ROW_COMMANDS_MAX)


def _notation(text: str) -> list[Run]:
    """Read a row's steps, of which there is a most. Raises ValueError."""
    notation = decode(text)
    if sum(run.count for run in notation) > ROW_COMMANDS_MAX:
        message = f"more than {ROW_COMMANDS_MAX} steps: {text!r:.80}"
        raise ValueError(message)
    return notation


WALK: Final = Walk()
