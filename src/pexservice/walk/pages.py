"""What a listener says of itself: the page at / for people, and /openapi.json for machines.

The idea: both are made once, when first asked for, of the paths that there are and of whether a step needs a token,
so that they name nothing that answers 404 and leave out nothing that is needed. What changes, {position} and
{sequence}, is put in when somebody asks.
"""

import json
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pexservice import __version__

_HERE: Final = Path(__file__).parent
_HTML: Final = (_HERE / "home.html").read_text("ascii")
_OPENAPI: Final = (_HERE / "openapi.json").read_text("ascii")
_TEXT: Final = """\
pexservice {version}: a durable, exact walk along the Fibonacci numbers.

It stands at position {position}, after {sequence} steps.

{endpoints}

Every step is on disk before it is answered. POST is the recommended way to step.
"""
_TEXT_NOTE: Final = "A step needs a token: send 'Authorization: Bearer' with it.\n"
_HTML_NOTE: Final = (
    "\n<p>A step needs a token, which these buttons do not have: take a client that sends "
    "<code>Authorization: Bearer</code> with it.</p>"
)


@dataclass(frozen=True, slots=True)
class _Endpoint:
    path: str
    methods: str
    does: str


_ENDPOINTS: Final = (
    _Endpoint("/current", "GET", "the value here"),
    _Endpoint("/next", "GET POST", "one step up, and the value there"),
    _Endpoint("/previous", "GET POST", "one step down, and the value there"),
    _Endpoint("/reset", "GET POST", "back to position 0"),
    _Endpoint("/livez", "GET", "is the process alive"),
    _Endpoint("/readyz", "GET", "does it take steps"),
    _Endpoint("/metrics", "GET", "counts for Prometheus"),
    _Endpoint("/openapi.json", "GET", "this, for machines"),
)


def home_text(paths: AbstractSet[str], *, needs_token: bool) -> str:
    """Return the page at / as text."""
    lines = [f"  {each.methods:8}  {each.path:13}  {each.does}" for each in _ENDPOINTS if each.path in paths]
    text = _TEXT.replace("{version}", __version__).replace("{endpoints}", "\n".join(lines))
    return text + _TEXT_NOTE if needs_token else text


def home_html(paths: AbstractSet[str], *, needs_token: bool) -> str:
    """Return the page at / for a browser."""
    rows = []
    for each in _ENDPOINTS:
        if each.path in paths:
            code = f"<code>{each.path}</code>"
            link = f'<a href="{each.path}">{code}</a>' if each.methods == "GET" else code
            rows.append(f"  <tr><td><code>{each.methods}</code></td><td>{link}</td><td>{each.does}</td></tr>")
    return (
        _HTML.replace("{version}", __version__)
        .replace("{endpoints}", "\n".join(rows))
        .replace("{disabled}", " disabled" if needs_token else "")
        .replace("{note}", _HTML_NOTE if needs_token else "")
    )


def openapi(paths: AbstractSet[str], *, needs_token: bool) -> str:
    """Return the description of the interface, an OpenAPI document."""
    document = json.loads(_OPENAPI.replace("{version}", __version__))
    document["paths"] = {path: operations for path, operations in document["paths"].items() if path in paths}
    if not needs_token:
        for operations in document["paths"].values():
            for operation in operations.values():
                if operation.pop("security", None):
                    del operation["responses"]["400"], operation["responses"]["401"]
    return json.dumps(document, indent=2) + "\n"
