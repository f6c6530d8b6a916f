"""The endpoints of a state: what does not depend on the machine."""

import pytest

from pexservice.core.budget import Budget
from pexservice.core.engine import Engine
from pexservice.core.metrics import Metrics
from pexservice.http.access import Access
from pexservice.http.action import CommandAction, ReplyAction
from pexservice.http.forms import Forms
from pexservice.http.resource import Resource, Site
from pexservice.limits import DEFAULT
from pexservice.walk.machine import WALK
from pexservice.walk.steps import NEXT, Step
from support.engine_scenes import Caller, play
from support.memory_store import MemoryStore
from support.routing import CLOCK, request


def resource(engine: Engine[int, Step], name: str) -> Resource[int, Step]:
    """Return the walk's state with a name in a header field."""
    forms = Forms[int](lambda *_: f"Name: {name}\r\n", {"text/plain": lambda *_: f"{name}\n"}, str, {}, {})
    return Resource(Site(engine, Access([]), CLOCK, DEFAULT), forms)


def test_a_header_field_of_more_than_ascii_is_a_defect_at_the_first_read() -> None:
    """And it says where to look."""

    async def scenario(engine: Engine[int, Step], _: Caller) -> None:
        for name, is_ascii in (("Zoe", True), ("Zo\u00eb", False)):
            action = resource(engine, name).state("/here", "").action(request("GET /here"))
            assert isinstance(action, ReplyAction)
            if is_ascii:
                assert action.reply()[1].endswith(b"\r\n\r\nZoe\n")
            else:
                with pytest.raises(AssertionError, match=r"Forms\.fields"):
                    action.reply()

    play(scenario, MemoryStore(WALK))


@pytest.mark.parametrize(
    ("fields", "is_taken"),
    [
        ("", True),
        ("If-Match: *\r\n", True),
        ('If-Match: "a"\r\n', False),
        ("If-Match:\r\n", False),
        ('If-Match: "a", *\r\n', False),
        ("If-None-Match: *\r\n", False),
        ('If-None-Match: "a"\r\n', False),
        ('If-Match: *\r\nIf-None-Match: "a"\r\n', False),
    ],
)
def test_a_command_on_a_condition_is_not_taken(fields: str, is_taken: bool) -> None:  # noqa: FBT001
    """What cannot be judged at its turn is refused, but for the one condition that always holds."""
    engine = Engine[int, Step](WALK, Metrics(), Budget(1), DEFAULT)
    action = resource(engine, "a").command("/up", "", lambda _: NEXT).action(request("POST /up", fields))
    assert isinstance(action, CommandAction) == is_taken
    if isinstance(action, ReplyAction):
        head, answer = action.reply()
        assert (head.status, answer.count(b"No step was taken.")) == (412, 1)
