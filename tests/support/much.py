"""How much of a test is run: one word for tests, attacks and make targets alike. Folders say what is run."""

from enum import StrEnum
from typing import TypeVar

T = TypeVar("T")


class Much(StrEnum):
    """`--much`: what a change must pass, or all that is worth doing by hand before a release."""

    SHORT = "short"
    FULL = "full"

    def of(self, short: T, full: T) -> T:
        """Return what belongs to the word."""
        return short if self is Much.SHORT else full
