"""One row of the table of what a service answers.

Everything that is said of a path is said in its row: routing, `Allow`, the home page and /openapi.json are made from
it.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pexservice.errors import WrongApplication
from pexservice.http.action import Action
from pexservice.http.fields import TCHAR
from pexservice.http.request import Request

READ: Final = ("GET", "HEAD")
COMMAND: Final = ("POST",)
COMMAND_BY_GET_TOO: Final = ("GET", "POST")

_PATH: Final = re.compile(r"/(?!/)[A-Za-z0-9._~/-]*", re.ASCII)
"""Those that are sent as they are written (RFC 3986, 2.3): what a client encodes, or not, would be found or not."""
_METHOD: Final = re.compile(rf"{TCHAR}+", re.ASCII)
"""A token (RFC 9110, 9.1)."""
_DOTS: Final = frozenset({".", ".."})
"""Segments that clients take out (RFC 3986, 5.2.4)."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A path, and what it does. Raises WrongApplication if no client could ask for it, or by no method."""

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

    def __post_init__(self) -> None:
        path: object = self.path
        if not isinstance(path, str) or not _PATH.fullmatch(path) or not _DOTS.isdisjoint(path.split("/")):
            raise WrongApplication(
                f"the path {path!r:.80} of an endpoint can never be reached: it must be a slash, then letters, "
                "numerals and any of -._~/, and no segment of it one or two points. What varies goes into the query."
            )
        does: object = self.does
        if not isinstance(does, str):
            raise WrongApplication(f"what the endpoint {path} does is {does!r:.80}: say it in a text, a str.")
        methods: object = self.methods
        if not isinstance(methods, tuple) or not methods or not all(map(_is_method, methods)):
            raise WrongApplication(
                f"the endpoint {path} takes {methods!r:.80}: it must be a tuple of methods, such as {READ}."
            )

    @property
    def allow(self) -> str:
        """The value of the field `Allow` (RFC 9110, 10.2.1)."""
        return ", ".join((*self.methods, "OPTIONS"))


def _is_method(name: object) -> bool:
    return isinstance(name, str) and _METHOD.fullmatch(name) is not None
