"""What a replica refuses, and how it reads errors."""

import pytest

from pexservice.stores.postgres.rules import lost, unsafe

SAFE = {
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_standby_names": "ANY 1 (b)",
    "transaction_read_only": "off",
}


def test_a_safe_primary_is_taken() -> None:
    """It syncs, and waits for a standby; without one only if the operator says so."""
    assert unsafe(SAFE, is_standby=False, is_one_server=False) is None
    assert unsafe({**SAFE, "synchronous_standby_names": " "}, is_standby=False, is_one_server=True) is None


@pytest.mark.parametrize(
    ("setting", "value", "told"),
    [
        ("fsync", "off", "fsync=off"),
        ("full_page_writes", "off", "full_page_writes=off"),
        ("synchronous_standby_names", " ", "names no synchronous standby"),
        ("transaction_read_only", "on", "read-only"),
    ],
)
def test_an_unsafe_server_is_refused_with_the_reason(setting: str, value: str, told: str) -> None:
    """Each setting that would lose groups is named."""
    assert told in (unsafe({**SAFE, setting: value}, is_standby=False, is_one_server=False) or "")


def test_a_standby_is_refused_however_it_is_set() -> None:
    """It takes no groups."""
    assert "standby" in (unsafe(SAFE, is_standby=True, is_one_server=True) or "")


@pytest.mark.parametrize("state", ["PX001", "PX002"])
def test_lost_groups_are_told_from_errors_that_pass(state: str) -> None:
    """Only the errors that the schema raises for it end the replica."""
    assert "group 3 follows none" in str(lost(state, "group 3 follows none"))
    assert lost("57P01", "terminating") is None
    assert lost(None, "reset") is None
