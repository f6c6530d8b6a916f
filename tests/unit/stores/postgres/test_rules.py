"""What a replica refuses, and how it reads errors."""

import errno
import socket
from dataclasses import replace

import pytest

from pexservice.errors import DamagedData, Fatal, NoJournal, NotPermitted
from pexservice.stores.postgres.rules import (
    SESSION,
    Facts,
    LostGroups,
    ServerUnavailable,
    Setup,
    broken,
    explain,
    lost,
    refusal,
)

SAFE = Facts(
    is_standby=False,
    system="7",
    settings={
        "server_version_num": "150018",
        "transaction_read_only": "off",
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_standby_names": "ANY 1 (b)",
        **SESSION,
    },
    setup=Setup(1, "fibonacci", is_one_server=False),
)


class Failed(Exception):
    """As asyncpg raises it."""

    def __init__(self, sqlstate: str, message: str) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate


def told(facts: Facts, system: str | None = None) -> tuple[type[Fatal] | None, str]:
    reason = refusal(facts, "fibonacci", system)
    return type(reason) if reason else None, str(reason)


def test_a_safe_primary_is_taken() -> None:
    """It syncs, and waits for a standby; without one only if the operator says so."""
    alone = replace(SAFE, settings={**SAFE.settings, "synchronous_standby_names": " "})
    assert refusal(SAFE, "fibonacci", None) is None
    assert refusal(SAFE, "fibonacci", "7") is None
    assert refusal(replace(alone, setup=Setup(1, "fibonacci", is_one_server=True)), "fibonacci", None) is None


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("server_version_num", "140009", "older than PostgreSQL 15"),
        ("fsync", "off", "fsync=off"),
        ("full_page_writes", "off", "full_page_writes=off"),
        ("synchronous_commit", "local", "synchronous_commit=local"),
        ("statement_timeout", "1min", "statement_timeout=1min although it asked for 0"),
        ("default_transaction_isolation", "serializable", "default_transaction_isolation=serializable"),
        ("client_min_messages", "error", "client_min_messages=error"),
        ("idle_in_transaction_session_timeout", "0", "not to a pooler that drops settings"),
        ("synchronous_standby_names", " ", "names no synchronous standby"),
        ("transaction_read_only", "on", "read-only"),
    ],
)
def test_an_unsafe_server_is_refused_with_the_reason(setting: str, value: str, words: str) -> None:
    """Each setting that would lose groups is named."""
    kind, text = told(replace(SAFE, settings={**SAFE.settings, setting: value}))
    assert kind is ServerUnavailable
    assert words in text


def test_another_server_is_refused() -> None:
    """A standby, and one that is not the server from before."""
    assert "standby" in told(replace(SAFE, is_standby=True))[1]
    assert "another system identifier" in told(SAFE, "8")[1]


@pytest.mark.parametrize(
    ("setup", "kind", "words"),
    [
        (None, NoJournal, "has no schema"),
        (Setup(2, "fibonacci", is_one_server=False), DamagedData, "version 2, and this program knows 1"),
        (Setup(1, "counter", is_one_server=False), DamagedData, "a machine called counter, and this one is fibonacci"),
    ],
)
def test_another_schema_is_refused(setup: Setup | None, kind: type[Fatal], words: str) -> None:
    """None, one of another version, one of another machine."""
    found, text = told(replace(SAFE, setup=setup))
    assert found is kind
    assert words in text


@pytest.mark.parametrize("state", ["PX001", "PX002"])
def test_lost_groups_are_told_from_errors_that_pass(state: str) -> None:
    """Only the errors that the schema raises for it mean that."""
    loss = lost(state, "group 3 follows none")
    assert isinstance(loss, LostGroups)
    assert "group 3 follows none" in str(loss)
    assert lost("57P01", "terminating") is None
    assert lost(None, "reset") is None


@pytest.mark.parametrize("state", ["22P02", "23505", "42P01"])
def test_errors_that_come_again_are_told_from_errors_that_pass(state: str) -> None:
    """A call that is made again would never end."""
    assert "the schema or its rights" in str(broken(state, "no such table"))
    assert broken("57P01", "terminating") is None
    assert broken(None, "reset") is None


def test_a_history_without_a_row_is_damage() -> None:
    """As of a dump that was restored in part: it comes again however often a call is made."""
    assert isinstance(broken("P0002", "query returned no rows"), DamagedData)


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (DamagedData("it is"), DamagedData, "it is"),
        (Failed("28P01", "password authentication failed\nmore"), NotPermitted, "authentication failed. Give user"),
        (Failed("42501", "permission denied"), NotPermitted, "permission denied"),
        (
            Failed("XX001", "invalid page in block 0"),
            DamagedData,
            "at db:5432 keeps is damaged: invalid page in block 0. ",
        ),
        (Failed("XX002", "index is corrupted"), DamagedData, "index is corrupted. Restore a backup"),
        (Failed("3D000", 'database "x" does not exist'), NoJournal, 'database "x" does not exist. Create it'),
        (
            Failed("53100", "No space left on device"),
            ServerUnavailable,
            "takes no groups: No space left on device. Mend",
        ),
        (Failed("08003", "connection was closed"), ServerUnavailable, "no server at db:5432: connection was closed."),
        (TimeoutError(), ServerUnavailable, "no server at db:5432: it did not answer in time."),
        (ConnectionRefusedError("refused"), ServerUnavailable, "no server at db:5432: refused. Start it"),
        (
            ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed ('127.0.0.1', 1)"),
            ServerUnavailable,
            "no server at db:5432: Connection refused. Start it, or name another.",
        ),
        (
            OSError(
                "Multiple exceptions: [Errno 111] Connect call failed ('::1', 1, 0, 0), "
                "[Errno 111] Connect call failed ('127.0.0.1', 1)"
            ),
            ServerUnavailable,
            "no server at db:5432: Connection refused. Start it, or name another.",
        ),
        (
            socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
            ServerUnavailable,
            "no server at db:5432: Name or service not known. Start it, or name another.",
        ),
        (OSError(), ServerUnavailable, "no server at db:5432: OSError."),
        (UserWarning("password file has group access"), NotPermitted, "password file has group access. Make it 0600."),
    ],
)
def test_what_keeps_a_connection_from_being_had_is_said_in_a_sentence(
    error: Exception, kind: type[Fatal], words: str
) -> None:
    """With the status that says who can act on it."""
    reason = explain(error, "db:5432")
    assert type(reason) is kind
    assert words in str(reason)
