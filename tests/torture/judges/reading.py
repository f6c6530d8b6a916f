"""What a service sent on one connection, read strictly.

A client that forgives hides what a server does wrong. Here every byte must be accounted for: whole answers by the
grammar of RFC 9112, each with the fields that the contract demands, and nothing between or behind them.
"""

import json
import re
from collections.abc import Sequence
from email.utils import parsedate
from http import HTTPStatus
from typing import Any, Final

from support.client import Answer
from torture.attack import Violation, require

_TOKEN: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_HEAD = re.compile(rb"HTTP/1\.1 ([1-5][0-9][0-9]) ([ -~]+)\r\n((?:%b: [!-~](?:[ -~]*[!-~])?\r\n)*)\r\n" % _TOKEN)
_BODILESS: Final = {100, 204, 304}
_PHRASES: Final = {413: "Content Too Large", 414: "URI Too Long", 422: "Unprocessable Content"}
"""Of RFC 9110, 15.5, where Python before 3.13 has others."""
_JUDGED: Final = {412, 422}
"""Errors that may tell a place: the state at which a condition or a key was judged."""
_ONCE: Final = {"content-length", "content-type", "connection", "date", "allow", "etag", "retry-after"}


def parse(sent: bytes, methods: Sequence[str]) -> list[Answer]:
    """Return all answers, those of 100 Continue too. `methods` are those of the requests, as far as there were any.

    Raises Violation.
    """
    answers: list[Answer] = []
    finals = at = 0
    while at < len(sent):
        head = _HEAD.match(sent, at)
        require(head is not None, f"this is no answer: {sent[at : at + 500]!r}")
        assert head is not None
        status = int(head[1])
        lines = head[3].decode("ascii").splitlines()
        fields = tuple((name.lower(), value) for name, _, value in (line.partition(": ") for line in lines))
        names = [name for name, _ in fields]
        require(all(names.count(name) <= 1 for name in _ONCE), f"a field is repeated: {head[0]!r}")
        phrase = _PHRASES.get(status) or HTTPStatus(status).phrase
        require(head[2].decode() == phrase, f"the reason is not that of the status: {head[0]!r}")
        size = int(dict(fields).get("content-length", "0"))
        is_head = finals < len(methods) and methods[finals] == "HEAD"
        at = head.end() + (0 if is_head else size)
        answer = Answer(status, "HTTP/1.1", fields, sent[head.end() : at])
        require(at <= len(sent), f"the connection ended within an answer: {sent!r}")
        _require_whole(answer, is_head=is_head)
        answers.append(answer)
        finals += status >= 200
    return answers


def _require_whole(answer: Answer, *, is_head: bool) -> None:
    """Check the fields and the body of one answer."""
    if answer.status in _BODILESS:
        require("content-length" not in dict(answer.fields), f"an answer without a body has a length: {answer}")
    else:
        require("content-length" in dict(answer.fields), f"an answer has no length: {answer}")
        require("content-type" in dict(answer.fields), f"an answer has no type: {answer}")
    if answer.status >= 200:
        require(parsedate(dict(answer.fields).get("date")) is not None, f"an answer has no date: {answer}")
    if answer.status >= 400:
        require(answer.get("content-type") == "application/problem+json", f"an error is no problem document: {answer}")
        tells_place = answer.get("pex-sequence") is not None
        require(not tells_place or answer.status in _JUDGED, f"an error tells a place in the walk: {answer}")
    if answer.status >= 400 and not is_head:
        problem = _problem(answer)
        require(problem.keys() == {"type", "title", "status", "detail"}, f"a problem document lacks members: {answer}")
        require(problem["status"] == answer.status, f"a problem document tells another status: {answer}")
    require((answer.status == 405) <= ("allow" in dict(answer.fields)), f"there is no Allow in {answer}")
    require((answer.status == 503) <= ("retry-after" in dict(answer.fields)), f"there is no Retry-After in {answer}")


def _problem(answer: Answer) -> dict[str, Any]:
    try:
        problem: dict[str, Any] = json.loads(answer.body)
    except ValueError as error:
        raise Violation(f"a problem document is no JSON: {answer}") from error
    return problem
