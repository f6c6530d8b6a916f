"""The description of the interface, for machines."""

import json

import pytest

from pexservice.http.router import Router
from support.routing import CLOCK, reply, table


@pytest.mark.parametrize("needs_token", [False, True])
def test_the_description_is_the_table(needs_token: bool) -> None:  # noqa: FBT001
    """/openapi.json has every path and method of the table, tokens where they are needed, and no dead reference."""
    rows = table(needs_token=needs_token)
    body = reply(Router(CLOCK, rows), "GET /openapi.json").partition(b"\r\n\r\n")[2].decode()
    document = json.loads(body)
    described = {(path, method) for path, item in document["paths"].items() for method in item}
    assert described == {(row.path, method.lower()) for row in rows for method in row.methods if method != "HEAD"}
    steps = [document["paths"]["/next"][method] for method in ("get", "post")]
    assert all(("security" in step, "401" in step["responses"]) == (needs_token, needs_token) for step in steps)
    references = {text.split('"')[0] for text in body.split("#/components/")[1:]}
    for reference in references:
        kind, name = reference.split("/")
        assert name in document["components"][kind]
    refusals = [document["components"]["responses"][name] for name in ("PreconditionFailed", "KeyReused")]
    assert all("Pex-Sequence" in refused["headers"] for refused in refusals), "they tell where they were judged"
    assert "headers" not in document["paths"]["/"]["get"]["responses"]["412"], "a text has no place"
    bare = document["components"]["responses"]["State"]["content"]["application/json"]["schema"]
    assert "2^53" in bare["description"]
    identities = [operation["operationId"] for item in document["paths"].values() for operation in item.values()]
    assert len(identities) == len(set(identities))
