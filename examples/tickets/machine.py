"""A box office as a machine: seats, who holds how many, and no more than there are.

Its state is richer than a number, its commands have arguments, and it says no: each is a few lines here and none
anywhere else.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pexservice.core.machine import Machine, Refusal
from pexservice.core.measures import Measure

SEATS: Final = 20
NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,19}")
"""What a holder may be called. It is written into rows, where commas and the like have a meaning."""
_SOLD: Final = re.compile(rf"({NAME.pattern}):([1-9][0-9]{{0,3}})")
_WRITTEN: Final = re.compile(rf"(buy|return):({NAME.pattern}):([1-9][0-9]{{0,3}})")


@dataclass(frozen=True, slots=True)
class Buy:
    """Take so many seats for a holder."""

    holder: str
    seats: int


@dataclass(frozen=True, slots=True)
class Return:
    """Give so many seats of a holder back."""

    holder: str
    seats: int


Command = Buy | Return
Hall = tuple[tuple[str, int], ...]
"""Who holds how many seats, by name. A tuple, since a state is a value that never changes."""

_SOLD_OUT: Final = Refusal(
    "sold-out", "Sold out", "There are not so many seats left. Ask for fewer, or wait for returns."
)
_NOT_HELD: Final = Refusal("not-held", "Not held", "The holder does not have so many seats to give back.")


def left(hall: Hall) -> int:
    """Return how many seats are free."""
    return SEATS - sum(seats for _, seats in hall)


class Tickets(Machine[Hall, Command]):
    """Sells each seat once."""

    name = "tickets"
    columns = ("left", "held")
    kinds = ("buy", "return")
    initial = ()

    def step(self, state: Hall, command: Command) -> Hall | Refusal:
        """Move seats between the hall and a holder, if they are there to move."""
        held = dict(state)
        now = held.get(command.holder, 0)
        if isinstance(command, Buy):
            if command.seats > left(state):
                return _SOLD_OUT
            held[command.holder] = now + command.seats
        else:
            if command.seats > now:
                return _NOT_HELD
            held[command.holder] = now - command.seats
        return tuple(sorted((holder, seats) for holder, seats in held.items() if seats))

    def kind(self, command: Command) -> str:
        """As `Machine.kind`."""
        return "buy" if isinstance(command, Buy) else "return"

    def encode_state(self, state: Hall) -> str:
        """Write `17,ann:2 bob:1`, and `20,-` of an empty hall."""
        return f"{left(state)},{' '.join(f'{holder}:{seats}' for holder, seats in state) or '-'}"

    def decode_state(self, text: str) -> Hall:
        """Read it again."""
        return tuple((holder, int(seats)) for holder, seats in _SOLD.findall(text))

    def encode(self, commands: Sequence[Command]) -> str:
        """Write `buy:ann:2 return:bob:1`."""
        return " ".join(f"{self.kind(command)}:{command.holder}:{command.seats}" for command in commands)

    def decode(self, text: str) -> list[Command]:
        """Read it again."""
        return [
            Buy(holder, int(seats)) if kind == "buy" else Return(holder, int(seats))
            for kind, holder, seats in _WRITTEN.findall(text)
        ]

    def measures(self, state: Hall) -> Sequence[Measure]:
        """Tell metrics and `status` how many seats are free."""
        return [Measure("pex_seats_left", "Seats that nobody holds.", left(state))]

    def answer_bytes_max(self, state: Hall) -> int:
        """Each seat could be held by someone else, with the longest of names."""
        del state
        return SEATS * 32 + 64


TICKETS: Final = Tickets()
