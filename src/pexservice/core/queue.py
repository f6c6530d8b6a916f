"""Commands that wait for their group."""

from typing import Any, Generic

from pexservice.core.group import Asked, Caller, Group
from pexservice.core.machine import C, S


class Queue(list[tuple[Asked[S, C], Caller[Any]]], Generic[S, C]):
    """Commands in the order of their arrival, with who asked for them. PERF: a list, 0.07 us less for each command."""

    __slots__ = ("has_terms", "valued")

    def __init__(self) -> None:
        super().__init__()
        self.has_terms = False
        """Whether commands with terms may be among them: whoever appends one says so."""
        self.valued = 0
        """How many of their answers will carry a value: whoever appends a command counts."""

    def cut(self, commands_max: int, valued_max: int) -> Group[S, C]:
        """Take the next group off: as many commands as both bounds allow, but always one if there is one."""
        count, valued = min(len(self), commands_max), self.valued
        if count < len(self) or valued > valued_max:
            count, valued = _within(self[:count], valued_max)
        assert count >= 1, "a group is cut from commands that wait"
        elements = self[:count]
        del self[:count]
        self.valued -= valued
        group = Group(elements, valued, self.has_terms)
        self.has_terms = self.has_terms and bool(self)
        return group


def _within(elements: list[tuple[Asked[S, C], Caller[Any]]], valued_max: int) -> tuple[int, int]:
    """Return how many elements hold so many valued answers at the most, and how many these are."""
    valued = 0
    for count, (asked, _) in enumerate(elements):
        if asked.carries_value:
            if valued == max(1, valued_max):
                return count, valued
            valued += 1
    return len(elements), valued
