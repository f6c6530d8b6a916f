"""The hosts of a URL, one by one: asyncpg's own list shares one timeout, and does not go on to the next."""

from urllib.parse import urlsplit, urlunsplit

from pexservice.config import StoreUrl


def hosts(url: StoreUrl) -> list[str]:
    """Return a URL for each host, in their order."""
    parts = urlsplit(url.text)
    user, at, names = parts.netloc.rpartition("@")
    return [urlunsplit(parts._replace(netloc=f"{user}{at}{name}")) for name in names.split(",")]


def where(dsn: str) -> str:
    """Return host and port of a URL of one host, for people."""
    return urlsplit(dsn).netloc.rpartition("@")[2] or "the local socket"
