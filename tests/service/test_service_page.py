"""The home page as a browser asks for it. In a browser it is tried by tests/system/browser."""

import pytest

from support.client import Client

_BROWSER = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.mark.parametrize("path", ["/next", "/previous", "/reset"])
def test_a_form_of_the_page_is_sent_back_to_it(client: Client, path: str) -> None:
    """A browser that posts gets 303 after the step, so that it neither shows a bare number nor posts again."""
    before = client.ask("GET", "/current").sequence
    answer = client.ask("POST", path, _BROWSER)
    assert (answer.status, answer["location"], answer.body) == (303, "./", b"")
    assert answer["cache-control"] == "no-store"
    assert answer.sequence == before + 1


def test_the_page_is_kept_by_nobody(client: Client) -> None:
    """It shows what is when it is asked for, and its buttons lead to the steps beside it."""
    for _ in range(2):
        at = client.ask("POST", "/next")
        page = client.ask("GET", "/", _BROWSER)
        assert (page["cache-control"], page.get("etag")) == ("no-store", None)
        assert f'data-sequence="{at.sequence}" data-position="{at.position}"' in page.body.decode()
        assert all(f'action="{each}"'.encode() in page.body for each in ("next", "previous", "reset"))
