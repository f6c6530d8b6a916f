"""What a client says about the form of its answer."""

import pytest

from pexservice.http import negotiation
from pexservice.http.request import Request, parse_head

JSON, TEXT, DOCUMENT = "application/json", "text/plain", "application/vnd.pexservice+json"


def request(*fields: str) -> Request:
    return parse_head("\r\n".join(["GET / HTTP/1.1", "Host: x", *fields, "", ""]).encode("latin-1"))


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("image/png", JSON),
        ("image/png, */*;q=0.1", JSON),
        ("application/json", JSON),
        ("text/plain", TEXT),
        ("TEXT/Plain", TEXT),
        ("text/*", TEXT),
        ("application/*", JSON),
        ("application/vnd.pexservice+json", DOCUMENT),
        ("application/vnd.pexservice+json, */*", DOCUMENT),
        ("application/vnd.pexservice+json, application/*", DOCUMENT),
        ("*/*, text/plain", TEXT),
        ("text/*, */*", TEXT),
        ("application/json, text/plain", JSON),
        ("text/plain, application/json", JSON),
        ("text/plain;q=0.9, application/json;q=0.8", TEXT),
        ("text/plain;q=0.8,application/json;q=0.9", JSON),
        ("text/plain;q=0.8, */*;q=0.9", JSON),
        ("text/plain ; q=1.000 , application/json ; Q=0.999", TEXT),
        ("application/json;q=0, */*", TEXT),
        ("application/json;q=0, text/plain;q=0, */*;q=0.1", DOCUMENT),
        ("application/*;q=0, */*", TEXT),
        ("application/*;q=0.2, application/vnd.pexservice+json;q=0.1, text/plain;q=0.15", JSON),
        ("*/*;q=0", JSON),
        ("application/json;q=0", JSON),
        ("application/json;charset=utf-8;q=0.5, text/plain", TEXT),
        ("text/plain;format=flowed", TEXT),
        ("text/html, application/xhtml+xml, */*;q=0.8", JSON),
        ("text/plain;q=nonsense", JSON),
        ("text/plain;q=0.1234, application/json;q=0.1", JSON),
        ("text/plain;q=", JSON),
        ("text/plain;q=0.5;q=0.9, application/json;q=0.1", JSON),
        ("TEXT/*;Q=0.9, Application/JSON;q=0.1", TEXT),
        ("text/plain;q=0.1;x=y, application/json;q=0.2", JSON),
        ("application/json;q=0.5, text/plain;charset=utf-8", TEXT),
        ("text/plain;format=flowed, application/json;q=0.5", TEXT),
        ("text/*;q=0.3, text/plain;q=0.2, text/plain;format=flowed, application/json;q=0.25", JSON),
        ("application/json;v=2;q=0, */*", JSON),
        ('image/png;a=", text/plain", application/vnd.pexservice+json', DOCUMENT),
        ('application/json;a="\\", text/plain;q=0.1, ";q=0.2, application/vnd.pexservice+json;q=0.15', JSON),
        ("text/plain=1", JSON),
        ("text/plain, text/", TEXT),
        ("*", JSON),
        ("*/plain", JSON),
        ("text/plain\xa0", JSON),
        (",, text/plain,,", TEXT),
        ("text", JSON),
        (";q=1", JSON),
    ],
)
def test_the_form_is_the_one_that_accept_likes_best(accept: str, form: str) -> None:
    """The highest q wins, the most specific range decides a form's q, and who does not care gets JSON."""
    assert negotiation.preferred(request(f"Accept: {accept}"), [JSON, TEXT, DOCUMENT]) == form


def test_accept_may_be_absent_or_in_several_fields() -> None:
    """No Accept is no preference, and several are one list."""
    assert negotiation.preferred(request(), [JSON, TEXT]) == JSON
    assert negotiation.preferred(request("Accept: application/json;q=0.1", "accept: text/plain"), [JSON, TEXT]) == TEXT


@pytest.mark.parametrize(
    ("accept", "is_html"),
    [
        ("text/html", True),
        ("application/xml, Text/HTML;q=0.1", True),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", True),
        ("*/*", False),
        ("text/*", False),
        ("text/html2", False),
        ("text/html;q=0", False),
        ("text/html; Q=0.000, */*", False),
        ("text/html;q=bogus", False),
        ("text/html;level=1", False),
        ("text/html;charset=utf-8", True),
        ("text/html;q=0.5, text/plain", False),
        ("text/html;q=0.5, */*", False),
        ("text/html, text/plain, */*;q=0.01", True),
        ('text/plain;a=", text/html"', False),
        ('text/html;a=", text/plain', False),
        ("", False),
    ],
)
def test_a_browser_is_known_by_its_accept(accept: str, is_html: bool) -> None:  # noqa: FBT001
    """Only a client that names text/html, and likes nothing else better, gets a page."""
    assert negotiation.wants_html(request(f"Accept: {accept}")) == is_html


@pytest.mark.parametrize(
    ("fields", "is_minimal"),
    [
        (["Prefer: return=minimal"], True),
        (["prefer: Return=Minimal"], True),
        (['Prefer: return="minimal"'], True),
        (["Prefer: return = minimal"], True),
        (["Prefer: respond-async, return=minimal"], True),
        (["Prefer: return=minimal; foo=bar"], True),
        (["Prefer: wait=10", "Prefer: return=minimal"], True),
        (["Prefer: return=representation, return=minimal"], False),
        (["Prefer: return=minimal, return=representation"], True),
        (["Prefer: return=representation"], False),
        (["Prefer: return"], False),
        (["Prefer: minimal"], False),
        (["Prefer: xreturn=minimal"], False),
        (["Prefer:"], False),
        (['Prefer: return="min\\imal"'], True),
        (["Prefer: ,, return=minimal ,"], True),
        (['Prefer: a="b, return=representation, c", return=minimal'], True),
        (['Prefer: a="b, return=minimal"'], False),
        (['Prefer: a;b=", return=minimal"'], False),
        (["Prefer: a; return=minimal"], False),
        (["Prefer: return;a, return=minimal"], False),
        (["Prefer: return=minimal extra"], False),
        (["Prefer: return minimal, return=minimal"], True),
        (["Prefer: return=", "Prefer: return=minimal"], True),
        ([], False),
    ],
)
def test_the_first_return_preference_counts(fields: list[str], is_minimal: bool) -> None:  # noqa: FBT001
    """RFC 7240: names and tokens are compared without case, and of two equal preferences the first counts."""
    assert negotiation.wants_minimal(request(*fields)) == is_minimal
