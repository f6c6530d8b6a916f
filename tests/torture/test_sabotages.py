"""A sabotage takes out what the program has: after a change there, its attack would fail and not be noticed."""

import pytest

from torture.sabotage import SABOTAGES, sabotaged


@pytest.mark.parametrize("name", SABOTAGES)
def test_what_is_taken_out_is_there(name: str) -> None:
    """Under the name by which it is taken out."""
    with sabotaged(name):
        pass
