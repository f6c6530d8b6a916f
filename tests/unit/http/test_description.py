"""A table of endpoints that describes itself."""

import json

from pexservice.core.budget import Budget
from pexservice.core.engine import Engine
from pexservice.core.metrics import Metrics
from pexservice.http.access import Access
from pexservice.http.description import described
from pexservice.http.resource import Resource, Site
from pexservice.http.router import Router
from pexservice.limits import DEFAULT
from pexservice.walk.fibonacci import Walker
from pexservice.walk.forms import forms
from pexservice.walk.machine import WALK
from pexservice.walk.steps import Step
from support.routing import CLOCK, reply


def test_a_table_describes_itself() -> None:
    """The description has the given title, each row, and itself."""
    engine = Engine[int, Step](WALK, Metrics(), Budget(1), DEFAULT)
    resource = Resource(Site(engine, Access([]), CLOCK, DEFAULT), forms(Walker()))
    table = described(resource, {"title": "t", "version": "1"}, [resource.state("/here", "where it is")])
    document = json.loads(reply(Router(CLOCK, table), "GET /openapi.json").partition(b"\r\n\r\n")[2])
    assert document["info"] == {"title": "t", "version": "1"}
    assert set(document["paths"]) == {"/here", "/openapi.json"} == {row.path for row in table}
