"""Who made a browser send a request, as its fields tell."""

import pytest

from pexservice.http.origin import rejection
from pexservice.http.request import parse_head


def may_step(*fields: str, host: str = "Host: example.com:8081") -> bool:
    head = "\r\n".join(["POST /next HTTP/1.1", host, *fields, "", ""])
    return rejection(parse_head(head.encode("latin-1"))) is None


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ([], True),
        (["Sec-Purpose:"], True),
        (["Sec-Purpose: prefetch"], False),
        (["Sec-Purpose: Prefetch;prerender"], False),
        (["Sec-Purpose: prefetch; anonymous-client-ip"], False),
        (["Sec-Purpose: of-the-future"], False),
        (['Sec-Purpose: "prefetch'], False),
        (["Purpose: Prefetch"], False),
        (["Purpose: preview"], False),
        (["Purpose: a", "Purpose: b, prefetch;c"], False),
        (["X-Purpose: preview"], False),
        (["X-Purpose: instant"], False),
        (["X-Purpose: prefetch"], False),
        (["X-Moz: prefetch"], False),
        (["x-moz: Prefetch"], False),
        (["Purpose: prefetched"], True),
        (["X-Moz: livebookmarks"], True),
        (["X-Sec-Purpose: prefetch"], True),
    ],
)
def test_what_is_fetched_ahead_does_not_step(fields: list[str], expected: bool) -> None:  # noqa: FBT001
    """A browser that fetches before its user asks says so, and each has had its own field for it."""
    assert may_step(*fields) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (["Sec-Fetch-Site: same-origin"], True),
        (["sec-fetch-site: none"], True),
        (["Sec-Fetch-Site: same-site"], False),
        (["Sec-Fetch-Site: cross-site"], False),
        (["Sec-Fetch-Site: of-the-future"], False),
        (["Sec-Fetch-Site: same-origin, cross-site"], False),
        (["Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: cross-site"], False),
        (["Sec-Fetch-Site: none", "Sec-Fetch-Site: none"], False),
        (["Sec-Fetch-Site:"], False),
        (["Sec-Fetch-Mode: cors"], True),  # Node's fetch sends it, and is no browser.
    ],
)
def test_a_browser_steps_for_its_user_or_our_own_page(fields: list[str], expected: bool) -> None:  # noqa: FBT001
    """Of Sec-Fetch-Site only one same-origin or none will do; also what is not known yet is refused."""
    assert may_step(*fields) == expected


@pytest.mark.parametrize(
    ("host", "origin", "expected"),
    [
        ("example.com:8081", "http://example.com:8081", True),
        ("example.com:8081", "https://example.com:8081", True),
        ("EXAMPLE.com:8081", "http://example.COM:8081", True),
        ("example.com", "http://example.com", True),
        ("example.com", "https://example.com", True),
        ("example.com:80", "http://example.com", True),
        ("example.com:443", "https://example.com", True),
        ("example.com:", "https://example.com", True),
        ("[::1]:8081", "http://[::1]:8081", True),
        ("[::A]", "http://[::a]", True),
        ("example.com:8081", "http://example.com", False),
        ("example.com:8081", "http://example.com:8082", False),
        ("example.com", "http://example.com:443", False),
        ("example.com:443", "http://example.com", False),
        ("example.com:80", "https://example.com", False),
        ("example.com", "https://www.example.com", False),
        ("example.com", "https://example.com.evil", False),
        ("example.com", "https://evil-example.com", False),
        ("example.com", "https://example.com@evil.example", False),
        ("example.com", "https://example.com/", False),
        ("example.com", "https://evil.example#example.com", False),
        ("example.com.", "https://example.com", False),
        ("[::1]", "http://[::2]", False),
        ("[::1]:8081", "http://[::1]", False),
        ("example.com", "example.com", False),
        ("example.com", "ftp://example.com", False),
        ("example.com", "chrome-extension://example.com", False),
        ("example.com", "https://example.com https://example.com", False),
        ("example.com", "https://example.com, https://example.com", False),
        ("example.com", "null", False),
        ("null", "null", False),
        ("example.com", "", False),
        ("example.com:" + "8" * 9999, "http://example.com:" + "8" * 5, False),
    ],
)
def test_an_origin_is_that_of_the_host(host: str, origin: str, expected: bool) -> None:  # noqa: FBT001
    """Whole, without case, with the default port of its scheme; of which scheme, only a proxy in front knows."""
    assert may_step(f"Origin: {origin}", host=f"Host: {host}") == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (["Origin: http://example.com:8081", "Origin: http://example.com:8081"], False),
        (["Origin: http://evil.example", "X-Forwarded-Host: evil.example", "Forwarded: host=evil.example"], False),
        (["Origin: http://evil.example", "Sec-Fetch-Site: same-origin"], False),
        (["Origin: http://evil.example", "Sec-Fetch-Site: none"], False),
        (["Origin: null", "Sec-Fetch-Site: same-origin"], True),
        (["Origin: null", "Sec-Fetch-Site: cross-site"], False),
        (["Origin: null", "Origin: null", "Sec-Fetch-Site: same-origin"], False),
        (["Origin: http://example.com:8081", "Sec-Fetch-Site: same-origin"], True),
        (["Referer: http://evil.example/"], True),
    ],
)
def test_one_word_against_it_is_enough(fields: list[str], expected: bool) -> None:  # noqa: FBT001
    """What a page or a proxy may set says nothing for it; a hidden origin takes the browser's other word."""
    assert may_step(*fields) == expected


@pytest.mark.parametrize(
    ("target", "expected"),
    [("http://example.com:8081/next", True), ("http://EXAMPLE.com:8081", True), ("http://evil.example/next", False)],
)
def test_the_host_of_an_absolute_target_counts(target: str, expected: bool) -> None:  # noqa: FBT001
    """And the Host field beside it does not: RFC 9112, 3.2.2."""
    for host in ("example.com:8081", "evil.example"):
        head = f"POST {target} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://example.com:8081\r\n\r\n"
        assert (rejection(parse_head(head.encode())) is None) == expected


def test_an_origin_without_a_host_is_foreign() -> None:
    """HTTP/1.0 may go without a Host, and then nothing is known to be our own."""
    assert rejection(parse_head(b"POST /next HTTP/1.0\r\nOrigin: http://example.com\r\n\r\n")) is not None
    assert rejection(parse_head(b"POST /next HTTP/1.0\r\n\r\n")) is None


def test_what_it_says_fits_any_machine() -> None:
    """Another machine need not have a page at /, so nobody is sent there."""
    for field in ("Sec-Purpose: prefetch", "Sec-Fetch-Site: cross-site", "Origin: http://evil.example"):
        detail = rejection(parse_head(f"POST /buy HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n".encode()))
        assert detail is not None
        assert "page at /" not in detail
