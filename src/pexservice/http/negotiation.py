"""What a client says about the form of its answer (RFC 9110, 12.5.1; RFC 7240). Pure functions."""

from collections.abc import Sequence
from typing import Final

from pexservice.http.fields import Member
from pexservice.http.request import Request

_NAMED: Final = 4
"""How specific a range is that names a type, and nothing that no answer has."""


def preferred(request: Request, offers: Sequence[str]) -> str:
    """Return the offered media type that the client's Accept likes best, the first offer if it likes none.

    The highest q wins, then the more specific range, then the earlier offer.
    """
    ranges = _ranges(request)
    best, best_liking = offers[0], (0.0, 0)
    for offer in offers:
        specificity, quality = _judge(offer.partition(";")[0], ranges)
        if (quality, specificity) > best_liking and quality:
            best, best_liking = offer, (quality, specificity)
    return best


def wants_html(request: Request) -> bool:
    """Tell whether the client is a browser: its Accept names text/html, and likes nothing else here better."""
    ranges = _ranges(request)
    specificity, quality = _judge("text/html", ranges)
    return specificity == _NAMED and 0 < quality >= _judge("text/plain", ranges)[1]


def wants_minimal(request: Request) -> bool:
    """Tell whether the client asked for `Prefer: return=minimal`. The first `return` counts (RFC 7240, 2)."""
    wishes = [member for member in request.members(b"prefer") if member.name == "return"]
    return bool(wishes) and (wishes[0].value or "").lower() == "minimal"


def _ranges(request: Request) -> list[tuple[Member, float]]:
    """Return the media ranges of Accept, each with its q."""
    found = [(member, member.quality) for member in request.members(b"accept") if member.value is None]
    return [(member, quality) for member, quality in found if quality is not None]


def _judge(offer: str, ranges: list[tuple[Member, float]]) -> tuple[int, float]:
    """Return how specific the most specific range is that matches an offer, and its q; 0 and 0 if none does."""
    matching = [(specific, quality) for member, quality in ranges if (specific := _specificity(offer, member))]
    return max(matching, default=(0, 0.0))


def _specificity(offer: str, member: Member) -> int:
    if any(name not in {"q", "charset"} for name, _ in member.parameters):
        # It asks for what no answer has, so it says nothing of those there are; but who wants text in lines of some
        # format, and gets nothing else, is better off with text. Whatever charset is asked for, UTF-8 is sent.
        return int(member.name == offer)
    if member.name == offer:
        return _NAMED
    if member.name == offer.partition("/")[0] + "/*":
        return 3
    return 2 * (member.name == "*/*")
