"""The endpoints of the walk, and the forms in which a position is shown."""

import pytest

from pexservice.http.action import CommandAction
from pexservice.http.router import Router
from pexservice.walk.fibonacci import Walker
from pexservice.walk.forms import forms
from pexservice.walk.steps import NEXT, PREVIOUS, RESET, Step
from support.routing import CLOCK, request, table


@pytest.mark.parametrize(("path", "step"), [("/next", NEXT), ("/previous", PREVIOUS), ("/reset", RESET)])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_each_path_takes_its_step(method: str, path: str, step: Step) -> None:
    """By either method."""
    action = Router(CLOCK, table()).action(request(f"{method} {path}"))
    assert isinstance(action, CommandAction)
    assert action.command == step


def test_a_position_is_shown_in_each_form() -> None:
    """The bare number, or all about it, and the same in the header fields."""
    shown = forms(Walker())
    bodies = {form: body(12, 10) for form, body in shown.bodies.items()}
    assert bodies == {
        "application/json": "55\n",
        "text/plain": "55\n",
        "application/vnd.pexservice+json": '{"sequence":12,"position":10,"digits":2,"value":"55"}',
    }
    assert shown.fields(12, 10) == "Pex-Sequence: 12\r\nPex-Position: 10\r\n"
    assert set(shown.schemas) == set(bodies)
