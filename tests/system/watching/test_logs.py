"""The log: events that are named for good and explained, and nothing for a request."""

import ast
import json
import re
from itertools import chain
from pathlib import Path
from typing import Final, get_args

import pexservice
from pexservice.config import LogLevel
from support.client import message
from support.process import serving

_EVENT: Final = re.compile(r"^\| `([^`]+)` \| (\w+) \|([^|]*)\|", re.MULTILINE)
_DOCS: Final = Path(__file__).parents[3] / "docs" / "watching.md"


def _calls() -> set[tuple[str, str, frozenset[str]]]:
    """Return event, level and fields of every call in the source that logs."""
    found = set()
    for path in Path(pexservice.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case ast.Call(func=ast.Attribute(ast.Name("log") | ast.Attribute(attr="log"), level)) if (
                    level in get_args(LogLevel)
                ):
                    event = node.args[0]
                    assert isinstance(event, ast.Constant), f"{path}:{node.lineno}: an event that is no stable name"
                    found.add((str(event.value), level, frozenset(chain.from_iterable(map(_fields, node.keywords)))))
    return found


def _fields(keyword: ast.keyword) -> set[str]:
    """Return the fields that a keyword stands for: `**why(error)` is one of two."""
    if keyword.arg is None:
        return {"defect", "error"} if "why(error)" in ast.unparse(keyword.value) else set()
    return {keyword.arg}


def test_every_event_is_explained() -> None:
    """docs/watching.md names the events of the source with their levels and fields, and no others."""
    _, _, section = _DOCS.read_text("utf-8").partition("\n## Log lines\n")
    explained = {
        (event, level, frozenset(re.findall(r"`(\w+)`", fields))) for event, level, fields in _EVENT.findall(section)
    }
    assert _calls() == explained


def test_a_thousand_requests_add_no_line(tmp_path: Path) -> None:
    """However many requests there are, right, wrong, or none at all, not even the lowest level logs one."""
    options = ["--log-level", "debug", "--max-pending", "5"]
    with serving(tmp_path / "data", *options) as service:
        for _ in range(10):
            with service.connect() as client:
                client.send(
                    message("POST", "/next") * 70 + message("GET", "/nothing") * 20 + message("PUT", "/next") * 9
                )
                client.send(b"no request\r\n\r\n")
                answers = client.read_all()
                assert len(answers) == 100
                assert {answer.status for answer in answers} <= {200, 400, 404, 405, 503}
        assert service.stop() == 0
        events = [json.loads(line)["event"] for line in service.lines]
        assert sorted(events) == sorted(
            ["settings", "recovered", "a new journal begins", "listening", "draining", "served", "stopped"]
        )
