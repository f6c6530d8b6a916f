"""The home page for everyone: by axe-core's rules, in the dark, on a narrow screen, without motion."""

from pathlib import Path
from typing import Any

import pytest

from support.process import Service, serving
from system.browser.tab import NARROW, WIDE, Browser, Tab, address
from torture.crowd import stand_at

axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="make test-browser installs axe-core")


def violations(tab: Tab) -> list[str]:
    """Return what axe-core finds wrong, of all its rules, those for best practice among them."""
    found = axe.Axe().run(tab.page).response["violations"]
    return [f"{each['id']}: {[node['html'] for node in each['nodes']]}" for each in found]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["wide", "narrow"])
def test_it_breaks_no_rule(service: Service, browser: Browser, scheme: str, viewport: dict[str, int]) -> None:
    """Names, landmarks, order, contrast: as it is, and with the reset unfolded and something said."""
    tab = browser(address(service), viewport=viewport, color_scheme=scheme).goes_live()
    tab.click("Next")
    tab.shows("position", "31")
    assert violations(tab) == []
    tab.page.get_by_text("Reset\u2026").click()
    assert violations(tab) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_breaks_no_rule_where_a_token_is_needed(tmp_path: Path, browser: Browser, scheme: str) -> None:
    """Nor while the service is away."""
    (tmp_path / "token").write_text("s" * 32 + "\n", "ascii")
    (tmp_path / "token").chmod(0o600)
    with serving(tmp_path / "data", "--token-file", str(tmp_path / "token")) as service:
        tab = browser(address(service), color_scheme=scheme).goes_live()
        assert violations(tab) == []
        tab.may_be_offline = True
    tab.shows("link", "Reconnecting\u2026")
    tab.page.wait_for_timeout(500)  # Until it has faded.
    assert violations(tab) == []


def test_the_dark_is_dark(service: Service, browser: Browser) -> None:
    """By what the system asks for: text and ground change places."""

    def lightness(tab: Tab, what: str) -> float:
        colour = tab.page.evaluate(f"() => getComputedStyle(document.body).{what}")
        return sum(float(each) for each in colour.removeprefix("rgb(").rstrip(")").split(",")) / 3

    for scheme, is_dark in (("light", False), ("dark", True)):
        tab = browser(address(service), color_scheme=scheme)
        assert (lightness(tab, "backgroundColor") < 64) == is_dark
        assert (lightness(tab, "color") < 64) != is_dark


def test_nothing_moves_for_who_wants_no_motion(service: Service, browser: Browser) -> None:
    """The plot jumps instead of gliding, nothing fades."""
    for motion, moves in (("no-preference", True), ("reduce", False)):
        tab = browser(address(service), reduced_motion=motion).goes_live()
        tab.page.wait_for_function("() => document.querySelector('.line').getAttribute('d')")
        assert bool(tab.page.evaluate("() => document.getAnimations().length")) == moves


@pytest.mark.parametrize("position", [30, 60, 150, 4_000, 100_000])
@pytest.mark.parametrize("options", [{}, {"java_script_enabled": False}], ids=["script", "none"])
def test_nothing_is_wider_than_a_narrow_screen(
    tmp_path: Path, browser: Browser, position: int, options: dict[str, Any]
) -> None:
    """360 px are enough, whatever the number, with the reset unfolded, without scrolling sideways."""
    stand_at(tmp_path / "data", position)
    with serving(tmp_path / "data") as service:
        tab = browser(address(service), viewport=NARROW, **options)
        if not options:
            tab.goes_live()
        tab.page.get_by_text("Reset\u2026").click()
        assert tab.page.locator("html").evaluate("(html) => html.scrollWidth") <= NARROW["width"]
        tab.page.close()
