"""The description of the interface for machines, an OpenAPI 3.1 document, made from the table of endpoints.

What is the same for every service is in `components.json`, errors above all; each endpoint brings its operations, and
the forms of the state bring the schemas of the answers.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pexservice.http.endpoint import Endpoint
from pexservice.http.forms import SEQUENCE, Forms

_REPLAYED: Final = "Idempotency-Replayed"
_COMPONENTS: Final = Path(__file__).parent / "components.json"


def document(
    info: Mapping[str, Any], endpoints: Sequence[Endpoint], forms: Forms[Any], *, needs_token: bool
) -> dict[str, Any]:
    """Return the whole document. `info` is its Info object."""
    components = json.loads(_COMPONENTS.read_text("ascii"))
    if not needs_token:
        del components["securitySchemes"]
    components["headers"] |= forms.headers
    place = {name: _reference("headers", name) for name in (SEQUENCE, *forms.headers)}
    shown = place | {_REPLAYED: _reference("headers", _REPLAYED)}
    components["responses"]["State"] = {
        "description": "The state, in the form that Accept asks for",
        "headers": shown,
        "content": {media_type: {"schema": schema} for media_type, schema in forms.schemas.items()},
    }
    components["responses"]["Minimal"] = {
        "description": "Done, as Prefer: return=minimal asks for",
        "headers": shown | {"Preference-Applied": {"schema": {"const": "return=minimal"}}},
    }
    for refused in ("PreconditionFailed", "KeyReused"):  # Judged where the state stood, which the answer tells.
        components["responses"][refused]["headers"] = place
    paths = {endpoint.path: dict(endpoint.operations) for endpoint in endpoints}
    return {"openapi": "3.1.0", "info": dict(info), "paths": paths, "components": components}


def state_operations(path: str, does: str) -> dict[str, Any]:
    """Return the operations of a path that shows the state."""
    answers = {"200": "State", "204": "Minimal", "412": "PreconditionFailed", "503": "NotApplied"}
    unchanged = {"304": {"description": "As If-None-Match says"}}
    operation = _operation(path, does, _responses(answers) | unchanged, "Prefer", "If-Match", "If-None-Match")
    return {"get": operation}


def event_operations(path: str, does: str) -> dict[str, Any]:
    """Return the operations of a path that tells of each state as it comes to be."""
    answers = {
        "200": {
            "description": "Server-sent events without an end: the state as `message`, with the sequence as its "
            "id; how the service is as `service`",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        }
    }
    return {"get": _operation(path, does, answers | _responses({"503": "NotApplied"}), "Last-Event-ID")}


def command_operations(
    path: str,
    does: str,
    *,
    needs_token: bool,
    parameters: Sequence[Any] = (),
    problems: Mapping[int, str] | None = None,
) -> dict[str, Any]:
    """Return the operations of a path that has a command taken, by POST.

    `parameters` are OpenAPI's, in the query; `problems` are other errors that it answers with, by status.
    """
    answers = {"200": "State", "204": "Minimal", "403": "Forbidden", "412": "PreconditionFailed", "503": "NotApplied"}
    answers |= {"400": "BadRequest", "422": "KeyReused"}
    if needs_token:
        answers |= {"401": "Unauthorized"}
    more = {str(status): _problem(description) for status, description in (problems or {}).items()}
    post = _operation(path, does, _responses(answers) | more, "Prefer", "Idempotency-Key", "If-Match", "If-None-Match")
    post["parameters"] += parameters
    if needs_token:
        post["security"] = [{"token": []}]
    return {"post": post}


def with_get(operations: Mapping[str, Any]) -> dict[str, Any]:
    """Return the operations of such a path, where GET has the command taken, too."""
    post = operations["post"]
    summary = f"{post['summary']}; by POST is better"
    return {**operations, "get": post | {"operationId": f"{post['operationId']}ByGet", "summary": summary}}


def with_page(operations: Mapping[str, Any]) -> dict[str, Any]:
    """Return the operations of such a path, where a form that a browser posted is sent back to its page."""
    answer = {
        "description": "Taken; Location is the page, for whoever prefers text/html",
        "headers": {"Location": {"schema": {"type": "string"}}},
    }
    responses = dict(sorted({**operations["post"]["responses"], "303": answer}.items()))
    return {**operations, "post": operations["post"] | {"responses": responses}}


def text_operations(
    path: str, does: str, *media_types: str, problems: Sequence[str] = (), is_judged: bool = False
) -> dict[str, Any]:
    """Return the operations of a path that answers with a text; `problems` are the statuses of other answers.

    `is_judged` is for one whose preconditions are judged.
    """
    kinds = {media_type: "object" if media_type.endswith("json") else "string" for media_type in media_types}
    content = {media_type: {"schema": {"type": kind}} for media_type, kind in kinds.items()}
    answers: dict[str, Any] = {"200": {"description": does, "content": content}}
    if is_judged:
        answers |= {"304": {"description": "As If-None-Match: * says"}, "412": _problem("A precondition does not hold")}
    return {"get": _operation(path, does, answers | _responses(dict.fromkeys(problems, "NotApplied")))}


def _operation(path: str, does: str, responses: Mapping[str, Any], *parameters: str) -> dict[str, Any]:
    return {
        "operationId": path[1:] or "home",
        "summary": does,
        "parameters": [_reference("parameters", name) for name in parameters],
        "responses": dict(sorted(responses.items())),
    }


def _responses(names: Mapping[str, str]) -> dict[str, Any]:
    return {status: _reference("responses", name) for status, name in names.items()}


def _problem(description: str) -> dict[str, Any]:
    schema = {"schema": _reference("schemas", "Problem")}
    return {"description": description, "content": {"application/problem+json": schema}}


def _reference(kind: str, name: str) -> dict[str, str]:
    return {"$ref": f"#/components/{kind}/{name}"}
