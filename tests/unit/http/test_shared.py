"""What all connections of a server make of what they read."""

from pexservice.errors import BadRequest
from pexservice.http.action import CommandAction, ContinueAction, ReplyAction
from pexservice.http.reader import WantsContinue
from pexservice.http.request import parse_head
from support.messages import NEXT
from support.wire import Wire


def test_whatever_was_read_amounts_to_an_action() -> None:
    """A request to what it asks for, one that was cut short to a word to go on, and what is none to a last answer."""
    shared = Wire().shared
    assert isinstance(shared.action(parse_head(NEXT)), CommandAction)
    assert isinstance(shared.action(WantsContinue()), ContinueAction)
    last = shared.action(BadRequest(400, "It is no request."))
    assert isinstance(last, ReplyAction)
    assert last.closes
    assert last.reply()[1].startswith(b"HTTP/1.1 400 ")
