"""How a state is shown, checked once with the state in which a machine begins."""

from dataclasses import replace
from typing import Any, Final

import pytest

from pexservice.core.budget import Budget
from pexservice.core.engine import Engine
from pexservice.core.metrics import Metrics
from pexservice.errors import WrongApplication
from pexservice.http.access import Access
from pexservice.http.action import ReplyAction
from pexservice.http.forms import Forms
from pexservice.http.resource import Resource, Site
from pexservice.limits import DEFAULT
from pexservice.walk.machine import WALK
from pexservice.walk.steps import Step
from support.engine_scenes import Caller, play
from support.memory_store import MemoryStore
from support.routing import CLOCK, request

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


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        (lambda *_: "Here: 0", r"Forms\.fields writes 'Here: 0' of the initial state: each line is ASCII, NAME: VALUE"),
        (lambda *_: "Here: 0\n", r"writes 'Here: 0\\n' of"),
        (lambda *_: "Pex-Sequence: 0\r\nHere: 0", "each line is ASCII"),
        (lambda *_: "Here: 0\r\n\r\n", "each line is ASCII"),
        (lambda *_: "Here: a\nb\r\n", "each line is ASCII"),
        (lambda *_: "Here: a\0b\r\n", "each line is ASCII"),
        (lambda *_: "Here 0\r\n", "each line is ASCII"),
        (lambda *_: "Is Here: 0\r\n", "each line is ASCII"),
        (lambda *_: ": 0\r\n", "each line is ASCII"),
        (lambda *_: "Zo\u00eb: 0\r\n", "each line is ASCII"),
        (lambda *_: "Name: Zo\u00eb\r\n", "each line is ASCII"),
        (lambda *_: "content-length: 0\r\n", "writes content-length, which every answer has by itself"),
        (lambda *_: "Here: 0\r\nETag: 0\r\n", "writes ETag, which every answer has by itself"),
        (lambda *_: {"Here": 0}, r"Forms\.fields returns \{'Here': 0\} of the initial state"),
        (_fail, r"Forms\.fields raises KeyError of the initial state: 'there'"),
    ],
)
def test_header_fields_that_http_does_not_have_are_told_of_at_the_start(fields: Any, told: str) -> None:
    """Else clients would wait for the end of a head, or read another answer than was written."""
    with pytest.raises(WrongApplication, match=told):
        _resource(replace(FORMS, fields=fields))


@pytest.mark.parametrize("lines", ["", "Here:\r\n", "Here:0\r\n", "A: b c\t d\r\nX-1: \r\nMy-ETag: ETag: 1\r\n"])
def test_header_fields_that_http_has_are_taken(lines: str) -> None:
    """None, empty ones, and whatever is printable."""
    assert _resource(replace(FORMS, fields=lambda *_: lines)).forms.fields(0, 0) == lines


def test_a_state_has_a_form() -> None:
    """Without any there would be no answer."""
    with pytest.raises(WrongApplication, match=r"Forms\.bodies is empty"):
        _resource(replace(FORMS, bodies={}))


@pytest.mark.parametrize(
    "media_type",
    [
        *("text/plain; charset=latin-1", "text/plain;charset=utf-8", "text/plain; q=1", "Text/Plain", "json", ""),
        *("text/", "a/b/c", "text/*x y", "text/pl\u00fcin", "text/plain\r\nX: y", "text/plain\n", b"a/b", 5),
    ],
)
def test_a_media_type_that_no_client_can_ask_for_is_told_of_at_the_start(media_type: Any) -> None:
    """It is compared with what clients write in Accept, and stands in a header field and in tags."""
    with pytest.raises(WrongApplication, match=r"Forms\.bodies has .* for a media type: it must be a text such as"):
        _resource(replace(FORMS, bodies={media_type: lambda *_: "0\n"}))


@pytest.mark.parametrize("accept", ["text/plain", "text/*", "text/plain;charset=utf-8", "text/plain; charset=latin-1"])
def test_a_form_may_name_its_charset(accept: str) -> None:
    """Else a browser takes a text of more than ASCII for something else. Who asks for it, and its tag, need not."""
    body = lambda *_: "Zo\u00eb\n"  # noqa: E731 - a form.
    forms = replace(FORMS, bodies={"application/json": body, "text/plain; charset=utf-8": body})

    async def scenario(engine: Engine[int, Step], _: Caller) -> None:
        action = (
            Resource(Site(engine, Access([]), CLOCK, DEFAULT), forms)
            .state("/here", "")
            .action(request("GET /here", f"Accept: {accept}\r\n"))
        )
        assert isinstance(action, ReplyAction)
        answer = action.reply()[1].decode("utf-8")
        assert "\r\nContent-Type: text/plain; charset=utf-8\r\n" in answer
        assert f'\r\nETag: "0-{WALK.tag(0)}-plain"\r\n' in answer

    play(scenario, MemoryStore(WALK))


@pytest.mark.parametrize("media_type", ["text/json", "text/json; charset=utf-8", "application/minimal"])
def test_forms_that_a_tag_calls_alike_are_told_of_at_the_start(media_type: str) -> None:
    """A tag is that of one answer (RFC 9110, 8.8.3)."""
    with pytest.raises(WrongApplication, match=r"Forms\.bodies has a second form called '(json|minimal)'"):
        _resource(replace(FORMS, bodies={**FORMS.bodies, media_type: lambda *_: "0\n"}))


def test_what_the_computer_lacks_is_no_mistake_of_the_author() -> None:
    """Short of memory, it is not the form that is wrong."""

    def lack(*_: object) -> str:
        raise MemoryError

    with pytest.raises(MemoryError):
        _resource(replace(FORMS, bodies={"text/plain": lack}))
