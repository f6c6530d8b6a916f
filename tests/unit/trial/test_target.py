"""Which addresses are this machine's."""

import pytest

from pexservice.errors import AddressUnavailable
from pexservice.trial.target import addresses, is_of_this_machine


@pytest.mark.parametrize(
    ("address", "is_ours"), [("127.0.0.1", True), ("127.9.9.9", True), ("192.0.2.1", False), ("2001:db8::1", False)]
)
def test_an_address_is_ours_if_one_can_listen_there(address: str, is_ours: bool) -> None:  # noqa: FBT001
    """All of 127.0.0.0/8 is; those set aside for documentation are nobody's."""
    assert is_of_this_machine(address) == is_ours


def test_a_name_without_addresses_is_told() -> None:
    """The name that is set aside for having none (RFC 2606)."""
    assert "127.0.0.1" in addresses("localhost", 80)
    with pytest.raises(AddressUnavailable, match=r"the name nobody\.invalid leads nowhere"):
        addresses("nobody.invalid", 80)
