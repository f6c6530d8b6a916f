"""From a request to an action: which path does what, for which methods, in which form.

The idea: everything about a request that does not depend on when it is carried out is decided here, once.
"""

from collections.abc import Callable
from functools import cached_property
from typing import Final, Protocol

from pexservice.core.store import Place
from pexservice.errors import NotApplied
from pexservice.http import negotiation, origin
from pexservice.http.access import Access
from pexservice.http.action import Action, Body, ReplyAction, StepAction, document, number
from pexservice.http.answer import Clock, Head, not_applied, problem, walk_fields
from pexservice.http.conditions import Verdict, judge
from pexservice.http.fields import entity_tags
from pexservice.http.request import Request
from pexservice.limits import MEMO_ANSWER_BYTES_MAX
from pexservice.walk import pages
from pexservice.walk.steps import NEXT, PREVIOUS, RESET

_STEPS: Final = {"/next": NEXT, "/previous": PREVIOUS, "/reset": RESET}
_ALLOW_STEP: Final = "GET, POST, OPTIONS"
_ALLOW_READ: Final = "GET, HEAD, OPTIONS"
_ALLOW_ANY: Final = "GET, HEAD, POST, OPTIONS"

_JSON: Final = "application/json"
_TEXT: Final = "text/plain"
_DOCUMENT: Final = "application/vnd.pexservice+json"
_BODIES: Final[dict[str, Body]] = {_JSON: number, _TEXT: number, _DOCUMENT: document}
"""The forms of a value. The first is the answer to clients that do not care."""

_VARY: Final = "Accept, Prefer"
_MINIMAL: Final = {"Preference-Applied": "return=minimal", "Vary": _VARY}
_HOME_FIELDS: Final = {
    "Cache-Control": "no-cache",
    "Vary": "Accept",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
    "frame-ancestors 'none'",
}
WALK_PATHS: Final = frozenset({"/", "/current", *_STEPS, "/openapi.json"})
ADMIN_PATHS: Final = frozenset({"/livez", "/readyz", "/metrics"})
"""What is asked by machines that watch the service, not by its clients."""
_UNTAGGED: Final = frozenset({"/", "/openapi.json"})
"""What preconditions can be about, beside /current. Who watches the service is answered whatever he sends along."""
_NO_MATCH: Final = (
    "None of the tags in If-Match is that of what is here. Read it again, and ask with the tag it has now."
)


class Walk(Protocol):
    """What is durable and may be shown."""

    @property
    def place(self) -> Place:
        """Where the walk stands."""
        ...

    def digits(self) -> str:
        """Return the digits of the value there. Raises NotApplied."""
        ...


Reply = Callable[[], bytes]


class Routes:
    """Turns the requests to one listener into actions."""

    def __init__(  # noqa: PLR0913 - one for each thing that an answer may depend on.
        self,
        walk: Walk,
        clock: Clock,
        access: Access,
        *,
        paths: frozenset[str] = WALK_PATHS | ADMIN_PATHS,
        unready: Callable[[], NotApplied | None],
        metrics: Callable[[], str],
    ) -> None:
        """`unready` tells why the service takes no steps, if so; `metrics` gives the exposition text.

        Any path but those in `paths` is unknown here.
        """
        self._walk = walk
        self._clock = clock
        self._access = access
        self._paths = paths
        self._unready = unready
        self._metrics = metrics
        self._reads: dict[str, Callable[[Request], Reply]] = {
            "/": self._home,
            "/current": self._current,
            "/livez": self._livez,
            "/readyz": self._readyz,
            "/metrics": self._exposition,
            "/openapi.json": self._openapi,
        }

    def action(self, request: Request) -> Action:
        """Return what a request amounts to; a request that is turned away amounts to the answer that says so."""
        if request.path == "*":
            allow = _ALLOW_READ if self._paths.isdisjoint(_STEPS) else _ALLOW_ANY
            return self._reply(request, self._options(request, allow))
        if request.path not in self._paths:
            known = ", ".join(sorted(self._paths))
            return self._problem(request, 404, f"There is nothing here. What there is: {known}.")
        if request.path in _STEPS:
            return self._step(request)
        if request.method not in {"GET", "HEAD"}:
            return self._other_method(request, _ALLOW_READ)
        return self._read(request)

    def _read(self, request: Request) -> Action:
        verdict = judge(request, None) if request.path in _UNTAGGED else Verdict.HOLDS
        if verdict is Verdict.FAILS:
            return self._problem(request, 412, _NO_MATCH)
        if verdict is Verdict.UNCHANGED:
            return self._reply(request, self._head(request, 304, {"Cache-Control": "no-cache", "Vary": "Accept"}).bare)
        return self._reply(request, self._reads[request.path](request))

    def _step(self, request: Request) -> Action:
        if request.method not in {"GET", "POST"}:
            return self._other_method(request, _ALLOW_STEP)
        challenge = self._access.challenge(request)
        if challenge is not None:
            return self._problem(request, challenge.status, challenge.detail, {"WWW-Authenticate": challenge.field})
        refusal = origin.refusal(request)
        if refusal is not None:
            return self._problem(request, 403, refusal)
        if "*" in entity_tags(request.values(b"if-none-match")):
            return self._problem(request, 412, "If-None-Match: * holds only if there is no walk. No step was taken.")
        if negotiation.wants_minimal(request):
            head = self._head(request, 204, _MINIMAL | {"Cache-Control": "no-store"})
            return self._step_action(request, head, None)
        form = negotiation.preferred(request, list(_BODIES))
        head = self._head(request, 200, {"Content-Type": form, "Cache-Control": "no-store", "Vary": _VARY})
        return self._step_action(request, head, _BODIES[form])

    @staticmethod
    def _step_action(request: Request, head: Head, body: Body | None) -> StepAction:
        is_last = not request.keep_alive
        return StepAction(
            request,
            _STEPS[request.path],
            head,
            body,
            200 if body else 204,
            closes=is_last,
            carries_value=body is not None,
        )

    def _current(self, request: Request) -> Reply:
        form = negotiation.preferred(request, list(_BODIES))
        is_minimal = negotiation.wants_minimal(request)
        fields = {"Cache-Control": "no-cache", "Vary": _VARY}
        full = self._head(request, 200, {"Content-Type": form} | fields)
        minimal = self._head(request, 204, _MINIMAL | fields)
        unchanged = self._head(request, 304, fields)

        def render(place: Place) -> bytes:
            variant = "minimal" if is_minimal else form.rpartition("/")[2]
            etag = f'"{place.sequence}-{place.position}-{variant}"'
            lines = f"{walk_fields(place.sequence, place.position)}ETag: {etag}\r\n"
            verdict = judge(request, etag)
            if verdict is Verdict.FAILS:
                return problem(self._clock, request, 412, _NO_MATCH, more={"ETag": etag})
            if verdict is Verdict.UNCHANGED:
                return unchanged.bare(lines)
            if is_minimal:
                return minimal.bare(lines)
            body = _BODIES[form](place.sequence, place.position, self._walk.digits())
            return full.with_body(body, lines, omit_body=request.method == "HEAD")

        kept: tuple[Place, str, bytes] | None = None

        def reply() -> bytes:
            nonlocal kept
            place, date = self._walk.place, self._clock.date
            if kept is not None and kept[0] is place and kept[1] is date:
                return kept[2]  # PERF: the same place in the same second: 2 us less.
            answer = render(place)
            kept = (place, date, answer) if len(answer) <= MEMO_ANSWER_BYTES_MAX else None
            return answer

        return reply

    # What a listener says of itself is made when it is first asked for: a start need not wait for it.

    @cached_property
    def _home_html(self) -> str:
        return pages.home_html(self._paths, needs_token=self._access.needs_token)

    @cached_property
    def _home_text(self) -> str:
        return pages.home_text(self._paths, needs_token=self._access.needs_token)

    @cached_property
    def _description(self) -> str:
        return pages.openapi(self._paths, needs_token=self._access.needs_token)

    def _home(self, request: Request) -> Reply:
        is_html = negotiation.wants_html(request)
        template = self._home_html if is_html else self._home_text
        fields = {"Content-Type": "text/html; charset=utf-8" if is_html else _TEXT} | _HOME_FIELDS
        head = self._head(request, 200, fields)

        def reply() -> bytes:
            place = self._walk.place
            body = template.replace("{position}", str(place.position)).replace("{sequence}", str(place.sequence))
            return head.with_body(body, walk_fields(place.sequence, place.position), omit_body=request.method == "HEAD")

        return reply

    def _livez(self, request: Request) -> Reply:
        return self._text(request, _TEXT, lambda: "ok\n")

    def _readyz(self, request: Request) -> Reply:
        ready = self._text(request, _TEXT, lambda: "ok\n")

        def reply() -> bytes:
            reason = self._unready()
            return ready() if reason is None else not_applied(self._clock, request, reason)

        return reply

    def _exposition(self, request: Request) -> Reply:
        return self._text(request, "text/plain; version=0.0.4; charset=utf-8", self._metrics)

    def _openapi(self, request: Request) -> Reply:
        return self._text(request, _JSON, lambda: self._description)

    def _text(self, request: Request, content_type: str, text: Callable[[], str]) -> Reply:
        head = self._head(request, 200, {"Content-Type": content_type, "Cache-Control": "no-cache"})
        return lambda: head.with_body(text(), omit_body=request.method == "HEAD")

    def _other_method(self, request: Request, allow: str) -> ReplyAction:
        if request.method == "OPTIONS":
            return self._reply(request, self._options(request, allow))
        return self._problem(request, 405, f"{request.path} takes {allow}. Ask with one of these.", {"Allow": allow})

    def _options(self, request: Request, allow: str) -> Reply:
        return self._head(request, 204, {"Allow": allow}).bare

    def _problem(self, request: Request, status: int, detail: str, more: dict[str, str] | None = None) -> ReplyAction:
        return self._reply(request, lambda: problem(self._clock, request, status, detail, more=more))

    @staticmethod
    def _reply(request: Request, reply: Reply) -> ReplyAction:
        return ReplyAction(request, reply, not request.keep_alive)

    def _head(self, request: Request, status: int, fields: dict[str, str]) -> Head:
        return Head(self._clock, status, fields, request)
