"""What makes a service of a machine."""

from dataclasses import replace

import pytest

from pexservice.app import APPLICATION
from pexservice.errors import Fatal, WrongMachine
from pexservice.walk.machine import Walk


def test_an_application_has_no_wrong_machine() -> None:
    """It is refused as wrong usage, which no restart cures."""

    class Wrong(Walk):
        name = "my walk"

    with pytest.raises(WrongMachine, match="my walk") as raised:
        replace(APPLICATION, machine=Wrong())
    assert isinstance(raised.value, Fatal)
    assert raised.value.exit_status == 2
