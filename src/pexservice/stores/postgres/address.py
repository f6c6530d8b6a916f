"""The hosts of a URL, one by one: asyncpg's own list shares one timeout, and does not go on to the next."""

import re
from typing import Final

from pexservice.config import StoreUrl

_PARTS: Final = re.compile(r"([a-z]+://(?:[^@/?]*@)?)([^/?]*)(.*)", re.DOTALL)
"""Up to the hosts, the hosts, and what comes behind them."""


def hosts(url: StoreUrl) -> list[str]:
    """Return a URL for each host, in their order."""
    before, names, behind = _cut(url.text)
    return [f"{before}{name}{behind}" for name in names.split(",")]


def where(dsn: str) -> str:
    """Return host and port of a URL of one host, for people."""
    return _cut(dsn)[1] or "the local socket"


def _cut(url: str) -> tuple[str, str, str]:
    matched = _PARTS.fullmatch(url)
    assert matched is not None, "config.parse_store has looked at it"
    before, names, behind = matched.groups()
    return before, names, behind
