"""One row of the table of what a service answers.

Everything that is said of a path is said in its row: routing, `Allow`, the home page and /openapi.json are made from
it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pexservice.http.action import Action
from pexservice.http.request import Request

READ: Final = ("GET", "HEAD")
COMMAND: Final = ("POST",)
COMMAND_BY_GET_TOO: Final = ("GET", "POST")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A path, and what it does."""

    path: str
    methods: tuple[str, ...]
    """Those that it takes, besides OPTIONS, in the order of `Allow`."""
    does: str
    """For people, in a few words."""
    action: Callable[[Request], Action]
    """Decides what a request of one of the methods amounts to. May raise BadRequest, with a 4xx that HTTP has."""
    operations: Mapping[str, Any]
    """What OpenAPI calls the operations of a path item, by method in lower case."""
    is_listed: bool = True
    """Whether the home page names it."""
    is_remembered: bool = True
    """Whether the same bytes of a request always amount to the same (`memo.py`)."""

    @property
    def allow(self) -> str:
        """The value of the field `Allow` (RFC 9110, 10.2.1)."""
        return ", ".join((*self.methods, "OPTIONS"))
