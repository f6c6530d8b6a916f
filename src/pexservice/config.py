"""What an operator can set, and how sizes and durations are written.

`Settings` is complete and valid once made; only the command line makes one.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from pexservice.limits import DEFAULT, GIB, KIB, MIB, Limits

Durability = Literal["fsync", "interval"]
LogFormat = Literal["console", "json"]
LogLevel = Literal["debug", "info", "warning", "error", "critical"]
PORT_MAX: Final = 65_535

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(ms|s|m|h)?", re.ASCII)
_DURATION_UNITS_S: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, None: 1}
_ADDRESS = re.compile(r"(?:\[([^\[\]\s]+)\]|([^:\[\]\s]+)):([0-9]{1,5})", re.ASCII)
_STORE: Final = re.compile(r"postgres(?:ql)?://[^\s#]*", re.ASCII)
_SECRET: Final = re.compile(r"(://[^/?:@]*:)[^/?@]*@")
_SECRET_IN_QUERY: Final = re.compile(r"([?&](?:ssl)?password=)[^&]*")
# fmt: off
_TAKEN: Final = frozenset([
    "host", "port", "dbname", "database", "user", "password", "passfile", "options", "application_name",
    "sslmode", "sslcert", "sslkey", "sslrootcert", "sslcrl", "sslpassword", "sslnegotiation",
    "ssl_min_protocol_version", "ssl_max_protocol_version", "target_session_attrs", "krbsrvname", "gsslib",
])
# fmt: on
"""The parameters of a store's URL: those of libpq that asyncpg knows. Any other would go to the server as a setting."""
_DURATION_S_MAX: Final = 366 * 24 * 3600
"""Longer than anything here lasts, and short enough for every clock that counts it."""
_SIZE_BYTES_MAX: Final = (1 << 63) - 1
"""The largest size that a file system can tell."""
_SIZE = re.compile(r"([0-9]{1,20})\s*(B|K|KB|KIB|M|MB|MIB|G|GB|GIB)?", re.ASCII)
_SIZE_UNITS_BYTES: Final = {"B": 1, "K": KIB, "M": MIB, "G": GIB, None: 1}
_DECIMAL_UNITS_BYTES: Final = {"KB": 10**3, "MB": 10**6, "GB": 10**9}


class StoreUrl:
    """Where a store's server is. May hold a password, so what is shown of it holds none."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    @property
    def has_password(self) -> bool:
        """Whether it says a password, in either of the two places where one may stand."""
        return self.text != str(self)

    def __str__(self) -> str:
        return _SECRET_IN_QUERY.sub(r"\1...", _SECRET.sub(r"\1...@", self.text))

    __repr__ = __str__


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that `pexservice serve` can be told."""

    host: str = "127.0.0.1"
    port: int = 8081
    uds: Path | None = None
    token_file: Path | None = None
    """Holds the tokens that steps need. The tokens themselves are not here: settings may be shown."""
    admin: tuple[str, int] | None = None
    """Host and port of the listener for probes and metrics, if they have one of their own."""
    data_dir: Path = Path("data")
    store: StoreUrl | None = None
    """The server that keeps the state, instead of a data directory."""
    durability: Durability = "fsync"
    sync_interval_s: float = 1.0
    workers: int = 1
    """Processes that serve; 1 is this one alone, and more have another that owns the data."""
    limits: Limits = DEFAULT


def parse_store(text: str) -> StoreUrl:
    """Read `postgresql://user@host:5432,host2/database?sslmode=verify-full`. Raises ValueError."""
    matched = _STORE.fullmatch(text.strip())
    if matched is None:  # What it says may be a password, so it is not shown.
        message = "it is not the URL of a PostgreSQL server; write postgresql://USER@HOST:PORT/DATABASE"
        raise ValueError(message)
    authority, _, rest = text.strip().partition("://")[2].partition("/")
    user, at, _ = authority.partition("@")
    if "@" in rest or authority.count("@") > 1 or (at and "?" in user):
        message = (
            "a name or a password in the URL has a sign that must be written in percent: @ as %40, / as %2F, ? as %3F, "
            ": as %3A, # as %23"
        )
        raise ValueError(message)
    url = StoreUrl(text.strip())
    _check_parameters(url, authority.rpartition("@")[2].partition("?")[0])
    return url


def _check_parameters(url: StoreUrl, authority_hosts: str) -> None:
    names = dict(each.partition("=")[::2] for each in url.text.partition("?")[2].split("&") if each)
    for name in names:
        if name not in _TAKEN:
            which = "one of its parameters" if url.has_password else f"its parameter {name}"  # A part of it, maybe.
            message = f"{which} is not taken here: leave it out, or see docs/replicas.md for those that are"
            raise ValueError(message)
    if authority_hosts and not names.keys().isdisjoint({"host", "port"}):
        message = "it names hosts or ports twice: before the database, and behind the ?"
        raise ValueError(message)
    if any("," in names.get(name, "") or "%2c" in names.get(name, "").lower() for name in ("host", "port")):
        message = "it names several hosts behind the ?; write postgresql://USER@HOST1,HOST2/DATABASE"
        raise ValueError(message)
    ports = [each.rpartition("]")[2].partition(":")[2] for each in authority_hosts.split(",")]
    if not all(
        port == "" or (port.isdecimal() and 0 < int(port) < 1 << 16) for port in [*ports, names.get("port", "")]
    ):
        message = "it has a port that is none: a number from 1 to 65535"
        raise ValueError(message)


def parse_duration_s(text: str) -> float:
    """Read `75s`, `500ms`, `1.5m`, `2h`, or bare seconds. Raises ValueError."""
    matched = _DURATION.fullmatch(text.strip())
    if matched is None:
        message = f"{text!r} is not a duration; write 500ms, 75s, 10m or 1h"
        raise ValueError(message)
    duration_s = float(matched[1]) * _DURATION_UNITS_S[matched[2]]
    if duration_s > _DURATION_S_MAX:
        message = f"{text!r} is longer than a year, {_DURATION_S_MAX // 3600}h, which is the most"
        raise ValueError(message)
    return duration_s


def parse_size_bytes(text: str) -> int:
    """Read `1GiB`, `512M`, `64KiB` (powers of 1024), `1GB` (of 1000), or bare bytes. Raises ValueError."""
    matched = _SIZE.fullmatch(text.strip().upper())
    if matched is None:
        message = f"{text!r} is not a size; write 64KiB, 512MiB or 1GiB"
        raise ValueError(message)
    unit = matched[2]
    factor = _DECIMAL_UNITS_BYTES.get(unit) or _SIZE_UNITS_BYTES[unit[:1] if unit else None]
    size_bytes = int(matched[1]) * factor
    if size_bytes > _SIZE_BYTES_MAX:
        message = f"{text!r} is more than any disk holds; 0 stands for no bound"
        raise ValueError(message)
    return size_bytes


def parse_address(text: str) -> tuple[str, int]:
    """Read `127.0.0.1:9100`, `localhost:9100` or `[::1]:9100` as host and port. Raises ValueError."""
    matched = _ADDRESS.fullmatch(text.strip())
    if matched is None or int(matched[3]) > PORT_MAX:
        message = f"{text!r} is not an address; write 127.0.0.1:9100, or [::1]:9100"
        raise ValueError(message)
    return matched[1] or matched[2], int(matched[3])
