"""What a client says about the form of its answer (RFC 9110, 12.5.1 and 13.1.2; RFC 7240). Pure functions."""

import re
from collections.abc import Sequence

from pexservice.http.request import Request

_Q_VALUE = re.compile(r"q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)", re.IGNORECASE)


def preferred(request: Request, offers: Sequence[str]) -> str:
    """Return the offered media type that the client's Accept likes best, the first offer if it likes none.

    The highest q wins, then the more specific range, then the earlier offer.
    """
    ranges = [_parse_range(member) for member in request.tokens(b"accept") if member]
    best, best_rank = offers[0], (0.0, 0)
    for offer in offers:
        rank = max((_rank(offer, *accepted) for accepted in ranges), default=(0, 0.0))
        if (rank[1], rank[0]) > best_rank:
            best, best_rank = offer, (rank[1], rank[0])
    return best


def _parse_range(member: str) -> tuple[str, float]:
    media_range, *parameters = (part.strip() for part in member.split(";"))
    quality = 1.0
    for parameter in parameters:
        matched = _Q_VALUE.fullmatch(parameter)
        if matched:
            quality = float(matched[1])
    return media_range, quality


def _rank(offer: str, media_range: str, quality: float) -> tuple[int, float]:
    """Return how specifically a range matches an offer, 0 for not at all, and with which quality."""
    if media_range == offer:
        return 3, quality
    if media_range == offer.partition("/")[0] + "/*":
        return 2, quality
    if media_range == "*/*":
        return 1, quality
    return 0, 0.0


def wants_html(request: Request) -> bool:
    """Tell whether the client is a browser: its Accept names text/html."""
    return any(member.partition(";")[0].strip() == "text/html" for member in request.tokens(b"accept"))


def wants_minimal(request: Request) -> bool:
    """Tell whether the client asked for `Prefer: return=minimal`. The first `return` counts (RFC 7240, 2)."""
    for member in request.tokens(b"prefer"):
        name, _, value = member.partition(";")[0].partition("=")
        if name.strip() == "return":
            return value.strip().strip('"') == "minimal"
    return False


def has_current(request: Request, etag: str) -> bool:
    """Tell whether If-None-Match names `etag`, by weak comparison, or any."""
    for value in request.values(b"if-none-match"):
        members = [member.strip().removeprefix("W/") for member in value.split(",")]
        if "*" in members or etag in members:
            return True
    return False


def is_speculative(request: Request) -> bool:
    """Tell whether a browser fetches ahead of its user (Sec-Purpose, and Purpose of older browsers)."""
    purposes = [*request.tokens(b"sec-purpose"), *request.tokens(b"purpose")]
    return any(purpose.partition(";")[0].strip() == "prefetch" for purpose in purposes)


def is_cross_site(request: Request) -> bool:
    """Tell whether a page of another site made the browser send this (Sec-Fetch-Site)."""
    return "cross-site" in request.tokens(b"sec-fetch-site")
