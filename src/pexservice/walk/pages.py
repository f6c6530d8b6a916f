"""What a listener says of itself: the page at / for people, and /openapi.json for machines.

The page is made from the table of endpoints, once, when first asked for, so that it names nothing that answers 404 and
leaves out nothing that is there. What changes, {position} and {sequence}, is put in when somebody asks.
"""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Final

from pexservice import __version__
from pexservice.http import negotiation
from pexservice.http.action import Action, ReplyAction
from pexservice.http.answer import Answer, Head
from pexservice.http.description import described
from pexservice.http.endpoint import READ, Endpoint
from pexservice.http.openapi import text_operations
from pexservice.http.request import Request
from pexservice.http.resource import Resource
from pexservice.http.text import PLAIN, unless_held
from pexservice.walk.steps import Step

_HTML: Final = (Path(__file__).parent / "home.html").read_text("ascii")
_TEXT: Final = """\
pexservice {version}: a durable, exact walk along the Fibonacci numbers.

It stands at position {position}, after {sequence} steps.

{endpoints}

Every step is on disk before it is answered. POST is the recommended way to step.
"""
_TEXT_NOTE: Final = "A step needs a token: send 'Authorization: Bearer' with it.\n"
_HTML_NOTE: Final = (
    "\n<p>A step needs a token, which these buttons do not have: take a client that sends "
    "<code>Authorization: Bearer</code> with it.</p>"
)
_HOME_FIELDS: Final = {
    "Cache-Control": "no-cache",
    "Vary": "Accept",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
    "frame-ancestors 'none'",
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
        turned_away = unless_held(resource.site.clock, request)
        if turned_away is not None:
            return turned_away
        is_html = negotiation.wants_html(request)
        template = self._html if is_html else self._text
        fields = {"Content-Type": "text/html; charset=utf-8" if is_html else PLAIN} | _HOME_FIELDS
        head = Head(resource.site.clock, 200, fields, request)

        def reply() -> Answer:
            place = resource.site.engine.place
            body = template.replace("{position}", str(place.state)).replace("{sequence}", str(place.sequence))
            lines = resource.forms.fields(place.sequence, place.state)
            return head.with_body(body, lines, omit_body=request.method == "HEAD")

        return ReplyAction(request, reply, not request.keep_alive, reads=True)

    @property
    def _needs_token(self) -> bool:
        return self._resource.site.access.needs_token

    @property
    def _listed(self) -> list[tuple[str, str, str]]:
        """What is listed: the methods that matter to people, the path, and what it does."""
        without_head = [(" ".join(m for m in each.methods if m != "HEAD"), each) for each in self._table]
        return [(methods, each.path, each.does) for methods, each in without_head if each.is_listed]

    @cached_property
    def _text(self) -> str:
        lines = "\n".join(f"  {methods:8}  {path:13}  {does}" for methods, path, does in self._listed)
        text = _TEXT.replace("{version}", __version__).replace("{endpoints}", lines)
        return text + _TEXT_NOTE if self._needs_token else text

    @cached_property
    def _html(self) -> str:
        rows = []
        for methods, path, does in self._listed:
            code = f"<code>{path}</code>"
            link = f'<a href="{path}">{code}</a>' if methods == "GET" else code
            rows.append(f"  <tr><td><code>{methods}</code></td><td>{link}</td><td>{does}</td></tr>")
        return (
            _HTML.replace("{version}", __version__)
            .replace("{endpoints}", "\n".join(rows))
            .replace("{disabled}", " disabled" if self._needs_token else "")
            .replace("{note}", _HTML_NOTE if self._needs_token else "")
        )
