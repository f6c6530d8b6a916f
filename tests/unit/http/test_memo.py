"""Requests seen before."""

from dataclasses import replace

from pexservice.http.action import Action, ReplyAction
from pexservice.http.answer import Head
from pexservice.http.clock import Clock
from pexservice.http.memo import Memo
from pexservice.http.request import Request
from pexservice.limits import DEFAULT, Limits
from support.client import message


class Routed:
    """A memo, and the requests that it had routed."""

    def __init__(self, limits: Limits = DEFAULT) -> None:
        self.requests: list[bytes] = []
        self.memo = Memo(self._route, limits)

    def ask(self, head: bytes) -> Action:
        """Have a request amount to something."""
        return self.memo.action(self.memo.parse(head))

    def _route(self, request: Request) -> Action:
        self.requests.append(request.head)
        return ReplyAction(request, Head(Clock(), 204, {}, request).bare, closes=False)


def test_the_same_bytes_are_routed_once() -> None:
    """And amount to the same; other bytes, even of the same meaning, are judged by themselves."""
    routed = Routed()
    one, other = message("GET", "/a"), message("GET", "/a", "A: b")
    assert routed.ask(one) is routed.ask(one) is not routed.ask(other)
    assert routed.requests == [one, other]
    assert routed.memo.get(one) is routed.ask(one)


def test_a_request_with_a_body_is_routed_each_time() -> None:
    """Its head is not all there is to it."""
    routed = Routed()
    head = message("POST", "/a", "Content-Length: 3")
    assert routed.ask(head) is not routed.ask(head)
    assert routed.memo.get(head) is None


def test_memory_is_bounded() -> None:
    """In the number of requests and in the size of each."""
    routed = Routed(replace(DEFAULT, memo_requests_max=3, memo_request_bytes_max=1024))
    routed.ask(message("GET", "/" + "a" * 1024))
    heads = [message("GET", f"/{number}") for number in range(10)]
    for head in heads:
        routed.ask(head)
        assert sum(routed.memo.get(each) is not None for each in heads) <= 3
        assert routed.memo.get(head) is not None
    assert routed.memo.get(routed.requests[0]) is None
