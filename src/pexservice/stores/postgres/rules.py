"""What a replica makes of a server: what it refuses, and what an answer is worth.

All of it is decided here, without a connection. The server is believed only where its answer came without any warning:
"canceling wait for synchronous replication" is a warning beside a success, and the group is on one machine only.
"""

from collections.abc import Mapping
from typing import Final

from pexservice.errors import Fatal

SCHEMA_VERSION: Final = 1
SESSION: Final = {
    "synchronous_commit": "on",
    "statement_timeout": "0",
    "default_transaction_isolation": "read committed",
    "client_min_messages": "warning",
}
"""Set at every connect and not only looked at: a role or a database may have others."""


class LostGroups(Fatal):
    """Raised when a server lacks what it, or the one before it, acknowledged."""

    exit_status = 74


class UnsafeServer(Fatal):
    """Raised when a server cannot be trusted to keep what it acknowledges."""

    exit_status = 78


_LOST: Final = {"PX001", "PX002"}


def lost(sqlstate: str | None, message: str) -> LostGroups | None:
    """Tell whether an error of the server's says that it lost groups."""
    if sqlstate not in _LOST:
        return None
    return LostGroups(
        f"The server lost groups that were acknowledged: {message}. Bring back the server that has them; "
        "nothing was written."
    )


def unsafe(settings: Mapping[str, str], *, is_standby: bool, is_one_server: bool) -> str | None:
    """Return why a server with these settings is not written to, as a sentence, or None.

    `is_one_server` is the operator's word that there is no standby, so that none is asked for.
    """
    if is_standby or settings["transaction_read_only"] == "on":
        return "The server is a standby or read-only: it takes no groups."
    for name in ("fsync", "full_page_writes"):
        if settings[name] != "on":
            return f"The server runs with {name}={settings[name]}: a power cut would damage it. Set it to on."
    if not settings["synchronous_standby_names"].strip() and not is_one_server:
        return (
            "The server names no synchronous standby (synchronous_standby_names is empty): losing it would lose "
            "groups. Name one, or say that there is one server only."
        )
    return None
