"""Requests seen before."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from pexservice.core.keys import Terms
from pexservice.http.action import Action, CommandAction, ReplyAction
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
        self.memo = Memo(self._route, limits, lambda request: request.path != "/now")

    def ask(self, head: bytes) -> Action:
        """Have a request amount to something."""
        return self.memo.action(self.memo.parse(head))

    def _route(self, request: Request) -> Action:
        self.requests.append(request.head)
        if request.path == "/step":
            head = Head(Clock(), 204, {}, request)
            return CommandAction(request, 0, head, lambda *_: "", None, closes=False, carries_value=False)
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


def test_what_is_not_remembered_is_routed_each_time() -> None:
    """With a key or without: what its bytes amount to changes with the time."""
    routed = Routed()
    for fields in ((), ("Idempotency-Key: k",)):
        head = message("POST", "/now", *fields)
        assert routed.ask(head) is not routed.ask(head)
        assert routed.memo.get(head) is routed.memo.keyed(head) is None
    assert len(routed.requests) == 4


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


def test_a_key_is_no_part_of_what_is_remembered() -> None:
    """Whoever sent the rest before, with another key or with none, has the rest known."""
    routed = Routed()
    assert routed.memo.keyed(message("POST", "/step", "Idempotency-Key: a")) is None
    routed.ask(message("POST", "/step", "Idempotency-Key: a", "A: b"))
    for key in ('"b"', "a"):
        action = routed.memo.keyed(message("POST", "/step", f"Idempotency-Key: {key}", "A: b"))
        assert isinstance(action, CommandAction)
        assert action.terms == Terms(key.strip('"').encode())
    plain = routed.memo.get(message("POST", "/step", "A: b"))
    assert isinstance(plain, CommandAction)
    assert plain.terms is None
    routed.ask(message("POST", "/step", "Idempotency-Key: c", "A: b"))
    assert [b"Idempotency-Key" in head for head in routed.requests] == [True, False, True]


@given(st.text(st.sampled_from('ab"\\ \t,~\x7f\x80\r'), max_size=6), st.sampled_from(["{}", '"{}"']))
def test_what_was_around_the_last_key_tells_no_more_than_a_search(value: str, form: str) -> None:
    """Whatever stands where a key stood is taken for what it is by who sees such a request for the first time."""
    first, used = Routed(), Routed()
    head = message("POST", "/step", f"Idempotency-Key: {form.format(value)}", "A: b")
    for routed in (first, used):
        routed.ask(message("POST", "/step", "A: b"))
    used.memo.keyed(message("POST", "/step", f"Idempotency-Key: {form.format('c')}", "A: b"))
    actions = used.memo.keyed(head), first.memo.keyed(head)
    terms = [action.terms if isinstance(action, CommandAction) else None for action in actions]
    assert terms[0] == terms[1]


def test_only_a_command_has_its_key_looked_up() -> None:
    """A read, what is malformed, has two keys, or one field too many, is judged as a whole."""
    routed = Routed(replace(DEFAULT, header_fields_max=3))
    for head in (message("GET", "/a"), message("POST", "/step"), message("POST", "/step", "A: b", "B: c")):
        routed.ask(head)
    assert routed.memo.keyed(message("POST", "/step", "Idempotency-Key: a")) is not None
    for fields in (["A: b", "B: c", "Idempotency-Key: a"], ["Idempotency-Key: a", "Idempotency-Key: a"], []):
        assert routed.memo.keyed(message("POST", "/step", *fields)) is None
    assert routed.memo.keyed(message("GET", "/a", "Idempotency-Key: a")) is None
    routed.ask(message("GET", "/a", "Idempotency-Key: a"))
    assert routed.memo.get(message("GET", "/a", "Idempotency-Key: a")) is None


def test_a_key_behind_a_request_is_none_of_it() -> None:
    """There another request begins, as it does for who sends the same bytes for the first time."""
    routed = Routed()
    routed.ask(message("POST", "/step"))
    assert routed.memo.keyed(message("POST", "/step") + b"Idempotency-Key: a\r\n") is None
    assert routed.memo.keyed(message("POST", "/step", "Idempotency-Key: a")) is not None
