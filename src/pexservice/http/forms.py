"""How a state is shown to clients: as header fields, and as a body in one of several media types.

Every service has a state to show and its own way to write it; what HTTP makes of that (negotiation, tags, conditions,
HEAD) is the same for all.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic

from pexservice.core.machine import S
from pexservice.core.mistakes import called, check_described, text_of
from pexservice.errors import WrongApplication
from pexservice.http.fields import TCHAR

Fields = Callable[[int, S], str]
"""Makes the header lines, each with its CR LF, from the sequence and the state. ASCII: a line of more is a defect."""
Body = Callable[[int, S], str]
"""Makes a body, which is sent as UTF-8, from the sequence and the state."""

SEQUENCE: Final = "Pex-Sequence"
"""The header field that tells where in the order of all commands an answer stands."""

_LINES: Final = re.compile(rf"(?:{TCHAR}+:[ \t]*(?:[!-~](?:[ -~\t]*[!-~])?)?[ \t]*\r\n)*", re.ASCII)
_OF_THE_FRAME: Final = re.compile(
    r"^(Cache-Control|Connection|Content-(?:Length|Type)|Date|ETag|Idempotency-Replayed|Location|Preference-Applied"
    r"|Retry-After|Transfer-Encoding|Vary):",
    re.ASCII | re.IGNORECASE | re.MULTILINE,
)
"""What an answer says by itself: said twice, it would be framed or kept wrongly."""
_MEDIA_TYPE: Final = re.compile(rf"{TCHAR}+/{TCHAR}+(?:; charset=utf-8)?", re.ASCII)
"""In small letters, too. What varies by another parameter would be another form."""
MINIMAL: Final = "minimal"
"""What an entity tag calls an answer without a body; a form of the state, it calls by its `variant`."""


def variant(media_type: str) -> str:
    """Return what an entity tag calls a form of the state."""
    return media_type.partition(";")[0].rpartition("/")[2]


@dataclass(frozen=True)  # With slots, Forms[...](...) raises TypeError in Python 3.11.
class Forms(Generic[S]):
    """The forms of one state."""

    fields: Fields[S]
    """Of every answer about the state."""
    bodies: Mapping[str, Body[S]]
    """By media type. The first is the answer to clients that do not care."""
    headers: Mapping[str, Any]
    """The fields, by name, as OpenAPI describes headers."""
    schemas: Mapping[str, Any]
    """The bodies, by media type, as JSON Schema describes them."""

    def check(self, state: S) -> None:
        """Raise WrongApplication unless a state is shown as HTTP needs it: called once, with the initial one."""
        lines = text_of(WrongApplication, "Forms.fields", self.fields, 0, state)
        if not _LINES.fullmatch(lines):
            raise WrongApplication(
                f"Forms.fields writes {lines!r:.200} of the initial state: each line is ASCII, NAME: VALUE, and ends "
                "with CR LF, the last one, too."
            )
        taken = _OF_THE_FRAME.search(lines)
        if taken is not None:
            raise WrongApplication(f"Forms.fields writes {taken[1]}, which every answer has by itself. Leave it out.")
        if not self.bodies:
            raise WrongApplication("Forms.bodies is empty: give it a media type, and what writes a body of that.")
        variants = {MINIMAL}
        for media_type, body in self.bodies.items():
            name: object = media_type
            if not isinstance(name, str) or not _MEDIA_TYPE.fullmatch(name) or name != name.lower():
                raise WrongApplication(
                    f"Forms.bodies has {name!r:.80} for a media type: it must be a text such as text/plain, in small "
                    "letters, with no parameter but '; charset=utf-8'."
                )
            if variant(media_type) in variants:
                raise WrongApplication(
                    f"Forms.bodies has a second form called {variant(media_type)!r:.80}, which is what entity tags "
                    "call it by. Give it another media type."
                )
            variants.add(variant(media_type))
            check_body(f"the body of {media_type} (Forms.bodies)", body, state)
        check_described("Forms.headers", self.headers, Mapping)
        check_described("Forms.schemas", self.schemas, Mapping)


def check_body(what: str, body: Body[S], state: S) -> None:
    """Raise WrongApplication, which names `what`, unless a body is a text that can be sent."""
    text = text_of(WrongApplication, what, body, 0, state)
    called(WrongApplication, what, text.encode)
