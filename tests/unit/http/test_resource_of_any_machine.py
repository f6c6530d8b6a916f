"""The endpoints of a state: what does not depend on the machine."""

import re

import pytest

from pexservice.core.budget import Budget
from pexservice.core.engine import Engine
from pexservice.core.keys import Tag, Terms
from pexservice.core.metrics import Metrics
from pexservice.http.access import Access
from pexservice.http.action import CommandAction, ReplyAction
from pexservice.http.forms import Forms
from pexservice.http.resource import Resource, Site
from pexservice.limits import DEFAULT
from pexservice.walk.machine import WALK
from pexservice.walk.steps import NEXT, Step
from support.engine_scenes import Asked, Caller, play
from support.memory_store import MemoryStore
from support.routing import CLOCK, request


def resource(engine: Engine[int, Step], name: str) -> Resource[int, Step]:
    """Return the walk's state with a name in a header field."""
    forms = Forms[int](lambda *_: f"Name: {name}\r\n", {"text/plain": lambda *_: f"{name}\n"}, {}, {})
    return Resource(Site(engine, Access([]), CLOCK, DEFAULT), forms)


def test_a_header_field_of_more_than_ascii_is_a_defect_at_the_first_read() -> None:
    """And it says where to look."""
    names = {0: "Zoe", 1: "Zo\u00eb"}
    forms = Forms[int](lambda _, at: f"Name: {names[at]}\r\n", {"text/plain": lambda _, at: f"{names[at]}\n"}, {}, {})

    async def scenario(engine: Engine[int, Step], caller: Caller) -> None:
        action = (
            Resource(Site(engine, Access([]), CLOCK, DEFAULT), forms).state("/here", "").action(request("GET /here"))
        )
        assert isinstance(action, ReplyAction)
        assert action.reply()[1].endswith(b"\r\n\r\nZoe\n")
        engine.submit(Asked(), caller)
        await engine.drained()
        with pytest.raises(AssertionError, match=r"Forms\.fields"):
            action.reply()

    play(scenario, MemoryStore(WALK))


@pytest.mark.parametrize(
    ("fields", "terms"),
    [
        ("", None),
        ("If-Match: *\r\n", None),
        ('If-Match: "3-4-plain"\r\n', Terms(match=frozenset({Tag(3, "4")}))),
        ('If-Match: "3-4-minimal", "5-6-plain"\r\n', Terms(match=frozenset({Tag(3, "4"), Tag(5, "6")}))),
        ('If-Match: "3-4-json"\r\n', Terms(match=frozenset())),
        ('If-Match: W/"3-4-plain"\r\n', Terms(match=frozenset())),
        ('If-Match: "03-4-plain"\r\n', Terms(match=frozenset())),
        ("If-Match:\r\n", Terms(match=frozenset())),
        ('If-Match: "a", *\r\n', Terms(match=frozenset())),
        ('If-None-Match: "a"\r\n', None),
        ('If-None-Match: W/"3-4-plain"\r\n', Terms(none_match=frozenset({Tag(3, "4")}))),
        ("If-None-Match: *\r\n", Terms(match=frozenset())),
        ('If-Match: "3-4-plain"\r\nIf-None-Match: *\r\n', Terms(match=frozenset())),
        ("If-None-Match: *\r\nIdempotency-Key: k\r\n", Terms(b"k", frozenset())),
        ("Idempotency-Key: k\r\n", Terms(b"k")),
        ('If-Match: "3-4-plain"\r\nIdempotency-Key: k\r\n', Terms(b"k", frozenset({Tag(3, "4")}))),
    ],
)
def test_a_command_on_a_condition_is_judged_at_its_turn(fields: str, terms: Terms | None) -> None:
    """What a tag names goes with it, whatever the form that was read; one that no read gave names no state."""
    engine = Engine[int, Step](WALK, Metrics(), Budget(1), DEFAULT)
    action = resource(engine, "a").command("/up", "", lambda _: NEXT).action(request("POST /up", fields))
    assert isinstance(action, CommandAction)
    assert action.terms == terms


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-ndjson", "application/vnd.a-b.c-d+json"])
@pytest.mark.parametrize("seen", ["If-Match", "If-None-Match"])
def test_the_tag_of_a_read_names_the_state_for_a_command(media_type: str, seen: str) -> None:
    """Whatever is in the name of the media type that was read: it is a part of the tag."""
    forms = Forms[int](lambda *_: "", {media_type: lambda *_: "a\n"}, {}, {})

    async def scenario(engine: Engine[int, Step], _: Caller) -> None:
        here = Resource(Site(engine, Access([]), CLOCK, DEFAULT), forms)
        read = here.state("/here", "").action(request("GET /here"))
        assert isinstance(read, ReplyAction)
        (tag,) = re.findall(r'\r\nETag: ("[^"]+")\r\n', read.reply()[1].decode("ascii"))
        action = here.command("/up", "", lambda _: NEXT).action(request("POST /up", f"{seen}: {tag}\r\n"))
        assert isinstance(action, CommandAction)
        assert action.terms is not None
        assert action.terms.hold(Tag(0, WALK.tag(0))) is (seen == "If-Match")

    play(scenario, MemoryStore(WALK))


def test_a_replay_says_so() -> None:
    """In the form that is asked for now, with or without a body."""
    engine = Engine[int, Step](WALK, Metrics(), Budget(1), DEFAULT)
    for fields, end in (("", b"\r\n\r\na\n"), ("Prefer: return=minimal\r\n", b"\r\n\r\n")):
        action = resource(engine, "a").command("/up", "", lambda _: NEXT).action(request("POST /up", fields))
        assert isinstance(action, CommandAction)
        answer = action.render_replay(3, 2)[1]
        assert answer.endswith(end)
        assert answer.replace(b"Idempotency-Replayed: true\r\n", b"") == action.render(3, 2)[1]
