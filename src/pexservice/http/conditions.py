"""What a client says must hold for its request to be carried out (RFC 9110, 13). Pure functions.

Only tags are judged. Nothing here has a date of change, or parts, so If-Modified-Since, If-Unmodified-Since
and If-Range are ignored, as the RFC wants of a server without these.
"""

from enum import Enum
from typing import Final

from pexservice.http import fields
from pexservice.http.request import Request

NO_MATCH: Final = (
    "None of the tags in If-Match is that of what is here. Read it again, and ask with the tag it has now."
)

_NOT_YET: Final = (
    "Conditions on steps are not supported yet: only If-Match: * may be asked for. Read first, and ask without the "
    "condition. No step was taken."
)
_NEVER: Final = "If-None-Match: * holds only if there is nothing. No step was taken."


class Verdict(Enum):
    """What the preconditions of a request come to, judged in the order of RFC 9110, 13.2.2."""

    HOLDS = 200
    UNCHANGED = 304
    FAILS = 412


def judge(request: Request, tag: str | None) -> Verdict:
    """Judge the preconditions of a request for something that exists; `tag` is its entity tag, if it has one.

    A condition without a tag that is well-formed can match nothing, so as an If-Match it fails.
    """
    matched = request.values(b"if-match")
    if matched and not _names(fields.entity_tags(matched), tag):
        return Verdict.FAILS
    known = [each.removeprefix("W/") for each in fields.entity_tags(request.values(b"if-none-match"))]
    if not _names(known, tag):
        return Verdict.HOLDS
    return Verdict.UNCHANGED if request.method in {"GET", "HEAD"} else Verdict.FAILS


def rejection(request: Request) -> str | None:
    """Return why no command is taken, if the request depends on the state.

    The state that counts is that at the command's turn, which nobody knows here. So what might not hold is taken not
    to: a command whose condition is false must not be carried out (RFC 9110, 13.1.1).
    """
    matched, known = request.values(b"if-match"), request.values(b"if-none-match")
    if "*" in fields.entity_tags(known):
        return _NEVER
    if known or (matched and "*" not in fields.entity_tags(matched)):
        return _NOT_YET
    return None


def _names(tags: list[str], tag: str | None) -> bool:
    """Tell whether a list has `*` or this tag, a strong one, so a weak one in the list does not match it."""
    return "*" in tags or tag in tags
