"""How a state is shown, checked once with the state in which a machine begins."""

from dataclasses import replace
from typing import Any, Final

import pytest

from pexservice.core.budget import Budget
from pexservice.core.engine import Engine
from pexservice.core.metrics import Metrics
from pexservice.errors import WrongApplication
from pexservice.http.access import Access
from pexservice.http.forms import Forms
from pexservice.http.resource import Resource, Site
from pexservice.limits import DEFAULT
from pexservice.walk.machine import WALK
from pexservice.walk.steps import Step
from support.routing import CLOCK

FORMS: Final = Forms[int](
    lambda sequence, position: f"Pex-Sequence: {sequence}\r\nHere: {position}\r\n",
    {"application/json": lambda _, position: f"{position}\n", "text/plain": lambda _, position: f"{position}\n"},
    headers={},
    schemas={},
)


def _fail(*_: object) -> Any:
    raise KeyError("there")


def _resource(forms: Forms[int]) -> Resource[int, Step]:
    return Resource(Site(Engine[int, Step](WALK, Metrics(), Budget(1), DEFAULT), Access([]), CLOCK, DEFAULT), forms)


WRONG_BODIES: Final = [
    (lambda *_: {"position": 0}, r"returns \{'position': 0\} of the initial state: it must return a text, a str"),
    (lambda *_: None, "returns None of the initial state"),
    (lambda *_: b"0", "returns b'0' of the initial state"),
    (lambda _: "0", "raises TypeError of the initial state"),
    (lambda *_: "\ud800", "raises UnicodeEncodeError of the initial state"),
    (_fail, "raises KeyError of the initial state: 'there'"),
]


@pytest.mark.parametrize(("body", "told"), WRONG_BODIES)
@pytest.mark.parametrize("media_type", ["application/json", "text/plain"])
def test_a_body_that_is_no_text_is_told_of_at_the_start(media_type: str, body: Any, told: str) -> None:
    """Each form is written once, by its media type; else a command would be taken, and answered with what is none."""
    forms = replace(FORMS, bodies={**FORMS.bodies, media_type: body})
    with pytest.raises(WrongApplication, match=rf"the body of {media_type} \(Forms\.bodies\) {told}"):
        _resource(forms)


@pytest.mark.parametrize(("body", "told"), WRONG_BODIES)
def test_an_event_that_is_no_text_is_told_of_at_the_start(body: Any, told: str) -> None:
    """By the path that watchers ask for."""
    with pytest.raises(WrongApplication, match=f"what writes the events of /events {told}"):
        _resource(FORMS).events("/events", "tells", body)


def test_a_state_has_a_form() -> None:
    """Without any there would be no answer."""
    with pytest.raises(WrongApplication, match=r"Forms\.bodies is empty"):
        _resource(replace(FORMS, bodies={}))


def test_what_the_computer_lacks_is_no_mistake_of_the_author() -> None:
    """Short of memory, it is not the form that is wrong."""

    def lack(*_: object) -> str:
        raise MemoryError

    with pytest.raises(MemoryError):
        _resource(replace(FORMS, bodies={"text/plain": lack}))
