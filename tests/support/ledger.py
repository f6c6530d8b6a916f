"""A second machine, unlike the walk: commands with an argument of any length, a state of two fields, refusals."""

from collections.abc import Sequence
from typing import ClassVar, Final, NamedTuple

from pexservice.core.machine import Machine, Refusal

CREDIT: Final = 100


class Balance(NamedTuple):
    """How much there is, and the end of the last note."""

    amount: int
    note: str


class Entry(NamedTuple):
    """Add an amount, which may be negative, with a note of letters."""

    amount: int
    note: str = "a"


class Ledger(Machine[Balance, Entry]):
    """Never goes below zero or above `CREDIT`."""

    name: ClassVar = "ledger"
    columns: ClassVar = ("amount", "note")
    kinds: ClassVar = ("in", "out")
    initial = Balance(0, "-")

    def step(self, state: Balance, command: Entry) -> Balance | Refusal:
        after = state.amount + command.amount
        if not 0 <= after <= CREDIT:
            return Refusal("no-credit", "No credit", "There is not enough.")
        return Balance(after, command.note[-8:])

    def kind(self, command: Entry) -> str:
        return "in" if command.amount >= 0 else "out"

    def encode_state(self, state: Balance) -> str:
        return f"{state.amount},{state.note}"

    def decode_state(self, text: str) -> Balance:
        amount, note = text.split(",")
        return Balance(int(amount), note)

    def encode(self, commands: Sequence[Entry]) -> str:
        return ";".join(f"{command.amount}:{command.note}" for command in commands)

    def decode(self, text: str) -> Sequence[Entry]:
        return [Entry(int(amount), note) for amount, _, note in (each.partition(":") for each in text.split(";"))]

    def answer_bytes_max(self, state: Balance) -> int:
        return 64


LEDGER: Final = Ledger()
