"""Endpoints that answer with a text."""

from pexservice.errors import Draining
from pexservice.http.router import Router
from pexservice.http.text import Text
from support.routing import CLOCK, reply, table


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


def test_what_is_unchanged_says_of_caches_what_it_said_before() -> None:
    """A 304 has their fields of the 200, and no other (RFC 9110, 15.4.5)."""
    text = Text(lambda: "{}", fields={"Cache-Control": "max-age=9", "X-A": "b"}, is_judged=True)
    answer = reply(Router(CLOCK, [text.endpoint(CLOCK, "/text", "a text")]), "GET /text", "If-None-Match: *\r\n")
    assert answer.startswith(b"HTTP/1.1 304 ")
    assert b"Cache-Control: max-age=9\r\n" in answer
    assert not any(name in answer for name in (b"Vary", b"X-A"))
