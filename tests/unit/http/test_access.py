"""Who may step: what an Authorization field must be, and what is answered to any other."""

import hmac
from typing import Final
from unittest.mock import patch

import pytest

from pexservice.core.judging import Place
from pexservice.http.access import Access
from pexservice.http.action import CommandAction
from pexservice.http.clock import Clock
from pexservice.http.memo import Memo
from pexservice.http.request import parse_head
from pexservice.http.resource import Site
from pexservice.http.router import Router
from pexservice.limits import DEFAULT
from pexservice.walk.endpoints import endpoints
from support.client import message
from support.held_engine import HeldEngine

OLD: Final = "c29tZSBzZWNyZXQgb2xkIHRva2Vu"
NEW: Final = "a.new_one-with~all+its/characters=="


def outcome(access: Access, *fields: str) -> tuple[int, str]:
    """Return the status and the challenge that a request with these fields gets; 200 if it may step."""
    challenge = access.challenge(parse_head(message("POST", "/next", *fields)))
    return (200, "") if challenge is None else (challenge.status, challenge.field)


@pytest.mark.parametrize(
    ("fields", "status", "error"),
    [
        ([f"Authorization: Bearer {OLD}"], 200, ""),
        ([f"Authorization: Bearer {NEW}"], 200, ""),
        ([f"AUTHORIZATION: bEARER   {NEW} "], 200, ""),
        ([], 401, ""),
        (["Authorization:"], 401, ""),
        ([f"Authorization: {OLD}"], 401, ""),
        ([f"Authorization: Basic {OLD}"], 401, ""),
        ([f"Authorization: Bearer\t{OLD}"], 401, ""),
        ([f"Authorization: Bearerx {OLD}"], 401, ""),
        ([f"Proxy-Authorization: Bearer {OLD}"], 401, ""),
        (["Authorization: Bearer"], 401, "invalid_token"),
        ([f"Authorization: Bearer {OLD[:-1]}"], 401, "invalid_token"),
        ([f"Authorization: Bearer {OLD}="], 401, "invalid_token"),
        ([f"Authorization: Bearer {OLD.swapcase()}"], 401, "invalid_token"),
        ([f"Authorization: Bearer {OLD} {OLD}"], 401, "invalid_token"),
        ([f"Authorization: Bearer {OLD}, Bearer {OLD}"], 401, "invalid_token"),
        ([f'Authorization: Bearer "{OLD}"'], 401, "invalid_token"),
        (["Authorization: Bearer \xe4\xff"], 401, "invalid_token"),
        ([f"Authorization: Bearer {OLD}", f"Authorization: Bearer {OLD}"], 400, "invalid_request"),
        ([f"Authorization: Bearer {OLD}", "X: y", "authorization: Basic x"], 400, "invalid_request"),
        (["Authorization:", f"Authorization: Bearer {OLD}"], 400, "invalid_request"),
    ],
)
def test_only_a_known_token_steps(fields: list[str], status: int, error: str) -> None:
    """Any of the tokens, under a scheme in any case; the challenge names an error only if there were credentials."""
    challenge = 'Bearer realm="pexservice"' + (f', error="{error}"' if error else "")
    assert outcome(Access([OLD.encode(), NEW.encode()]), *fields) == (status, challenge if status != 200 else "")


def test_without_tokens_everyone_steps() -> None:
    """Whatever credentials a request has."""
    fields = ["Authorization: Bearer x", "Authorization: Basic y"]
    assert [outcome(Access(())), outcome(Access(()), *fields)] == [(200, ""), (200, "")]


def test_tokens_are_compared_in_constant_time() -> None:
    """Each of them is, by hmac.compare_digest, also behind the one that matched."""
    with patch("hmac.compare_digest", wraps=hmac.compare_digest) as compare:
        assert outcome(Access([OLD.encode(), NEW.encode()]), f"Authorization: Bearer {OLD}")[0] == 200
    assert [call.args[0] for call in compare.call_args_list] == [OLD.encode(), NEW.encode()]


def test_wrong_tokens_are_remembered_within_the_bound() -> None:
    """However many there are, memory does not grow with them; and the right one steps, remembered or not."""
    clock = Clock()
    site = Site(HeldEngine(Place(0, 0)).as_engine, Access([OLD.encode()]), clock, DEFAULT)
    memo = Memo(Router(clock, endpoints(site, ())).action)
    good, *wrong = [
        message("POST", "/next", f"Authorization: Bearer {OLD}{n or ''}") for n in range(DEFAULT.memo_requests_max + 9)
    ]
    for head in (good, *wrong, good, good):
        assert isinstance(memo.action(memo.parse(head)), CommandAction) == (head == good)
    assert sum(memo.get(head) is not None for head in wrong) < DEFAULT.memo_requests_max
