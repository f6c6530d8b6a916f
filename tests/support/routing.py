"""The endpoints of the walk, and what their router answers, without connections."""

from typing import Any

from pexservice.core.budget import Budget
from pexservice.core.engine import Engine
from pexservice.core.metrics import Metrics
from pexservice.errors import NotApplied
from pexservice.http.access import Access
from pexservice.http.action import ReplyAction
from pexservice.http.clock import Clock
from pexservice.http.endpoint import Endpoint
from pexservice.http.request import Request, parse_head
from pexservice.http.resource import Site
from pexservice.http.router import Router
from pexservice.http.text import probes
from pexservice.limits import DEFAULT
from pexservice.walk.endpoints import endpoints
from pexservice.walk.machine import WALK

CLOCK = Clock()


def request(line: str, fields: str = "") -> Request:
    """Return the request that a head amounts to."""
    return parse_head(f"{line} HTTP/1.1\r\nHost: a\r\n{fields}\r\n".encode())


def table(*, needs_token: bool = False, unready: NotApplied | None = None) -> list[Endpoint]:
    """Return the endpoints of the walk and the probes, on an engine without a store."""
    engine: Engine[Any, Any] = Engine(WALK, Metrics(), Budget(1), DEFAULT)
    access = Access([b"a" * 22] if needs_token else [])
    return endpoints(Site(engine, access, CLOCK, DEFAULT), probes(CLOCK, lambda: unready, lambda: "pex 1\n"))


def reply(router: Router, line: str, fields: str = "") -> bytes:
    """Return the answer to a request that takes no command."""
    action = router.action(request(line, fields))
    assert isinstance(action, ReplyAction)
    return action.reply()[1]
