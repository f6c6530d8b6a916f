"""The preconditions of a request, judged in the order of RFC 9110, 13.2.2."""

import pytest

from pexservice.http.conditions import Verdict, judge
from pexservice.http.request import parse_head
from support.client import message

TAG = '"1-1-json"'
HOLDS, UNCHANGED, FAILS = Verdict.HOLDS, Verdict.UNCHANGED, Verdict.FAILS


def verdict(*fields: str, method: str = "GET", tag: str | None = TAG) -> Verdict:
    return judge(parse_head(message(method, "/current", *fields)), tag)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ([], HOLDS),
        ([f"If-Match: {TAG}"], HOLDS),
        (["If-Match: *"], HOLDS),
        ([f'If-Match: "a,", {TAG} , "b"'], HOLDS),
        ([f"If-Match: ,,{TAG},"], HOLDS),
        (['If-Match: "a"', f"If-Match: {TAG}"], HOLDS),
        ([f"If-Match: x, {TAG}"], HOLDS),
        ([f"If-Match: W/{TAG}"], FAILS),
        (['If-Match: "nope"'], FAILS),
        (['If-Match: "1-1-JSON"'], FAILS),
        (["If-Match: 1-1-json"], FAILS),
        (['If-Match: "a,"1-1-json""'], FAILS),
        (['If-Match: "*"'], FAILS),
        (['If-Match: "a", *'], FAILS),
        (["If-Match:"], FAILS),
        (["If-Match: ,"], FAILS),
        ([f"If-None-Match: {TAG}"], UNCHANGED),
        ([f"If-None-Match: W/{TAG}"], UNCHANGED),
        (["If-None-Match: *"], UNCHANGED),
        ([f'If-None-Match: "a", {TAG} , "b"'], UNCHANGED),
        (['If-None-Match: "a"', f"If-None-Match: W/{TAG}"], UNCHANGED),
        (['If-None-Match: "a\\", ' + TAG], UNCHANGED),
        (['If-None-Match: "1-1-JSON"'], HOLDS),
        (["If-None-Match: 1-1-json"], HOLDS),
        (['If-None-Match: "11-1-json"'], HOLDS),
        ([f'If-None-Match: "a, {TAG}'], HOLDS),
        ([f"If-None-Match: w/{TAG}"], HOLDS),
        (['If-None-Match: "*"'], HOLDS),
        (["If-None-Match:"], HOLDS),
        ([f"If-Match: {TAG}", f"If-None-Match: {TAG}"], UNCHANGED),
        (['If-Match: "a"', f"If-None-Match: {TAG}"], FAILS),
        ([f"If-None-Match: {TAG}", "If-Match: *"], UNCHANGED),
        (["If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT"], HOLDS),
        (["If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT"], HOLDS),
        (['If-None-Match: "a"', "If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT"], HOLDS),
        (["Range: bytes=0-0", 'If-Range: "nope"'], HOLDS),
    ],
)
def test_if_match_goes_before_if_none_match(fields: list[str], expected: Verdict) -> None:
    """If-Match compares strongly and fails what it does not name; If-None-Match compares weakly; dates say nothing."""
    assert verdict(*fields) is expected
    assert verdict(*fields, method="HEAD") is expected


def test_what_has_no_tag_exists_all_the_same() -> None:
    """So `*` matches it, and no tag does."""
    fields = ["If-Match: *", f"If-Match: {TAG}", "If-None-Match: *", f"If-None-Match: {TAG}"]
    assert [verdict(field, tag=None) for field in fields] == [HOLDS, FAILS, UNCHANGED, HOLDS]


def test_only_a_read_is_unchanged() -> None:
    """RFC 9110, 13.1.2: what If-None-Match names fails for every other method."""
    fields = [f"If-None-Match: {TAG}", "If-None-Match: *", 'If-None-Match: "a"']
    assert [verdict(field, method="POST") for field in fields] == [FAILS, FAILS, HOLDS]
