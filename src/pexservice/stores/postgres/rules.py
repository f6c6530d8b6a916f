"""What a replica makes of a server: whether it is written to, and what an error of it means.

All of it is decided here, without a connection. A server that may lose what it acknowledged is refused with a sentence,
before anything is written; and what a server answers is believed only where it came without any warning: "canceling
wait for synchronous replication" is a warning beside a success, and the group is on one machine only.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pexservice.errors import DamagedData, Fatal, NoJournal, NotApplied, NotPermitted, StorageFailed

SCHEMA_VERSION: Final = 1
SERVER_VERSION_MIN: Final = 150_000
"""As `server_version_num` writes it: 15, which is tested."""
SESSION: Final = {
    "application_name": "pexservice",
    "synchronous_commit": "on",
    "statement_timeout": "0",
    "default_transaction_isolation": "read committed",
    "client_min_messages": "warning",
    "idle_in_transaction_session_timeout": "2s",
}
"""Set at every connect and not only looked at: a role or a database may have others. The last one ends the turn of a
replica that was cut off in the middle of it; all others wait for that."""
REPLICA: Final = "pexservice replica"
"""What the one connection of a replica calls itself by which they are counted."""
IN_TURNS: Final = {"application_name": REPLICA, "tcp_user_timeout": "2s"}
"""Set beside those on that connection, which takes turns. The last one ends a turn whose answer is not read: the server
is not idle then, but waits for the client, by itself without end. It is `Limits.store_call_s`, after which a call is
given up here, so it ends none that a slow network could still save. It is not looked at, since on a Unix socket it is
ignored, and reads as 0; and who reads the history does without, since a pager may stand still."""
_KEPT: Final = tuple(name for name in SESSION if name != "application_name")
"""Those that a session is held to: a pooler may drop what it does not know."""
ASKED: Final = (
    "server_version_num",
    "transaction_read_only",
    "fsync",
    "full_page_writes",
    "synchronous_standby_names",
    *_KEPT,
)
"""The settings that are looked at."""


class ServerUnavailable(Fatal):
    """Raised at a start when no server can be had that may be written to."""

    exit_status = 69


class LostGroups(StorageFailed):
    """Raised when a server lacks what it, or the one before it, acknowledged."""


class ServerAway(NotApplied):
    """Raised while no server answers that may be written to."""

    is_lasting = True
    code = "server-away"
    title = "Server away"
    detail = "The server that keeps the state does not answer. Nothing was done; ask again."
    retry_after_s = 2


@dataclass(frozen=True, slots=True)
class Setup:
    """What `pexservice store init` wrote."""

    version: int
    machine: str
    is_one_server: bool
    """The operator's word that there is no standby, so that none is asked for."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a server says of itself."""

    is_standby: bool
    system: str
    """Its system identifier, which it shares with its standbys alone."""
    settings: Mapping[str, str]
    setup: Setup | None
    """None without the schema."""
    standbys: int = 0
    """How many it sends its log to."""
    replicas: int = 0
    """How many are connected to the database."""


def refusal(facts: Facts, machine: str, system: str | None) -> Fatal | None:
    """Return why a server is not written to, if so. `system` is the identifier of the one before, if there was one."""
    settings = facts.settings
    if facts.is_standby or settings["transaction_read_only"] == "on":
        return ServerUnavailable("the server is a standby or read-only, and takes no groups. Name the primary, too.")
    if int(settings["server_version_num"]) < SERVER_VERSION_MIN:
        return ServerUnavailable("the server is older than PostgreSQL 15. Upgrade it.")
    if system not in {None, facts.system}:
        message = "the server is not the one from before, nor a standby of it: it has another system identifier."
        return ServerUnavailable(f"{message} Name the right one.")
    for name in ("fsync", "full_page_writes"):
        if settings[name] != "on":
            message = f"the server runs with {name}={settings[name]}, so a power cut would damage it. Set it to on."
            return ServerUnavailable(message)
    for name in _KEPT:
        if settings[name] != SESSION[name]:
            return ServerUnavailable(
                f"the session has {name}={settings[name]} although it asked for {SESSION[name]}, so groups could be "
                "lost. Connect to the server itself, not to a pooler that drops settings."
            )
    return _schema_refusal(facts, machine)


def _schema_refusal(facts: Facts, machine: str) -> Fatal | None:
    setup = facts.setup
    if setup is None:
        return NoJournal("the database has no schema for the service. Make it with 'store init' of this program.")
    if setup.version != SCHEMA_VERSION:
        return DamagedData(
            f"the schema has version {setup.version}, and this program knows {SCHEMA_VERSION}. Nothing was changed. "
            "Run the release that made it."
        )
    if setup.machine != machine:
        message = f"the schema holds a machine called {setup.machine}, and this one is {machine}. Nothing was changed."
        return DamagedData(f"{message} Name another database.")
    if not facts.settings["synchronous_standby_names"].strip() and not setup.is_one_server:
        return ServerUnavailable(
            "the server names no synchronous standby (synchronous_standby_names is empty), so losing it would lose "
            "groups. Name one; or say that one server is all there is, by 'store init --one-server' where there is no "
            "schema yet, and by UPDATE pexservice.setup SET is_one_server = true where there is."
        )
    return None


_LOST: Final = {"PX001", "PX002"}
_DEFECTS: Final = ("22", "23", "42")
"""Classes of errors that come again however often a call is made: data, constraints, names that are not there."""
_NO_ROW: Final = "P0002"
"""What the schema's functions raise where the history has no row."""
EMPTY: Final = (
    "the history at the server has no row, and 'pexservice store init' gives it one: it was restored in part, or "
    "changed by hand. Nothing was changed. Restore all of it."
)
_NOT_PERMITTED: Final = {"28000", "28P01", "42501"}
_NO_DATABASE: Final = "3D000"
_DAMAGED: Final = {"XX001", "XX002"}
"""A page or an index that PostgreSQL's checks, or its checksums, find to be none."""
_CONNECTION: Final = "08"
"""The class of errors that no server sent."""
_CALL_FAILED: Final = re.compile(r"\[Errno ([0-9]+)\] Connect call failed \([^)]*\)")
_NUMBER: Final = re.compile(r"\[Errno -?[0-9]+\] ")
_SEVERAL: Final = "Multiple exceptions: "


def lost(sqlstate: str | None, message: str) -> LostGroups | None:
    """Tell whether an error of the server's says that it lost groups."""
    if sqlstate not in _LOST:
        return None
    return LostGroups(
        f"the server lost groups that were acknowledged: {message}. Bring back the server that has them; "
        "nothing was written."
    )


def broken(sqlstate: str | None, message: str) -> Fatal | None:
    """Tell whether an error of the server's says that the schema, or what is in it, is not what it was."""
    if sqlstate == _NO_ROW:
        return DamagedData(EMPTY)
    if sqlstate is None or sqlstate[:2] not in _DEFECTS:
        return None
    return StorageFailed(
        f"the server refuses a call: {message}. Somebody changed the schema or its rights: "
        "'store check' of this program may tell more."
    )


def explain(error: BaseException, where: str) -> Fatal:
    """Return what kept a connection from being had, for people."""
    if isinstance(error, Fatal):
        return error
    state, words = getattr(error, "sqlstate", None), str(error).partition("\n")[0].rstrip(".")
    if isinstance(error, UserWarning):
        return NotPermitted(f"the password for {where} was not taken: {words}. Make it 0600.")
    if state is not None and not state.startswith(_CONNECTION):
        return _told_by_server(state, words, where)
    words = "it did not answer in time" if isinstance(error, TimeoutError) else _plain(words)
    return ServerUnavailable(f"no server at {where}: {words or type(error).__name__}. Start it, or name another.")


def _told_by_server(state: str, words: str, where: str) -> Fatal:
    if state in _NOT_PERMITTED:
        hint = "Give user and password as libpq takes them (PGPASSFILE), or the user the right to."
        return NotPermitted(f"the server at {where} does not permit it: {words}. {hint}")
    if state == _NO_DATABASE:
        return NoJournal(f"the server at {where} has no such database: {words}. Create it, or name another.")
    if state in _DAMAGED:
        hint = "Restore a backup, or promote a standby that has it whole."
        return DamagedData(f"what the server at {where} keeps is damaged: {words}. {hint}")
    return ServerUnavailable(f"the server at {where} takes no groups: {words}. Mend that, or name another server.")


def _plain(words: str) -> str:
    """Return what asyncio says of one address, or of several, without numbers and repetitions."""
    words = _CALL_FAILED.sub(lambda found: os.strerror(int(found[1])), words)
    words = _NUMBER.sub("", words)
    if not words.startswith(_SEVERAL):
        return words
    return ", ".join(dict.fromkeys(words.removeprefix(_SEVERAL).split(", ")))
