"""From a request to an endpoint: paths, methods, and what is said of them."""

import re
from typing import Any

import pytest

from pexservice.errors import BadRequest, WrongApplication
from pexservice.http.action import CommandAction, ReplyAction
from pexservice.http.endpoint import Endpoint
from pexservice.http.request import Request
from pexservice.http.router import Router
from pexservice.walk.steps import NEXT
from support.routing import CLOCK, reply, request, table


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


def test_a_row_may_take_any_method() -> None:
    """A method that no row of ours has is taken, and named behind the usual ones."""

    def gone(_: Request) -> ReplyAction:
        raise BadRequest(410, "It is gone.")

    router = Router(CLOCK, [Endpoint("/it", ("DELETE", "GET"), "", gone, {})])
    assert b"Allow: GET, DELETE, OPTIONS\r\n" in reply(router, "OPTIONS *")
    assert reply(router, "DELETE /it").startswith(b"HTTP/1.1 410 ")


def test_another_path_is_told_what_there_is() -> None:
    """404 names the paths that there are."""
    router = Router(CLOCK, table())
    for path in ("/nothing", "/next/", "/NEXT", "//next"):
        answer = reply(router, f"GET {path}")
        assert answer.startswith(b"HTTP/1.1 404 ")
        assert b"/current, /events, /livez, /metrics, /next, /openapi.json, /previous, /readyz, /reset." in answer


def test_a_path_has_one_row() -> None:
    """Else one of the two could never be reached: told by the path, before there is a client."""
    with pytest.raises(WrongApplication, match="its endpoints have two rows with the path /next"):
        Router(CLOCK, [*table(), next(row for row in table() if row.path == "/next")])


@pytest.mark.parametrize("row", [None, "/next", ("/next", ("GET",))])
def test_a_row_is_an_endpoint(row: Any) -> None:
    """A function that forgot to return one is told by the number of the row."""
    with pytest.raises(WrongApplication, match=rf"row 2 of its endpoints is {re.escape(repr(row))}: a row is what"):
        Router(CLOCK, [table()[0], row])


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


@pytest.mark.parametrize("status", [200, 303, 450, 499, 500, 501, 503])
def test_an_endpoint_refuses_with_a_status_of_clients(status: int) -> None:
    """No client is told that it is the service, and asks again, or that all is well: it is the author who is told."""

    def refuse(_: Request) -> ReplyAction:
        raise BadRequest(status, "Say how many.")

    router = Router(CLOCK, [Endpoint("/buy", ("POST",), "", refuse, {})])
    with pytest.raises(BadRequest, match="Say how many"):
        router.action(request("POST /buy"))


@pytest.mark.parametrize(
    "path",
    [
        "hall",
        "",
        "*",
        "/a?b",
        "/a#b",
        "/a b",
        "/caf\u00e9",
        "/a%20b",
        "/{name}",
        "//a",
        "/./a",
        "/a/..",
        "/a\r\nb",
        "/a*",
        None,
    ],
)
def test_a_path_that_no_client_can_ask_for_is_told_of(path: Any) -> None:
    """A row for it would be there, described, and never found."""
    with pytest.raises(WrongApplication, match=f"the path {re.escape(repr(path))} of an endpoint can never be reached"):
        Endpoint(path, ("GET",), "", lambda _: pytest.fail("it is reached"), {})


@pytest.mark.parametrize(
    "methods", ["GET", (), ["GET"], ("GET", None), ("",), ("GET HEAD",), ("P\u00d6ST",), ("GET\r\n",), None]
)
def test_methods_that_no_client_can_send_are_told_of(methods: Any) -> None:
    """One text would be taken for the methods G, E and T."""
    told = f"the endpoint /buy takes {re.escape(repr(methods))}: it must be a tuple of methods, such as"
    with pytest.raises(WrongApplication, match=told):
        Endpoint("/buy", methods, "", lambda _: pytest.fail("it is reached"), {})


@pytest.mark.parametrize("path", ["/", "/hall", "/v1/my_hall-2/~x.json", "/hall/", "/...", "/.well-known/a"])
def test_a_path_that_is_taken_is_found(path: str) -> None:
    """As it is written."""

    def gone(_: Request) -> ReplyAction:
        raise BadRequest(410, "It is gone.")

    assert reply(Router(CLOCK, [Endpoint(path, ("GET",), "", gone, {})]), f"GET {path}").startswith(b"HTTP/1.1 410 ")
