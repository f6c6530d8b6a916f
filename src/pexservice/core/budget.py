"""The memory set aside for answers that clients have yet to read.

Whoever holds such bytes takes them from the budget and gives them back; whoever is about to render more asks first
whether there is room. The budget decides who is admitted; metrics only show it.
"""


class Budget:
    """A bounded number of bytes, shared by all connections of a service."""

    __slots__ = ("bytes_max", "taken_bytes")

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max = bytes_max
        self.taken_bytes = 0
        """How many are taken now. May go beyond the bound: what was rendered has to be held until it is sent."""

    def has_room_for(self, more_bytes: int) -> bool:
        """Tell whether so many bytes more stay within the bound."""
        return self.taken_bytes + more_bytes <= self.bytes_max

    def take(self, more_bytes: int) -> None:
        """Hold so many bytes more, or with a negative number, fewer."""
        self.taken_bytes += more_bytes
        assert self.taken_bytes >= 0, "no more is given back than was taken"
