"""Commands that wait for their group."""

from typing import Any, Generic

from pexservice.core.group import Asked, Caller, Group
from pexservice.core.machine import C, S


class Queue(Generic[S, C]):
    """Commands in the order of their arrival, and who asked for them."""

    def __init__(self) -> None:
        self._elements: list[tuple[Asked[S, C], Caller[Any]]] = []
        self.valued = 0
        """How many of their answers will carry a value."""

    def __len__(self) -> int:
        return len(self._elements)

    def append(self, asked: Asked[S, C], caller: Caller[Any]) -> None:
        """Put a command at the end."""
        self._elements.append((asked, caller))
        self.valued += asked.carries_value

    def cut(self, commands_max: int, valued_max: int) -> Group[S, C]:
        """Take the next group off: as many commands as both bounds allow, but always one if there is one."""
        elements, valued = self._elements, self.valued
        count = min(len(elements), commands_max)
        if count < len(elements) or valued > valued_max:
            count, valued = _within(elements[:count], valued_max)
        assert count >= 1, "a group is cut from commands that wait"
        self._elements = elements[count:]
        self.valued -= valued
        return Group(elements[:count], valued)


def _within(elements: list[tuple[Asked[S, C], Caller[Any]]], valued_max: int) -> tuple[int, int]:
    """Return how many elements hold so many valued answers at the most, and how many these are."""
    valued = 0
    for count, (asked, _) in enumerate(elements):
        if asked.carries_value:
            if valued == max(1, valued_max):
                return count, valued
            valued += 1
    return len(elements), valued
