"""What a client says must hold for its request to be carried out (RFC 9110, 13). Pure functions.

The idea: only tags are judged. Nothing here has a date of change, or parts, so If-Modified-Since, If-Unmodified-Since
and If-Range are ignored, as the RFC wants of a server without these.
"""

from enum import Enum

from pexservice.http import fields
from pexservice.http.request import Request


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


def _names(tags: list[str], tag: str | None) -> bool:
    """Tell whether a list has `*` or this tag, a strong one, so a weak one in the list does not match it."""
    return "*" in tags or tag in tags
