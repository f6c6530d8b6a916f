"""A table of endpoints that describes itself."""

import json
from typing import Any, Final

import pytest

from pexservice.core.budget import Budget
from pexservice.core.engine import Engine
from pexservice.core.metrics import Metrics
from pexservice.errors import WrongApplication
from pexservice.http.access import Access
from pexservice.http.description import described
from pexservice.http.forms import Forms
from pexservice.http.resource import Resource, Site
from pexservice.http.router import Router
from pexservice.limits import DEFAULT
from pexservice.walk.fibonacci import Walker
from pexservice.walk.forms import forms
from pexservice.walk.machine import WALK
from pexservice.walk.steps import NEXT, Step
from support.routing import CLOCK, reply

INFO: Final = {"title": "t", "version": "1"}


def _resource(**of_forms: Any) -> Resource[int, Step]:
    given: Any = {"headers": {}, "schemas": {}} | of_forms
    engine = Engine[int, Step](WALK, Metrics(), Budget(1), DEFAULT)
    shown = Forms[int](lambda *_: "", {"text/plain": lambda *_: ""}, **given)
    return Resource(Site(engine, Access([]), CLOCK, DEFAULT), shown)


def test_a_table_describes_itself() -> None:
    """The description has the given title, each row, and itself."""
    engine = Engine[int, Step](WALK, Metrics(), Budget(1), DEFAULT)
    resource = Resource(Site(engine, Access([]), CLOCK, DEFAULT), forms(Walker()))
    table = described(resource, {"title": "t", "version": "1"}, [resource.state("/here", "where it is")])
    document = json.loads(reply(Router(CLOCK, table), "GET /openapi.json").partition(b"\r\n\r\n")[2])
    assert document["info"] == {"title": "t", "version": "1"}
    assert set(document["paths"]) == {"/here", "/openapi.json"} == {row.path for row in table}


@pytest.mark.parametrize(
    "paths",
    [("/v1.0/buy", "/v1.0/sell"), ("/a/b", "/a-b"), ("/a", "/a/", "/a.txt"), ("/", "/a")],
)
def test_no_two_operations_are_called_alike(paths: tuple[str, ...]) -> None:
    """OpenAPI 3.1, 4.8.10: operationId is unique among all operations, whatever the paths of a service are."""
    resource = _resource()
    table = described(resource, INFO, [resource.state(path, "where it is") for path in paths])
    document = json.loads(reply(Router(CLOCK, table), "GET /openapi.json").partition(b"\r\n\r\n")[2])
    names = [operation["operationId"] for item in document["paths"].values() for operation in item.values()]
    assert len(set(names)) == len(names) == len(paths) + 1


NO_JSON: Final[list[Any]] = [None, "text", 7, {"a": {1}}, {"a": b"b"}, {(1, 2): "a"}]


@pytest.mark.parametrize("wrong", NO_JSON)
def test_what_cannot_be_described_is_told_of_at_the_start(wrong: Any) -> None:
    """By its name, and not as a connection that is closed on whoever asks for the description first."""
    told = "(must be a dictionary|cannot be written as JSON)"
    for part in ("headers", "schemas"):
        with pytest.raises(WrongApplication, match=rf"Forms\.{part} .*{told}"):
            _resource(**{part: wrong})
    resource = _resource()
    problems: Any = [1] if wrong is None else wrong
    with pytest.raises(WrongApplication, match=f"the Info object of its description .*{told}"):
        described(resource, wrong, [])
    with pytest.raises(WrongApplication, match=rf"the problems of /up .*{told}"):
        resource.command("/up", "", lambda _: NEXT, problems=problems)
    with pytest.raises(WrongApplication, match=r"the parameters of /up .*(must be a list|cannot be written as JSON)"):
        resource.command("/up", "", lambda _: NEXT, parameters=wrong if not isinstance(wrong, dict) else [wrong])


def test_a_row_without_words_or_a_function_is_told_of_at_the_start() -> None:
    """A command that nothing makes would close each connection."""
    wrong: Any = NEXT
    with pytest.raises(WrongApplication, match=r"what makes a command of a request to /up is .*, and no function"):
        _resource().command("/up", "", wrong)
    wrong = b"up"
    with pytest.raises(WrongApplication, match=r"what the endpoint /up does is b'up': say it in a text"):
        _resource().state("/up", wrong)
