"""The page at / for browsers, as text. What it does in one, tests/system/browser shows."""

import re
from base64 import b64encode
from hashlib import sha256

import pytest

from pexservice.core.judging import Place
from pexservice.errors import QueueFull
from pexservice.walk.fibonacci import Pair
from pexservice.walk.home import Home
from support.held_engine import HeldEngine

LISTED = [("GET", "/current", "the value here"), ("GET POST", "/next", "one step up")]


def home(position: int = 10, *, needs_token: bool = False, processes: int = 1) -> tuple[Home, HeldEngine]:
    """Return the page of a walk that stands at this position, and the engine that it asks."""
    held = HeldEngine(Place(3, position))
    return Home(held.as_engine, lambda: processes, LISTED, needs_token=needs_token), held


def shown(position: int) -> str:
    """Return the number as the page shows it before any script runs."""
    page, held = home(position)
    [value] = re.findall(r'<p id="value"[^>]*>(.*?)</p>', page.page(held.place))
    return str(value)


def test_a_number_is_shown_whole_or_by_its_ends() -> None:
    """Beyond 300 digits by its ends, with how many are between; at any position."""
    for position in (0, 1, 10, 1_434, 1_435, 4_783, 4_784, 4_785, 4_790, 100_000):
        digits = str(Pair.at(position).value)
        told = shown(position)
        if len(digits) <= 300:
            assert told == digits
            continue
        found = re.fullmatch(r"(\d+) <em>&hellip; ([\d,]+) more digits &hellip;</em> (\d+)", told)
        assert found is not None
        head, between, tail = found[1], int(found[2].replace(",", "")), found[3]
        assert digits.startswith(head)
        assert digits.endswith(tail)
        assert len(head) + between + len(tail) == len(digits)
        assert between % 3 == len(tail) % 3 == 0, "it is cut between groups of three"


def test_counts_have_separators_and_words_agree() -> None:
    """Position, sequence and digits are grouped for people; a script gets them plain."""
    page, held = home(12_345)
    text = page.page(held.place)
    assert 'data-sequence="3" data-position="12345" data-digits="2580"' in text
    assert '<dd id="position">12,345</dd>' in text
    assert "2,580 digits" in text
    page, held = home(1)
    assert ">1 digit<" in page.page(held.place)


def test_it_tells_how_many_serve() -> None:
    """One process, or so many workers."""
    for processes, told in ((1, "1 process serves"), (4, "4 processes serve")):
        page, held = home(processes=processes)
        assert f'<span id="processes">{told}</span>' in page.page(held.place)


def test_what_runs_in_it_is_named_by_its_hash() -> None:
    """The policy lets this style and this script be, and nothing else: no handler, no style, of an attribute."""
    page, held = home()
    text, policy = page.page(held.place), page.policy
    for kind, tag in (("style-src", "style"), ("script-src", "script")):
        [inside] = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = b64encode(sha256(inside.encode()).digest()).decode()
        assert f"{kind} 'sha256-{digest}';" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<[^>]*\s(?:on\w+|style)=", re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL))
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", text)


def test_it_is_small() -> None:
    """Whatever the number, all of the page is under 80 KB, the bound that was set for it."""
    for position in (0, 1_434, 10_000_000):
        page, held = home(position)
        assert len(page.page(held.place)) < 80_000


@pytest.mark.parametrize("durability", ["fsync", "interval", "synchronous <replica>"])
def test_it_tells_how_durable_a_step_is(durability: str) -> None:
    """In words for the two ways of the journal; another store's own word is shown as it is."""
    page, held = home()
    held.labels["durability"] = durability
    [told] = re.findall(r'<dt>Durability</dt><dd class="text">(.*?)</dd>', page.page(held.place))
    expected = {"fsync": "On stable storage", "interval": "Synced at intervals"}
    assert expected.get(durability, "synchronous &lt;replica&gt;") in told


def test_it_tells_why_no_steps_are_taken() -> None:
    """Before any script runs, too."""
    page, held = home()
    assert ">Takes steps<" in page.page(held.place)
    held.unready = QueueFull()
    assert f">Takes no steps: {QueueFull.title}<" in page.page(held.place)


def test_only_what_does_not_step_is_a_link() -> None:
    """A browser may follow a link ahead of its user."""
    page, held = home()
    assert re.findall(r'<a href="([^"]*)"', page.page(held.place)) == ["current"]
