"""What makes a service of a machine."""

from dataclasses import fields, replace
from typing import Any

import pytest

from pexservice.app import APPLICATION
from pexservice.cli.loading import loaded
from pexservice.errors import Fatal, WrongApplication, WrongMachine
from pexservice.process.application import Application
from pexservice.walk.machine import Walk


def test_an_application_has_no_wrong_machine() -> None:
    """It is refused as wrong usage, which no restart cures."""

    class Wrong(Walk):
        name = "my walk"

    with pytest.raises(WrongMachine, match="my walk") as raised:
        replace(APPLICATION, machine=Wrong())
    assert isinstance(raised.value, Fatal)
    assert raised.value.exit_status == 2


@pytest.mark.parametrize(
    ("name", "wrong", "told"),
    [
        ("name", None, "its name is None: it must be a text of printable ASCII"),
        ("name", "", "its name is ''"),
        ("version", 1.0, r"its version is 1\.0: it must be a text"),
        ("version", "Z\u00e4", "its version is"),
        ("machine", None, "its machine is None: it must be an instance of a subclass of Machine"),
        ("machine", Walk, "its machine is <class .*Walk'>: it must be an instance"),
        ("endpoints", (), r"its endpoints is \(\): it must be a function"),
        ("hold", None, "its hold is None: it must be a function"),
    ],
)
def test_what_an_application_is_made_of_is_named(name: str, wrong: Any, told: str) -> None:
    """If it is none, by its name."""
    with pytest.raises(WrongApplication, match=told):
        replace(APPLICATION, **{name: wrong})


@pytest.mark.parametrize("name", ["name", "version", "machine", "endpoints", "hold"])
def test_what_an_application_lacks_is_named(name: str) -> None:
    """And no other."""
    given = {field.name: getattr(APPLICATION, field.name) for field in fields(Application)}
    assert Application(*given.values()) == Application[Any, Any](**given) == APPLICATION
    del given[name]
    with pytest.raises(WrongApplication, match=rf"Application\(\.\.\.\) lacks {name}\."):
        Application[Any, Any](**given)


def test_what_is_run_is_an_application() -> None:
    """What a module forgot to return is told by its command line."""
    assert loaded(lambda: APPLICATION) is APPLICATION
    nothing: Any = None
    with pytest.raises(WrongApplication, match="what is given to run loads None: it must return an Application"):
        loaded(lambda: nothing)
