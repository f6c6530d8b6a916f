"""What a client says about the form of its answer, and about why it asks."""

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
        ("text/plain;q=nonsense", TEXT),
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
        ("", False),
    ],
)
def test_a_browser_is_known_by_its_accept(accept: str, is_html: bool) -> None:  # noqa: FBT001
    """Only a client that names text/html gets a page."""
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
        ([], False),
    ],
)
def test_the_first_return_preference_counts(fields: list[str], is_minimal: bool) -> None:  # noqa: FBT001
    """RFC 7240: names and tokens are compared without case, and of two equal preferences the first counts."""
    assert negotiation.wants_minimal(request(*fields)) == is_minimal


@pytest.mark.parametrize(
    ("fields", "is_current"),
    [
        (['If-None-Match: "1-1-json"'], True),
        (['If-None-Match: W/"1-1-json"'], True),
        (["If-None-Match: *"], True),
        (['If-None-Match: "a", "1-1-json" , "b"'], True),
        (['If-None-Match: "a"', 'If-None-Match: W/"1-1-json"'], True),
        (['If-None-Match: "1-1-JSON"'], False),
        (["If-None-Match: 1-1-json"], False),
        (['If-None-Match: "1-1-plain"'], False),
        (['If-None-Match: "11-1-json"'], False),
        (["If-None-Match:"], False),
        ([], False),
    ],
)
def test_a_known_tag_is_current(fields: list[str], is_current: bool) -> None:  # noqa: FBT001
    """If-None-Match compares whole tags, weakly and with case, in any of its fields; `*` is any."""
    assert negotiation.has_current(request(*fields), '"1-1-json"') == is_current


@pytest.mark.parametrize(
    ("fields", "is_speculative"),
    [
        (["Sec-Purpose: prefetch"], True),
        (["Sec-Purpose: prefetch;prerender"], True),
        (["Sec-Purpose: prefetch; anonymous-client-ip"], True),
        (["Purpose: Prefetch"], True),
        (["Purpose: a", "Sec-Purpose: b, prefetch"], True),
        (["Sec-Purpose: prefetched"], False),
        (["X-Purpose: prefetch"], False),
        ([], False),
    ],
)
def test_a_prefetch_is_known(fields: list[str], is_speculative: bool) -> None:  # noqa: FBT001
    """A browser that fetches ahead says so in Sec-Purpose, an older one in Purpose."""
    assert negotiation.is_speculative(request(*fields)) == is_speculative


@pytest.mark.parametrize(
    ("fields", "is_cross_site"),
    [
        (["Sec-Fetch-Site: cross-site"], True),
        (["sec-fetch-site: Cross-Site"], True),
        (["Sec-Fetch-Site: same-origin"], False),
        (["Sec-Fetch-Site: same-site"], False),
        (["Sec-Fetch-Site: none"], False),
        ([], False),
    ],
)
def test_a_page_of_another_site_is_known(fields: list[str], is_cross_site: bool) -> None:  # noqa: FBT001
    """Only Sec-Fetch-Site: cross-site tells that another site made the browser ask."""
    assert negotiation.is_cross_site(request(*fields)) == is_cross_site
