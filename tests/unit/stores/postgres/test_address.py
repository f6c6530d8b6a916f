"""The hosts of a URL, one by one."""

import pytest

from pexservice.config import StoreUrl
from pexservice.stores.postgres.address import WrongVariable, hosts, where


def test_each_host_has_a_url_of_its_own() -> None:
    """With user, password, database and parameters of the whole, and its own port."""
    url = StoreUrl("postgresql://ann:secret@a:5432,[::1]:6,c/walk?sslmode=verify-full")
    assert hosts(url) == [
        "postgresql://ann:secret@a:5432/walk?sslmode=verify-full",
        "postgresql://ann:secret@[::1]:6/walk?sslmode=verify-full",
        "postgresql://ann:secret@c/walk?sslmode=verify-full",
    ]
    assert hosts(StoreUrl("postgresql:///walk?host=/run/postgresql")) == ["postgresql:///walk?host=/run/postgresql"]


def test_a_host_is_told_without_a_password() -> None:
    """Where a server is, for people."""
    assert where("postgresql://ann:secret@a:5432/walk") == "a:5432"
    assert where("postgresql:///walk") == "the local socket"


@pytest.mark.parametrize(
    ("name", "value"), [("PGSERVICE", "nix"), ("PGREQUIREAUTH", "scram-sha-256"), ("PGHOST", "a,b"), ("PGPORT", "1,2")]
)
def test_a_variable_that_would_not_be_heard_is_refused(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It leads elsewhere, asks for more safety, or names several hosts in one."""
    monkeypatch.setenv(name, value)
    with pytest.raises(WrongVariable, match=name):
        hosts(StoreUrl("postgresql:///walk"))
