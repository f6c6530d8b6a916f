"""The hosts of a URL, one by one: asyncpg's own list shares one timeout, and does not go on to the next."""

import os
import re
from typing import Final

from pexservice.config import StoreUrl
from pexservice.errors import Fatal

_PARTS: Final = re.compile(r"([a-z]+://(?:[^@/?]*@)?)([^/?]*)(.*)", re.DOTALL)
"""Up to the hosts, the hosts, and what comes behind them."""
_NOT_TAKEN: Final = ("PGSERVICE", "PGHOSTADDR", "PGREQUIREAUTH", "PGREQUIREPEER")
"""Variables of libpq that lead elsewhere than the URL, or ask for more safety than asyncpg knows of."""


class WrongVariable(Fatal):
    """Raised when a variable of libpq is set that would not be heard: wrong usage."""

    exit_status = 2


def hosts(url: StoreUrl) -> list[str]:
    """Return a URL for each host, in their order. Raises WrongVariable."""
    before, names, behind = _cut(url.text)
    for name in _NOT_TAKEN:
        if os.environ.get(name):
            message = f"the variable {name} is not taken here. Unset it, and name the server in the URL."
            raise WrongVariable(message)
    is_named = bool(names) or "host=" in behind
    for name in ("PGPORT",) if is_named else ("PGHOST", "PGPORT"):
        if "," in os.environ.get(name, ""):
            message = (
                f"the variable {name} names several. Name them in the URL: postgresql://USER@HOST1,HOST2/DATABASE."
            )
            raise WrongVariable(message)
    return [f"{before}{name}{behind}" for name in names.split(",")]


def where(dsn: str) -> str:
    """Return host and port of a URL of one host, for people."""
    return _cut(dsn)[1] or "the local socket"


def _cut(url: str) -> tuple[str, str, str]:
    matched = _PARTS.fullmatch(url)
    assert matched is not None, "config.parse_store has looked at it"
    before, names, behind = matched.groups()
    return before, names, behind
