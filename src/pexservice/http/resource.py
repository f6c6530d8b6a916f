"""The endpoints by which clients read a state and have commands taken: what HTTP makes of any machine.

Reading is conditional, in the form that the client prefers; commands are guarded by tokens and against browsers that
fetch ahead or act for pages of other sites. A form that a browser posts is sent back to the page, so that neither Back
nor Reload posts it again. None of it knows what the state is.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Generic

from pexservice.core.engine import Engine
from pexservice.core.judging import Place
from pexservice.core.machine import C, S
from pexservice.core.mistakes import check_described
from pexservice.errors import WrongApplication
from pexservice.http import conditions, idempotency, negotiation, origin
from pexservice.http.access import Access
from pexservice.http.action import Action, CommandAction, ReplyAction, StreamAction, turned_away
from pexservice.http.answer import Answer, Head, problem
from pexservice.http.clock import Clock
from pexservice.http.conditions import NO_MATCH, Verdict, judge, tag_of
from pexservice.http.endpoint import COMMAND, COMMAND_BY_GET_TOO, READ, Endpoint
from pexservice.http.feed import Feed
from pexservice.http.forms import MINIMAL, Body, Forms, check_body, variant
from pexservice.http.openapi import command_operations, event_operations, state_operations, with_get, with_page
from pexservice.http.request import Request
from pexservice.limits import Limits

_VARY: Final = "Accept, Prefer"
_MINIMAL: Final = {"Preference-Applied": "return=minimal", "Vary": _VARY}

_STREAM: Final = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # nginx hands on each event at once.
}


def _nothing(_sequence: int, _state: object) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Site(Generic[S, C]):
    """What the endpoints of a listener are made with."""

    engine: Engine[S, C]
    access: Access
    clock: Clock
    limits: Limits
    serving: Callable[[], int] = lambda: 1
    """Tells how many processes serve clients just now, for a page to show."""


@dataclass(frozen=True, slots=True)
class Resource(Generic[S, C]):
    """Makes the endpoints that show one machine's state in some forms. Raises WrongApplication if those are wrong."""

    site: Site[S, C]
    forms: Forms[S]
    page: str | None = None
    """Where a browser that posted a form is sent back to (303), relative to the commands; else it gets the state."""

    def __post_init__(self) -> None:
        self.forms.check(self.site.engine.machine.initial)

    def state(self, path: str, does: str) -> Endpoint:
        """Return the endpoint that reads the state."""
        return Endpoint(path, READ, does, self._read, state_operations(path, does))

    def events(self, path: str, does: str, data: Callable[[int, S], str]) -> Endpoint:
        """Return the endpoint that tells of each state as it comes to be. `data` writes an event's, as for `Feed`."""
        check_body(f"what writes the events of {path}", data, self.site.engine.machine.initial)
        feed = Feed(self.site.engine, self.site.limits, data, self.site.serving)
        return Endpoint(path, READ, does, partial(self._watch, feed), event_operations(path, does))

    def command(  # noqa: PLR0913 - what a row may say, and each by name.
        self,
        path: str,
        does: str,
        command: Callable[[Request], C],
        *,
        parameters: Sequence[Mapping[str, Any]] = (),
        problems: Mapping[int, str] | None = None,
        by_get_too: bool = False,
        is_remembered: bool = True,
    ) -> Endpoint:
        """Return an endpoint that has a command taken: what a function makes of the request. It may raise BadRequest.

        `parameters` and `problems` describe, for OpenAPI, what it reads of the query, and its own errors by status.
        It is taken by POST, and also by GET, which any link may have sent, if `by_get_too`. For the same bytes of a
        request the function is asked once; each time, for 15 us more, if not `is_remembered`: if it reads a clock.
        Raises WrongApplication if one of them is not what it must be.
        """
        if not callable(command):
            raise WrongApplication(f"what makes a command of a request to {path} is {command!r:.80}, and no function.")
        check_described(f"what describes the parameters of {path}", parameters, Sequence)
        check_described(f"what describes the problems of {path}", problems or {}, Mapping)
        operations = command_operations(
            path, does, needs_token=self.site.access.needs_token, parameters=parameters, problems=problems
        )
        if by_get_too:
            operations = with_get(operations)
        if self.page is not None:
            operations = with_page(operations)
        methods = COMMAND_BY_GET_TOO if by_get_too else COMMAND
        return Endpoint(path, methods, does, partial(self._take, command), operations, is_remembered=is_remembered)

    def _take(self, command: Callable[[Request], C], request: Request) -> Action:
        challenge = self.site.access.challenge(request)
        if challenge is not None:
            more = {"WWW-Authenticate": challenge.field}
            return turned_away(self.site.clock, request, challenge.status, challenge.detail, more)
        rejection = origin.rejection(request)
        if rejection is not None:
            return turned_away(self.site.clock, request, 403, rejection)
        key = idempotency.key_of(request)
        status, carries_value = 200, True
        body: Body[S] | None
        if negotiation.wants_minimal(request):
            status, body, carries_value = 204, None, False
            fields = _MINIMAL | {"Cache-Control": "no-store"}
        elif self.page is not None and request.method == "POST" and negotiation.wants_html(request):
            status, body, carries_value = 303, _nothing, False
            fields = {"Location": self.page, "Cache-Control": "no-store", "Vary": _VARY}
        else:
            form = negotiation.preferred(request, list(self.forms.bodies))
            body = self.forms.bodies[form]
            fields = {"Content-Type": form, "Cache-Control": "no-store", "Vary": _VARY}
        action = CommandAction(
            request,
            command(request),
            Head(self.site.clock, status, fields, request),
            self.forms.fields,
            body,
            closes=not request.keep_alive,
            carries_value=carries_value,
            terms=conditions.terms(request, [MINIMAL, *map(variant, self.forms.bodies)]),
        )
        return action if key is None else action.with_key(key)

    def _watch(self, feed: Feed[S], request: Request) -> Action:
        last_id = ",".join(request.values(b"last-event-id"))
        is_head = request.method == "HEAD"
        head = Head(self.site.clock, 200, _STREAM, request if is_head else None)

        def begin() -> Answer:
            place, data = feed.first(last_id)
            _, written = head.bare(self.forms.fields(place.sequence, place.state))
            return head, written if is_head else written + data

        closes = not request.keep_alive
        if is_head:
            return ReplyAction(request, begin, closes, reads=True)
        return StreamAction(request, feed, begin, closes)

    def _read(self, request: Request) -> Action:
        form = negotiation.preferred(request, list(self.forms.bodies))
        is_minimal = negotiation.wants_minimal(request)
        called = MINIMAL if is_minimal else variant(form)
        fields = {"Cache-Control": "no-cache", "Vary": _VARY}
        full = Head(self.site.clock, 200, {"Content-Type": form} | fields, request)
        minimal = Head(self.site.clock, 204, _MINIMAL | fields, request)
        unchanged = Head(self.site.clock, 304, fields, request)

        def render(place: Place[S]) -> Answer:
            etag = tag_of(place.sequence, self.site.engine.machine.tag(place.state), called)
            lines = f"{self.forms.fields(place.sequence, place.state)}ETag: {etag}\r\n"
            assert lines.isascii(), f"header fields and tags are ASCII (Forms.fields, Machine.tag): {lines!r}"
            verdict = judge(request, etag)
            if verdict is Verdict.FAILS:
                return problem(self.site.clock, request, 412, NO_MATCH, lines=lines)
            if verdict is Verdict.UNCHANGED:
                return unchanged.bare(lines)
            if is_minimal:
                return minimal.bare(lines)
            self.site.engine.check_room()
            body = self.forms.bodies[form](place.sequence, place.state)
            return full.with_body(body, lines, omit_body=request.method == "HEAD")

        kept: tuple[Place[S], str, Answer] | None = None

        def reply() -> Answer:
            nonlocal kept
            place, date = self.site.engine.place, self.site.clock.date
            if kept is not None and kept[0] is place and kept[1] is date:
                return kept[2]  # PERF: nothing changed within the second: 2 us less.
            answer = render(place)
            kept = (place, date, answer) if len(answer[1]) <= self.site.limits.memo_answer_bytes_max else None
            return answer

        return ReplyAction(request, reply, not request.keep_alive, reads=True)
