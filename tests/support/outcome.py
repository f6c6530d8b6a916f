"""What is awaited, and was done when it was asked for, so that a simulation does all things in one order."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

T = TypeVar("T")


@dataclass
class Outcome(Generic[T]):
    """What an operation led to."""

    value: T

    def __await__(self) -> Generator[Any, None, T]:
        yield  # A turn of the event loop: others run meanwhile, as beside a thread.
        return self.value


NOTHING: Final[Outcome[None]] = Outcome(None)
