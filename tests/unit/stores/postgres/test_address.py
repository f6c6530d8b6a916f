"""The hosts of a URL, one by one."""

from pexservice.config import StoreUrl
from pexservice.stores.postgres.address import hosts, where


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
