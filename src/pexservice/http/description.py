"""The endpoint /openapi.json: a table of endpoints, described for machines by the table itself.

It is made once, when first asked for, so it names nothing that answers 404 and leaves out nothing that is there.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from pexservice.core.mistakes import check_described
from pexservice.http.endpoint import Endpoint
from pexservice.http.openapi import document
from pexservice.http.resource import Resource
from pexservice.http.text import Text


def described(resource: Resource[Any, Any], info: Mapping[str, Any], table: Sequence[Endpoint]) -> list[Endpoint]:
    """Return a table with /openapi.json behind it, which describes all of it. `info` is its Info object.

    Raises WrongApplication if that is none.
    """
    check_described("the Info object of its description", info, Mapping)

    @cache
    def text() -> str:
        needs_token = resource.site.access.needs_token
        return json.dumps(document(info, rows, resource.forms, needs_token=needs_token), indent=2) + "\n"

    openapi = Text(text, "application/json", is_judged=True)
    rows = [*table, openapi.endpoint(resource.site.clock, "/openapi.json", "this, for machines")]
    return rows
