"""The application that a command is about, imported by those commands alone that need it."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pexservice.errors import WrongApplication

if TYPE_CHECKING:
    from pexservice.process.application import Application

Load = Callable[[], "Application[Any, Any]"]
"""What a command line has as the object of its context."""


def load_walk() -> "Application[Any, Any]":
    """Return the walk."""
    from pexservice.app import APPLICATION  # noqa: PLC0415 - only those commands pay for it.

    return APPLICATION


def loaded(load: Load) -> "Application[Any, Any]":
    """Return what `load` does. Raises WrongApplication if that is no application."""
    application: object = load()
    from pexservice.process.application import Application  # noqa: PLC0415 - imported already, if it is one.

    if not isinstance(application, Application):
        raise WrongApplication(f"what is given to run loads {application!r:.80}: it must return an Application.")
    return application
