"""What a listener says of itself: the page at / for people, and /openapi.json for machines.

Both are made from the table of endpoints, so that they name nothing that answers 404 and leave out nothing that is
there. A browser gets the page of `home.py`, anyone else a text.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Final

from pexservice import __version__
from pexservice.core.judging import Place
from pexservice.http import negotiation
from pexservice.http.action import Action, ReplyAction
from pexservice.http.answer import Answer, Head
from pexservice.http.description import described
from pexservice.http.endpoint import READ, Endpoint
from pexservice.http.openapi import text_operations
from pexservice.http.request import Request
from pexservice.http.resource import Resource
from pexservice.http.text import PLAIN, unless_held
from pexservice.walk.home import Home, Listed
from pexservice.walk.steps import Step

_TEXT: Final = """\
pexservice {version}: a durable, exact walk along the Fibonacci numbers.

It stands at position {position}, after {sequence} steps.

{endpoints}

Every step is on disk before it is answered. POST is the recommended way to step.
"""
_TEXT_NOTE: Final = "A step needs a token: send 'Authorization: Bearer' with it.\n"
_HOME_FIELDS: Final = {
    "Content-Type": PLAIN,
    "Cache-Control": "no-store",  # Else Back shows where the walk stood.
    "Vary": "Accept",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
_INFO: Final = {
    "title": "pexservice",
    "version": __version__,
    "summary": "A durable, exact walk along the Fibonacci numbers.",
    "description": "Every step is on stable storage before it is answered. Steps and reads form one total order, which "
    "Pex-Sequence tells. A 4xx or 503 took no step.",
    "license": {"name": "MIT", "identifier": "MIT"},
}


class Pages:
    """Describes a table of endpoints."""

    def __init__(self, resource: Resource[int, Step], table: Sequence[Endpoint]) -> None:
        self._resource = resource
        self._table = table

    def endpoints(self) -> list[Endpoint]:
        """Return the whole table: the pages themselves and what they describe."""
        does = "describes the service and where the walk stands"
        operations = text_operations("/", does, PLAIN, "text/html", problems=["503"], is_judged=True)
        home = Endpoint("/", READ, does, self._home, operations, is_listed=False)
        self._table = described(self._resource, _INFO, [home, *self._table])
        return list(self._table)

    def _home(self, request: Request) -> Action:
        resource = self._resource
        turned_away = unless_held(resource.site.clock, request, _HOME_FIELDS)
        if turned_away is not None:
            return turned_away
        is_html = negotiation.wants_html(request)
        fields = dict(_HOME_FIELDS)
        if is_html:
            fields |= {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": self._page.policy}
        head = Head(resource.site.clock, 200, fields, request)

        def reply() -> Answer:
            place = resource.site.engine.place
            body = self._page.page(place) if is_html else self._text(place)
            lines = resource.forms.fields(place.sequence, place.state)
            return head.with_body(body, lines, omit_body=request.method == "HEAD")

        return ReplyAction(request, reply, not request.keep_alive, reads=True)

    @property
    def _needs_token(self) -> bool:
        return self._resource.site.access.needs_token

    @property
    def _listed(self) -> list[Listed]:
        without_head = [(" ".join(m for m in each.methods if m != "HEAD"), each) for each in self._table]
        return [(methods, each.path, each.does) for methods, each in without_head if each.is_listed]

    @cached_property
    def _page(self) -> Home:
        site = self._resource.site
        return Home(site.engine, site.serving, self._listed, needs_token=self._needs_token)

    def _text(self, place: Place[int]) -> str:
        lines = "\n".join(f"  {methods:8}  {path:13}  {does}" for methods, path, does in self._listed)
        text = _TEXT.format(version=__version__, position=place.state, sequence=place.sequence, endpoints=lines)
        return text + _TEXT_NOTE if self._needs_token else text
