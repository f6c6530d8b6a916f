"""Endpoints that answer with a text: probes, metrics, descriptions."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from pexservice.errors import NotApplied
from pexservice.http.action import Action, ReplyAction, turned_away
from pexservice.http.answer import Answer, Head, not_applied
from pexservice.http.clock import Clock
from pexservice.http.conditions import NO_MATCH, Verdict, judge
from pexservice.http.endpoint import READ, Endpoint
from pexservice.http.openapi import text_operations
from pexservice.http.request import Request

PLAIN: Final = "text/plain"
_PROMETHEUS: Final = "text/plain; version=0.0.4; charset=utf-8"
_FOR_CACHES: Final = ("Cache-Control", "Vary")


@dataclass(frozen=True, slots=True)
class Text:
    """A text and what HTTP is told of it. `make` may raise NotApplied."""

    make: Callable[[], str]
    media_type: str = PLAIN
    fields: Mapping[str, str] | None = None
    is_judged: bool = False
    """Whether preconditions are judged. Probes and scrapers are answered whatever they make it depend on."""

    def endpoint(self, clock: Clock, path: str, does: str, *, is_listed: bool = True) -> Endpoint:
        """Return the endpoint that answers with it."""
        operations = text_operations(path, does, self.media_type.partition(";")[0], is_judged=self.is_judged)
        return Endpoint(path, READ, does, lambda request: self.action(clock, request), operations, is_listed=is_listed)

    def action(self, clock: Clock, request: Request) -> Action:
        """Return the action that answers with it."""
        fields = {"Content-Type": self.media_type, "Cache-Control": "no-cache"} | dict(self.fields or {})
        if self.is_judged:
            unheld = unless_held(clock, request, fields)
            if unheld is not None:
                return unheld
        head = Head(clock, 200, fields, request)
        return ReplyAction(
            request, lambda: head.with_body(self.make(), omit_body=request.method == "HEAD"), not request.keep_alive
        )


def unless_held(clock: Clock, request: Request, fields: Mapping[str, str]) -> ReplyAction | None:
    """Return the answer to a request whose preconditions do not hold for something without a tag.

    `fields` are those of a 200: a 304 has what there is among them for caches (RFC 9110, 15.4.5).
    """
    verdict = judge(request, None)
    if verdict is Verdict.HOLDS:
        return None
    if verdict is Verdict.FAILS:
        return turned_away(clock, request, 412, NO_MATCH)
    for_caches = {name: value for name, value in fields.items() if name in _FOR_CACHES}
    reply = Head(clock, 304, for_caches, request).bare
    return ReplyAction(request, reply, not request.keep_alive)


def probes(
    clock: Clock, unready: Callable[[], NotApplied | None], metrics: Callable[[], str]
) -> tuple[Endpoint, Endpoint, Endpoint]:
    """Return what machines ask that watch the service: is it alive, does it take commands, its metrics.

    `unready` tells why it takes none, if so; `metrics` gives the exposition.
    """
    ok = Text(lambda: "ok\n")

    def readiness(request: Request) -> Action:
        ready = ok.action(clock, request)
        assert isinstance(ready, ReplyAction)

        def reply() -> Answer:
            reason = unready()
            return ready.reply() if reason is None else not_applied(clock, request, reason)

        return ReplyAction(request, reply, ready.closes)

    does = "does it take steps"
    return (
        ok.endpoint(clock, "/livez", "is the process alive"),
        Endpoint("/readyz", READ, does, readiness, text_operations("/readyz", does, PLAIN, problems=["503"])),
        Text(metrics, _PROMETHEUS).endpoint(clock, "/metrics", "counts for Prometheus"),
    )
