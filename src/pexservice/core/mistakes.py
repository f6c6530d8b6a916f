"""How the author of a service is told of a mistake: by one sentence, before anything depends on what they wrote.

What they wrote is called once at the start, with the initial state. So a mistake that shows there ends the start, and
is not found by the first client, or by nobody; and it costs the hot path nothing.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from pexservice.errors import WrongApplication, ending

T = TypeVar("T")


INITIAL: Final = "the initial state"


def called(wrong: type[WrongApplication], what: str, call: Callable[..., T], *given: Any, of: str = INITIAL) -> T:
    """Return what a function of the author's gives. Raises `wrong`, which names `what`, and what it was given: `of`."""
    try:
        return call(*given)
    except Exception as error:
        if ending(error) is not None:  # The computer's fault, or told already.
            raise
        raise wrong(f"{what} raises {type(error).__name__} of {of}: {error!s:.200}.") from error


def check_described(what: str, value: object, kind: type[Mapping[Any, Any]] | type[Sequence[Any]]) -> None:
    """Raise WrongApplication, which names `what`, unless it is of its kind, and can be written as JSON."""
    if not isinstance(value, kind) or isinstance(value, str):
        due = "a dictionary" if kind is Mapping else "a list"
        raise WrongApplication(f"{what} is {value!r:.80}: it must be {due}.")
    try:
        json.dumps(dict(value) if isinstance(value, Mapping) else list(value))
    except (TypeError, ValueError) as error:
        raise WrongApplication(f"{what} cannot be written as JSON: {error!s:.200}. /openapi.json shows it.") from error


def text_of(
    wrong: type[WrongApplication], what: str, call: Callable[..., object], *given: Any, of: str = INITIAL
) -> str:
    """Return the text that such a function gives. Raises `wrong`."""
    text = called(wrong, what, call, *given, of=of)
    if not isinstance(text, str):
        raise wrong(f"{what} returns {text!r:.80} of {of}: it must return a text, a str.")
    return text
