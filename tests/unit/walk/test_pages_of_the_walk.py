"""The page at /, which is made from the table of endpoints."""

import re
from typing import Any

import pytest

from pexservice.core.engine import Engine
from pexservice.http.access import Access
from pexservice.http.action import ReplyAction
from pexservice.http.resource import Site
from pexservice.http.router import Router
from pexservice.limits import DEFAULT
from pexservice.walk.endpoints import endpoints
from pexservice.walk.machine import WALK
from support.engine_scenes import Caller, play
from support.memory_store import MemoryStore
from support.routing import CLOCK, request


@pytest.mark.parametrize("accept", ["text/plain", "text/html"])
@pytest.mark.parametrize("tokens", [[], [b"a" * 22]])
def test_the_page_names_what_there_is(accept: str, tokens: list[bytes]) -> None:
    """Every path but its own, where the walk stands, and whether a step needs a token."""

    async def scenario(engine: Engine[Any, Any], _: Caller) -> None:
        rows = endpoints(Site(engine, Access(tokens), CLOCK, DEFAULT), [])
        action = Router(CLOCK, rows).action(request("GET /", f"Accept: {accept}\r\n"))
        assert isinstance(action, ReplyAction)
        body = action.reply()[1].partition(b"\r\n\r\n")[2].decode()
        assert all(row.path in body for row in rows)
        assert ("needs a token" in body) == bool(tokens)
        assert not {"{position}", "{sequence}", "{version}", "{note}", "{disabled}"} & set(re.findall(r"\{\w+\}", body))
        assert f"Content-Type: {accept}".encode() in action.reply()[1]

    play(scenario, MemoryStore(WALK))
