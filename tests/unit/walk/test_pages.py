"""The page at /, for people."""

import re

import pytest

from pexservice.core.judging import Place
from pexservice.http.access import Access
from pexservice.http.action import ReplyAction
from pexservice.http.clock import Clock
from pexservice.http.endpoint import Endpoint
from pexservice.http.resource import Site
from pexservice.http.router import Router
from pexservice.http.text import probes
from pexservice.limits import DEFAULT
from pexservice.walk.endpoints import endpoints
from support.held_engine import HeldEngine
from support.routing import CLOCK, request

HTML = "Accept: text/html\r\n"
TOKEN = b"a" * 22


class Home:
    """The pages of a walk that stands at position 10, after 3 steps."""

    def __init__(self, *, needs_token: bool = False, has_probes: bool = True) -> None:
        self.held = HeldEngine(Place(3, 10))
        site = Site(self.held.as_engine, Access([TOKEN] if needs_token else []), Clock(), DEFAULT)
        shown = probes(CLOCK, lambda: None, lambda: "") if has_probes else ()
        self.table: list[Endpoint] = endpoints(site, shown)

    def page(self, fields: str = "", method: str = "GET") -> str:
        """Return the answer to a request for /."""
        action = Router(CLOCK, self.table).action(request(f"{method} /", fields))
        assert isinstance(action, ReplyAction)
        return action.reply()[1].decode()


@pytest.mark.parametrize("fields", ["", HTML])
@pytest.mark.parametrize("has_probes", [False, True])
def test_it_names_what_is_there_and_nothing_else(fields: str, has_probes: bool) -> None:  # noqa: FBT001
    """Each path of the table with what it does; probes only if they share the listener."""
    home = Home(has_probes=has_probes)
    row = r'<tr><th scope="row">(?:<a [^>]*>)?<code>(/[^<]*)</code>' if fields else r"^  [A-Z ]+ (/\S+)"
    named = re.findall(row, home.page(fields), re.MULTILINE)
    assert named == [each.path for each in home.table if each.is_listed]
    assert ("/metrics" in named) == has_probes


@pytest.mark.parametrize("fields", ["", HTML])
def test_it_shows_where_the_walk_stands_now(fields: str) -> None:
    """It is made once, and the numbers are put in when somebody asks."""
    home = Home()
    for place in (Place(3, 10), Place(4, 11)):
        home.held.place = place
        page = home.page(fields)
        assert f"Pex-Sequence: {place.sequence}\r\nPex-Position: {place.state}\r\n" in page
        assert re.search(rf"\b{place.state}\b", page.partition("\r\n\r\n")[2])
        assert "{" not in re.sub(r"<(style|script)>.*?</\1>", "", page, flags=re.DOTALL)


@pytest.mark.parametrize("needs_token", [False, True])
def test_buttons_are_there_for_whoever_may_step(needs_token: bool) -> None:  # noqa: FBT001
    """A browser sends no token of its own, so where one is needed they are off until it is entered."""
    page = Home(needs_token=needs_token).page(HTML)
    assert ("<fieldset disabled>" in page) == ("needs a token" in page) == ('id="token"' in page) == needs_token
    assert ("needs a token" in Home(needs_token=needs_token).page()) == needs_token


@pytest.mark.parametrize("fields", ["", HTML])
def test_nobody_keeps_it_and_no_other_site_shows_it(fields: str) -> None:
    """Back asks again, whatever the form; nothing runs in the text."""
    page = Home().page(fields)
    assert "\r\nCache-Control: no-store\r\n" in page
    assert "Content-Security-Policy: default-src 'none';" in page
    assert "frame-ancestors 'none'" in page


def test_its_preconditions_are_judged() -> None:
    """It has no tag, so only * names it; HEAD has the length and no body."""
    home = Home()
    unchanged = home.page("If-None-Match: *\r\n")
    assert unchanged.startswith("HTTP/1.1 304 ")
    assert "\r\nCache-Control: no-store\r\nVary: Accept\r\n" in unchanged  # As a 200 has it.
    assert home.page('If-Match: "a"\r\n').startswith("HTTP/1.1 412 ")
    head, _, body = home.page(method="HEAD").partition("\r\n\r\n")
    length = re.search(r"Content-Length: (\d+)", head)
    assert body == ""
    assert length is not None
    assert int(length[1]) == len(home.page().partition("\r\n\r\n")[2])
