"""What a client says must hold for its request to be carried out (RFC 9110, 13). Pure functions.

Only tags are judged. Nothing here has a date of change, or parts, so If-Modified-Since, If-Unmodified-Since
and If-Range are ignored, as the RFC wants of a server without these.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from enum import Enum
from typing import Final

from pexservice.core.keys import Tag, Terms
from pexservice.http import fields
from pexservice.http.request import Request

NO_MATCH: Final = (
    "None of the tags in If-Match is that of what is here. Read it again, and ask with the tag it has now."
)

_TAG = re.compile(r'"(0|[1-9][0-9]{0,19})-([!#-~]*)"', re.ASCII)
"""As `tag_of` writes it. Where the state ends, the variants tell: there may be hyphens in them, as in `x-ndjson`."""


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


def tag_of(sequence: int, state: str, variant: str) -> str:
    """Return the entity tag of a state, as `Machine.tag` writes it, in a form of it."""
    return f'"{sequence}-{state}-{variant}"'


def terms(request: Request, variants: Collection[str]) -> Terms | None:
    """Return the conditions of a command, if there are any. They are judged at its turn, against the state of then.

    The tags are those that a read of the state gives; whichever of its `variants` one is of, it names the state.
    If-Match: * always holds, and If-None-Match: * never does: there always is a state.
    """
    matched, known = request.values(b"if-match"), request.values(b"if-none-match")
    if not matched and not known:
        return None
    named = fields.entity_tags(matched)
    match = None if not matched or "*" in named else frozenset(_states(named, variants))
    weak = [each.removeprefix("W/") for each in fields.entity_tags(known)]
    if "*" in weak:
        return Terms(None, frozenset())
    own = Terms(None, match, frozenset(_states(weak, variants)))
    return own if own.has_condition else None


def _states(tags: Iterable[str], variants: Collection[str]) -> Iterator[Tag]:
    for each in tags:
        matched = _TAG.fullmatch(each)
        if matched is None:
            continue
        for variant in variants:
            state = matched[2].removesuffix(f"-{variant}")
            if state != matched[2]:
                yield Tag(int(matched[1]), state)


def _names(tags: list[str], tag: str | None) -> bool:
    """Tell whether a list has `*` or this tag, a strong one, so a weak one in the list does not match it."""
    return "*" in tags or tag in tags
