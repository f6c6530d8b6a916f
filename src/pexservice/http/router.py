"""From a request to an action: which path, which method.

What depends on the request alone is decided here and in the endpoints, once for the same bytes; what depends on the
time at which it is carried out is left to the action.
"""

from collections.abc import Sequence
from typing import Final

from pexservice.core.machine import CLIENT_STATUSES
from pexservice.errors import BadRequest, WrongApplication
from pexservice.http import idempotency
from pexservice.http.action import Action, ReplyAction, turned_away
from pexservice.http.answer import Head
from pexservice.http.clock import Clock
from pexservice.http.endpoint import READ, Endpoint
from pexservice.http.request import Request

_FIRST: Final = ("GET", "HEAD", "POST")
"""In `Allow`; other methods follow as the table has them."""


class Router:
    """Turns the requests to one listener into actions."""

    def __init__(self, clock: Clock, endpoints: Sequence[Endpoint]) -> None:
        """Take a table, of one row for each path. Raises WrongApplication if it is none."""
        self._clock = clock
        self._endpoints: dict[str, Endpoint] = {}
        for number, endpoint in enumerate(endpoints, 1):
            if not isinstance(endpoint, Endpoint):
                raise WrongApplication(
                    f"row {number} of its endpoints is {endpoint!r:.80}: a row is what Resource.state, command and "
                    "events return."
                )
            if endpoint.path in self._endpoints:
                raise WrongApplication(f"its endpoints have two rows with the path {endpoint.path}. Leave one out.")
            self._endpoints[endpoint.path] = endpoint
        methods = dict.fromkeys(method for endpoint in endpoints for method in endpoint.methods)
        first = [method for method in _FIRST if method in methods]
        self._allow_any = ", ".join(dict.fromkeys([*first, *methods, "OPTIONS"]))

    def remembers(self, request: Request) -> bool:
        """Tell whether the same bytes always amount to what this request amounts to."""
        endpoint = self._endpoints.get(request.path)
        return endpoint is None or endpoint.is_remembered

    def action(self, request: Request) -> Action:
        """Return what a request amounts to; a request that is turned away amounts to the answer that says so."""
        if request.path == "*":
            return self._options(request, self._allow_any)
        endpoint = self._endpoints.get(request.path)
        if endpoint is None:
            known = ", ".join(sorted(self._endpoints))
            return turned_away(self._clock, request, 404, f"There is nothing here. What there is: {known}.")
        if request.method in endpoint.methods:
            try:
                if endpoint.methods == READ:
                    idempotency.check_none(request)
                return endpoint.action(request)
            except BadRequest as error:
                if error.status not in CLIENT_STATUSES:  # Clients would ask again, or take it for done.
                    raise
                return turned_away(self._clock, request, error.status, error.detail)
        if request.method == "OPTIONS":
            return self._options(request, endpoint.allow)
        detail = f"{request.path} takes {endpoint.allow}. Ask with one of these."
        return turned_away(self._clock, request, 405, detail, {"Allow": endpoint.allow})

    def _options(self, request: Request, allow: str) -> ReplyAction:
        return ReplyAction(request, Head(self._clock, 204, {"Allow": allow}, request).bare, not request.keep_alive)
