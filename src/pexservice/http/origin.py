"""Who made a browser send a request: its user, our own page, or somebody else's. Pure functions.

Browsers tell, in fields that no page can set or leave out. Whatever of them is there must speak for the user or for a
page of our own, or no command is taken. A client that sends none of them is no browser, or one that does not tell; what
that leaves open is in docs/security.md.
"""

import re
from typing import Final

from pexservice.http import fields
from pexservice.http.request import Request

_SPECULATIVE: Final = {
    b"purpose": {"prefetch", "prerender", "preview"},  # Chrome and Safari, before Sec-Purpose.
    b"x-purpose": {"prefetch", "prerender", "preview", "instant"},  # Safari's page of favourites; Chrome once.
    b"x-moz": {"prefetch"},  # Firefox, before Sec-Purpose.
}
_OWN_SITES: Final = (["same-origin"], ["none"])
"""`none` is the user: an address typed, a bookmark. `same-site` is another host, or port, of the domain."""
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_ORIGIN = re.compile(r"(https?)://(\[[0-9A-Fa-f:.]+\]|[^\[\]/?#@:]+)(?::([0-9]{1,5}))?", re.IGNORECASE)
_HOST = re.compile(r"(\[[^\]]*\]|[^:]*)(?::([0-9]{0,5}))?")


def rejection(request: Request) -> str | None:
    """Return why no command is taken, if a browser sent it and neither its user nor our own page asked for it."""
    if _is_speculative(request):
        return "A browser fetched this ahead of its user. A step is taken only when it is asked for. None was taken."
    sites, origins = request.values(b"sec-fetch-site"), request.values(b"origin")
    if sites and sites not in _OWN_SITES:
        return (
            "A page of another origin made the browser send this. Ask from a page of this origin, or with a client "
            "that is no browser. No step was taken."
        )
    # A browser that is told to hide where it comes from says null, also on our own page; Sec-Fetch-Site still tells.
    if origins and not (sites and origins == ["null"]) and not _is_own(origins, request.host):
        return (
            "The Origin is not that of this Host, so a page of another origin sent this. If it was a page of ours "
            "behind a proxy, have the proxy hand on the Host that it got. No step was taken."
        )
    return None


def _is_speculative(request: Request) -> bool:
    """Tell whether a browser fetches ahead of its user.

    Sec-Purpose is there only if the purpose is another than immediate use (Fetch, 3.8), so any value of it will do.
    """
    return any(fields.split(request.values(b"sec-purpose"))) or any(
        member.name in words for field, words in _SPECULATIVE.items() for member in request.members(field)
    )


def _is_own(origins: list[str], asked: str) -> bool:
    """Compare Origin with the host that was asked, which has no scheme.

    Behind a proxy that ends TLS, ours may be either, so a host without a port stands for the default port of whichever
    scheme the Origin has.
    """
    origin = _ORIGIN.fullmatch(origins[0]) if len(origins) == 1 else None
    host = _HOST.fullmatch(asked)
    if origin is None or host is None or not asked:
        return False
    default = _DEFAULT_PORTS[origin[1].lower()]
    return (origin[2].lower(), int(origin[3] or default)) == (host[1].lower(), int(host[2] or default))
