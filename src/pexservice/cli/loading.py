"""The application that a command is about, imported by those commands alone that need it."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pexservice.process.application import Application

Load = Callable[[], "Application[Any, Any]"]
"""What a command line has as the object of its context."""


def load_walk() -> "Application[Any, Any]":
    """Return the walk."""
    from pexservice.app import APPLICATION  # noqa: PLC0415 - only those commands pay for it.

    return APPLICATION
