"""What HTTP makes of a machine that it knows nothing of: here a counter that refuses to pass its limit."""

import json
from typing import Any, cast

import pytest

from pexservice.core.budget import Budget
from pexservice.core.judging import Place, judge
from pexservice.errors import AnswersUnsent, BadRequest
from pexservice.http.access import Access
from pexservice.http.action import Action, CommandAction, ReplyAction
from pexservice.http.clock import Clock
from pexservice.http.forms import Forms
from pexservice.http.memo import Memo
from pexservice.http.request import Request, parse_head
from pexservice.http.resource import Resource, Site
from pexservice.http.router import Router
from pexservice.limits import DEFAULT
from support.client import message
from support.machines import COUNTER

FORMS: Forms[tuple[int, int]] = Forms(
    lambda sequence, state: f"Pex-Sequence: {sequence}\r\nCount: {state[0]}\r\n",
    {
        "application/json": lambda _, state: json.dumps(state[0]),
        "text/plain": lambda sequence, state: f"{state[0]} after {sequence}\n",
    },
    headers={},
    schemas={},
)


class Standing:
    """As `Engine`, as far as a read asks it: stands somewhere, and may have no room."""

    def __init__(self) -> None:
        self.machine = COUNTER
        self.place = Place(3, (8, 2))
        self.budget = Budget(0)

    def check_room(self) -> None:
        """As `Engine.check_room`."""
        if not self.budget.has_room_for(0):
            raise AnswersUnsent


def amount(request: Request) -> int:
    """Read the command off the query."""
    if not request.query.startswith("by="):
        raise BadRequest(422, "Say by how much: ?by=1")
    return int(request.query.removeprefix("by="))


class Counting:
    """The endpoints of a counter, and their answers."""

    def __init__(self, page: str | None = None) -> None:
        self.engine = Standing()
        self.clock = Clock()
        site: Site[tuple[int, int], int] = Site(cast("Any", self.engine), Access(()), self.clock, DEFAULT)
        self.resource = resource = Resource(site, FORMS, page)
        self.read = resource.state("/count", "the count")
        self.add = resource.command("/add", "adds", amount)

    def got(self, *fields: str, method: str = "GET") -> str:
        """Return the answer to a read."""
        action = self.read.action(parse_head(message(method, "/count", *fields)))
        assert isinstance(action, ReplyAction)
        return action.reply()[1].decode()

    def adding(self, *fields: str, by: str = "by=1", method: str = "POST") -> Action:
        """Return what a command amounts to."""
        return self.add.action(parse_head(message(method, f"/add?{by}", *fields)))


def test_the_state_is_read_in_the_form_that_is_preferred() -> None:
    """The first serves whoever does not care; each form has a tag of its own, made of sequence and state."""
    counting = Counting()
    assert counting.got().endswith('ETag: "3-8.2-json"\r\nContent-Length: 1\r\n\r\n8')
    assert counting.got("Accept: text/plain").endswith('ETag: "3-8.2-plain"\r\nContent-Length: 10\r\n\r\n8 after 3\n')
    assert counting.got(method="HEAD").endswith("Content-Length: 1\r\n\r\n")
    minimal = counting.got("Prefer: return=minimal")
    assert minimal.startswith("HTTP/1.1 204 ")
    assert "Pex-Sequence: 3\r\nCount: 8\r\n" in minimal


def test_a_read_is_conditional() -> None:
    """Unchanged is said without a body, another state than expected with the tag that it has now."""
    counting = Counting()
    assert counting.got('If-None-Match: "3-8.2-json"').startswith("HTTP/1.1 304 ")
    assert counting.got('If-Match: "3-8.2-json"').startswith("HTTP/1.1 200 ")
    failed = counting.got('If-Match: "2-7.1-json"')
    assert failed.startswith("HTTP/1.1 412 ")
    assert 'ETag: "3-8.2-json"\r\n' in failed


def test_what_is_read_is_what_stands_there_now() -> None:
    """An action is kept and carried out again, and shows the state and the date of then."""
    counting = Counting()
    action = counting.read.action(parse_head(message("GET", "/count")))
    assert isinstance(action, ReplyAction)
    first = action.reply()
    assert action.reply() is first, "the same place in the same second is rendered once"
    counting.engine.place = Place(4, (9, 3))
    assert action.reply()[1].endswith(b"\r\n\r\n9")
    counting.clock.date = "another date"
    assert b"Date: another date\r\n" in action.reply()[1]


def test_a_value_that_finds_no_room_is_turned_away() -> None:
    """What carries none is not."""
    counting = Counting()
    counting.engine.budget.take(1)
    with pytest.raises(AnswersUnsent):
        counting.got()
    assert counting.got("Prefer: return=minimal").startswith("HTTP/1.1 204 ")


def test_a_command_is_made_of_the_request() -> None:
    """And answered with the state that it led to, or, if the machine refused it, with the machine's reason."""
    action = Counting().adding(by="by=2")
    assert isinstance(action, CommandAction)
    judged = judge(COUNTER, Place(3, (8, 2)), [action.command, action.command])
    taken = action.render(4, judged.states[0])[1]
    assert taken.startswith(b"HTTP/1.1 200 ")
    assert taken.endswith(b"\r\nPex-Sequence: 4\r\nCount: 10\r\nContent-Length: 2\r\n\r\n10")
    refused = action.render_refusal(4, judged.states[1], judged.refusals[1])[1].decode()
    assert refused.startswith("HTTP/1.1 409 ")
    assert "\r\nPex-Sequence: 4\r\nCount: 10\r\n" in refused
    assert "limit-reached" in refused


def test_a_command_without_a_value_is_answered_by_fields() -> None:
    """It needs no room for one."""
    action = Counting().adding("Prefer: return=minimal")
    assert isinstance(action, CommandAction)
    assert not action.carries_value
    assert action.render(4, (9, 3))[1].endswith(b"Pex-Sequence: 4\r\nCount: 9\r\n\r\n")


@pytest.mark.parametrize(
    ("page", "method", "fields", "status"),
    [
        ("./", "POST", ["Accept: text/html, */*;q=0.8"], 303),
        ("./", "POST", ["Accept: text/html, */*;q=0.8", "Prefer: return=minimal"], 204),
        ("./", "GET", ["Accept: text/html, */*;q=0.8"], 200),
        ("./", "POST", ["Accept: */*"], 200),
        (None, "POST", ["Accept: text/html, */*;q=0.8"], 200),
    ],
)
def test_a_form_is_sent_back_to_its_page(page: str | None, method: str, fields: list[str], status: int) -> None:
    """If there is one, and a browser posts: the command is taken, and the answer has no value and needs no room."""
    action = Counting(page).adding(*fields, method=method)
    assert isinstance(action, CommandAction)
    head, answer = action.render(4, (9, 3))
    assert head.status == status
    assert action.carries_value == (status == 200)
    if status == 303:
        assert b"\r\nLocation: ./\r\nCache-Control: no-store\r\n" in answer
        assert answer.endswith(b"\r\nPex-Sequence: 4\r\nCount: 9\r\nContent-Length: 0\r\n\r\n")


@pytest.mark.parametrize(
    ("fields", "method", "status"),
    [
        (["Sec-Fetch-Site: cross-site"], "GET", 403),
        (["Sec-Purpose: prefetch"], "GET", 403),
        (["Origin: http://elsewhere"], "POST", 403),
    ],
)
def test_a_command_that_nobody_meant_is_none(fields: list[str], method: str, status: int) -> None:
    """Of browsers that fetch ahead or act for pages of other sites."""
    action = Counting().adding(*fields, method=method)
    assert isinstance(action, ReplyAction)
    assert action.reply()[0].status == status


def test_a_request_of_which_no_command_can_be_made_is_wrong() -> None:
    """The function that reads it says so."""
    with pytest.raises(BadRequest, match="Say by how much"):
        Counting().adding(by="to=9")


@pytest.mark.parametrize("by_get_too", [False, True])
def test_a_command_is_by_post_unless_told(by_get_too: bool) -> None:  # noqa: FBT001
    """Whoever follows a link has nothing taken: `Allow` and OpenAPI say so, too."""
    counting = Counting()
    endpoint = counting.resource.command("/add", "adds", amount, by_get_too=by_get_too)
    methods = ["GET", "POST"] if by_get_too else ["POST"]
    assert endpoint.allow == ", ".join([*methods, "OPTIONS"])
    assert {method.upper() for method in endpoint.operations} == set(methods)
    action = Router(counting.clock, [endpoint]).action(parse_head(message("GET", "/add?by=1")))
    assert isinstance(action, CommandAction) == by_get_too
    if isinstance(action, ReplyAction):
        assert action.reply()[1].startswith(b"HTTP/1.1 405 ")


def test_a_command_that_reads_a_clock_is_not_remembered() -> None:
    """Neither what it amounts to, nor that it was turned away: at another time it is another command."""
    counting = Counting()
    times = iter([1, 2, 3])

    def now(_: Request) -> int:
        time = next(times)
        if time == 1:
            raise BadRequest(400, "Too early.")
        return time

    endpoint = counting.resource.command("/now", "adds the time", now, is_remembered=False)
    router = Router(counting.clock, [endpoint])
    memo = Memo(router.action, remembers=router.remembers)
    actions = [memo.action(memo.parse(message("POST", "/now"))) for _ in range(3)]
    assert [action.command for action in actions if isinstance(action, CommandAction)] == [2, 3]
    assert memo.action(memo.parse(message("POST", "/"))) is memo.get(message("POST", "/"))
