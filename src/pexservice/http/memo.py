"""Requests seen before.

The idea: a client that keeps asking sends the same bytes again and again, and so does the next one. What a strict
parse of a head amounted to is looked up by those very bytes. The parser stays the only judge: only what it read as a
whole request, without a body, is remembered.

A key is another one in each request, so it is cut out: what is remembered, and looked up, is the request without it.

PERF: a look-up costs 0.1 us; parsing, routing and negotiating cost 15 us.
"""

from collections.abc import Callable
from typing import Any

from pexservice.http import idempotency
from pexservice.http.action import Action, CommandAction
from pexservice.http.request import Request, parse_head
from pexservice.limits import DEFAULT, Limits


class Memo:
    """A bounded map from the bytes of requests to the actions that they amount to."""

    def __init__(
        self,
        route: Callable[[Request], Action],
        limits: Limits = DEFAULT,
        remembers: Callable[[Request], bool] = lambda _: True,
    ) -> None:
        """`route` tells what a request amounts to, and `remembers` whether that is so each time."""
        self._route = route
        self._remembers = remembers
        self._limits = limits
        self._actions: dict[bytes, Action] = {}
        self._commands: dict[bytes, CommandAction[Any, Any]] = {}
        """Those of them that have a command, and room for one more header field."""
        self._usual: tuple[bytes, bytes, CommandAction[Any, Any]] | None = None
        """What was last around a key, and what it amounts to without."""
        self.get = self._actions.get
        """Return the action that bytes amount to, or None if they were not seen before."""

    def parse(self, head: bytes) -> Request:
        """As `parse_head`."""
        action = self.get(head)
        return action.request if action is not None and action.request is not None else parse_head(head, self._limits)

    def action(self, request: Request) -> Action:
        """Return what a request amounts to, and remember it if that is all there was to it."""
        action = self.get(request.head)
        if action is None:
            action = self._route(request)
            is_all = not request.has_body and len(request.head) <= self._limits.memo_request_bytes_max
            if not is_all or not self._remembers(request):
                return action
            if not idempotency.is_given(request):
                self._remember(request.head, action)
            elif isinstance(action, CommandAction):
                self._remember_without_key(request.head)
        return action

    def keyed(self, head: bytes) -> Action | None:
        """Return the action that bytes amount to, if all but a key in them was seen before.

        PERF: what is around the key is most often what was around the one before: 0.7 us less than to look for it.
        """
        usual = self._usual
        if usual is not None:
            before, behind, action = usual
            if head.startswith(before) and head.endswith(behind):
                key = head[len(before) : len(head) - len(behind)]
                if idempotency.is_plain(key):
                    return action.with_key(key)
        cut = idempotency.cut(head)
        known = None if cut is None else self._commands.get(cut.without)
        if cut is None or known is None:
            return None
        self._usual = cut.before, cut.behind, known
        return known.with_key(cut.key)

    def _remember_without_key(self, head: bytes) -> None:
        """Remember what a valid request with a key would amount to without it."""
        cut = idempotency.cut(head)
        if cut is not None and cut.without not in self._actions:
            request = parse_head(cut.without, self._limits)
            self._remember(request.head, self._route(request))

    def _remember(self, head: bytes, action: Action) -> None:
        if len(self._actions) >= self._limits.memo_requests_max:
            self._actions.clear()  # The requests that matter are back at once.
            self._commands.clear()
            self._usual = None
        self._actions[head] = action
        # One line's end is that of the request line, and one ends the head.
        if isinstance(action, CommandAction) and head.count(b"\r\n") <= self._limits.header_fields_max:
            self._commands[head] = action
