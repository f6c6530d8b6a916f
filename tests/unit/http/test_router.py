"""From a request to an endpoint: paths, methods, and what is said of them."""

import json
from typing import Any

import pytest

from pexservice.core.budget import Budget
from pexservice.core.engine import Engine
from pexservice.core.metrics import Metrics
from pexservice.errors import BadRequest, Draining, NotApplied
from pexservice.http.access import Access
from pexservice.http.action import CommandAction, ReplyAction
from pexservice.http.clock import Clock
from pexservice.http.endpoint import Endpoint
from pexservice.http.request import Request, parse_head
from pexservice.http.resource import Site
from pexservice.http.router import Router
from pexservice.http.text import Text, probes
from pexservice.limits import DEFAULT
from pexservice.walk.endpoints import endpoints
from pexservice.walk.machine import WALK
from pexservice.walk.steps import NEXT

CLOCK = Clock()


def request(line: str, fields: str = "") -> Request:
    """Return the request that a head amounts to."""
    return parse_head(f"{line} HTTP/1.1\r\nHost: a\r\n{fields}\r\n".encode())


def table(*, needs_token: bool = False, unready: NotApplied | None = None) -> list[Endpoint]:
    """Return the endpoints of the walk and the probes, on an engine without a store."""
    engine: Engine[Any, Any] = Engine(WALK, Metrics(), Budget(1), DEFAULT)
    access = Access([b"a" * 22] if needs_token else [])
    return endpoints(Site(engine, access, CLOCK, DEFAULT), probes(CLOCK, lambda: unready, lambda: "pex 1\n"))


def reply(router: Router, line: str) -> bytes:
    """Return the answer to a request that takes no command."""
    action = router.action(request(line))
    assert isinstance(action, ReplyAction)
    return action.reply()[1]


@pytest.mark.parametrize("endpoint", table(), ids=lambda endpoint: endpoint.path)
def test_each_row_says_what_it_takes(endpoint: Endpoint) -> None:
    """OPTIONS answers with the methods of the row, any other method with 405 and the same."""
    router = Router(CLOCK, table())
    allow = f"Allow: {', '.join((*endpoint.methods, 'OPTIONS'))}\r\n".encode()
    assert allow in reply(router, f"OPTIONS {endpoint.path}")
    for method in {"GET", "HEAD", "POST", "PUT", "BREW"}.difference(endpoint.methods):
        answer = reply(router, f"{method} {endpoint.path}")
        assert answer.startswith(b"HTTP/1.1 405 ")
        assert allow in answer


def test_the_asterisk_takes_what_any_row_takes() -> None:
    """OPTIONS * names every method of the listener."""
    assert b"Allow: GET, HEAD, POST, OPTIONS\r\n" in reply(Router(CLOCK, table()), "OPTIONS *")
    some = [each for each in table() if "POST" not in each.methods]
    assert b"Allow: GET, HEAD, OPTIONS\r\n" in reply(Router(CLOCK, some), "OPTIONS *")


def test_another_path_is_told_what_there_is() -> None:
    """404 names the paths that there are."""
    router = Router(CLOCK, table())
    for path in ("/nothing", "/next/", "/NEXT", "//next"):
        answer = reply(router, f"GET {path}")
        assert answer.startswith(b"HTTP/1.1 404 ")
        assert b"/current, /livez, /metrics, /next, /openapi.json, /previous, /readyz, /reset." in answer


def test_a_query_does_not_change_the_path() -> None:
    """What follows the question mark is the endpoint's to read."""
    for target in ("/next?a=b", "http://a/next?a=b"):
        asked = request(f"POST {target}")
        action = Router(CLOCK, table()).action(asked)
        assert isinstance(action, CommandAction)
        assert (action.command, asked.query) == (NEXT, "a=b")
    assert request("POST /next").query == request("POST http://a/next").query == ""


def test_an_endpoint_may_refuse_a_request() -> None:
    """A command that cannot be made of a request is the client's fault, and told so."""

    def refuse(_: Request) -> ReplyAction:
        raise BadRequest(422, "Say how many.")

    router = Router(CLOCK, [Endpoint("/buy", ("POST",), "", refuse, {})])
    answer = reply(router, "POST /buy")
    assert answer.startswith(b"HTTP/1.1 422 ")
    assert b'"detail": "Say how many."' in answer


def test_the_probes_tell_how_it_is() -> None:
    """/livez is about the process alone, /readyz about whether commands are taken."""
    assert reply(Router(CLOCK, table()), "GET /readyz").endswith(b"\r\n\r\nok\n")
    draining = Router(CLOCK, table(unready=Draining()))
    assert reply(draining, "GET /readyz").startswith(b"HTTP/1.1 503 ")
    assert reply(draining, "GET /livez").endswith(b"\r\n\r\nok\n")
    assert reply(draining, "GET /metrics").endswith(b"\r\n\r\npex 1\n")
    assert reply(draining, "HEAD /metrics").endswith(b"Content-Length: 6\r\n\r\n")


def test_a_text_says_what_it_is() -> None:
    """Media type and fields of a text are its own."""
    text = Text(lambda: "<p>", "text/html", {"Vary": "Accept"}).endpoint(CLOCK, "/page", "a page")
    answer = reply(Router(CLOCK, [text]), "GET /page")
    assert b"Content-Type: text/html\r\n" in answer
    assert b"Vary: Accept\r\n" in answer
    assert text.operations["get"]["responses"]["200"]["content"] == {"text/html": {"schema": {"type": "string"}}}


@pytest.mark.parametrize("needs_token", [False, True])
def test_the_description_is_the_table(needs_token: bool) -> None:  # noqa: FBT001
    """/openapi.json has every path and method of the table, tokens where they are needed, and no dead reference."""
    rows = table(needs_token=needs_token)
    body = reply(Router(CLOCK, rows), "GET /openapi.json").partition(b"\r\n\r\n")[2].decode()
    document = json.loads(body)
    described = {(path, method) for path, item in document["paths"].items() for method in item}
    assert described == {(row.path, method.lower()) for row in rows for method in row.methods if method != "HEAD"}
    steps = [document["paths"]["/next"][method] for method in ("get", "post")]
    assert all(("security" in step, "401" in step["responses"]) == (needs_token, needs_token) for step in steps)
    references = {text.split('"')[0] for text in body.split("#/components/")[1:]}
    for reference in references:
        kind, name = reference.split("/")
        assert name in document["components"][kind]
    identities = [operation["operationId"] for item in document["paths"].values() for operation in item.values()]
    assert len(identities) == len(set(identities))
