"""The table of what the walk answers, and the forms of its answers."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pexservice.core.judging import Place
from pexservice.http.action import CommandAction, ReplyAction
from pexservice.http.clock import Clock
from pexservice.http.router import Router
from pexservice.walk.fibonacci import Walker
from pexservice.walk.forms import forms
from pexservice.walk.steps import NEXT, PREVIOUS, RESET, Step
from support.held_engine import HeldEngine
from support.routing import request

DOCUMENT = "application/vnd.pexservice+json"


@given(st.integers(0, 10**9), st.integers(0, 2000))
def test_every_form_tells_the_same_value(sequence: int, position: int) -> None:
    """The number bare, as in the original, or with all about it; the document has the value as a string."""
    made = forms(Walker())
    bare = made.bodies["application/json"](sequence, position)
    assert bare == made.bodies["text/plain"](sequence, position) == f"{Walker().digits(position)}\n"
    document = json.loads(made.bodies[DOCUMENT](sequence, position))
    assert document == {
        "sequence": sequence,
        "position": position,
        "digits": len(bare) - 1,
        "value": bare.removesuffix("\n"),
    }
    assert set(document) == set(made.schemas[DOCUMENT]["required"])
    assert made.fields(sequence, position) == f"Pex-Sequence: {sequence}\r\nPex-Position: {position}\r\n"


def test_every_form_is_described() -> None:
    """Each media type has a schema, and each field but the sequence a description."""
    made = forms(Walker())
    assert made.bodies.keys() == made.schemas.keys()
    assert list(made.headers) == ["Pex-Position"]


@pytest.mark.parametrize(("path", "step"), [("/next", NEXT), ("/previous", PREVIOUS), ("/reset", RESET)])
def test_each_path_takes_its_step(path: str, step: Step) -> None:
    """By GET as by POST."""
    clock = Clock()
    router = Router(clock, HeldEngine(Place(3, 10)).table(clock))
    for method in ("GET", "POST"):
        action = router.action(request(f"{method} {path}"))
        assert isinstance(action, CommandAction)
        assert action.command == step


def test_a_read_is_of_where_the_walk_stands() -> None:
    """Whatever steps are on their way."""
    clock = Clock()
    router = Router(clock, HeldEngine(Place(3, 10)).table(clock))
    ahead = router.action(request("POST /next"))
    assert isinstance(ahead, CommandAction)
    assert ahead.render(4, 11)[1].endswith(b"\r\n\r\n89\n")
    for path in ("/current", "/current"):
        action = router.action(request(f"GET {path}"))
        assert isinstance(action, ReplyAction)
        assert action.reply()[1].endswith(b"\r\n\r\n55\n")
