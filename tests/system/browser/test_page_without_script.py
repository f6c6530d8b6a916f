"""The home page in a browser that runs no script: its buttons post, and the browser is sent back."""

from support.process import Service
from system.browser.tab import Browser, Tab, address


def sequence(tab: Tab) -> int:
    """Return how many steps the page shows."""
    return int(tab.text("sequence").replace(",", ""))


def press(tab: Tab, name: str) -> None:
    """Press a button, and wait for the page to be back."""
    with tab.page.expect_navigation():
        tab.click(name)


def test_a_button_steps_once_and_leads_back(service: Service, browser: Browser) -> None:
    """To the page, with what is now: never to a bare number."""
    tab = browser(address(service), java_script_enabled=False)
    before = service.sequence()
    for name, position, value in (
        ("Next", "31", "1346269"),
        ("Previous", "30", "832040"),
        ("Previous", "29", "514229"),
    ):
        press(tab, name)
        assert tab.page.url == address(service)
        assert (tab.text("position"), tab.text("value")) == (position, value)
    assert sequence(tab) == service.sequence() == before + 3


def test_neither_reload_nor_back_steps(service: Service, browser: Browser) -> None:
    """And both show what is, also if somebody else stepped meanwhile."""
    tab = browser(address(service), java_script_enabled=False)
    for _ in range(2):
        press(tab, "Next")
    at = service.sequence()
    tab.page.reload()
    assert sequence(tab) == service.sequence() == at
    with service.connect() as client:
        client.ask("POST", "/next")
    tab.page.go_back()
    assert sequence(tab) == service.sequence() == at + 1
    tab.page.go_forward()
    assert sequence(tab) == service.sequence() == at + 1


def test_reset_is_unfolded_first(service: Service, browser: Browser) -> None:
    """So it takes two presses, and says between them what it does."""
    tab = browser(address(service), java_script_enabled=False)
    confirm = tab.page.get_by_role("button", name="Reset to position 0")
    assert not confirm.is_visible()
    tab.page.get_by_text("Reset\u2026").click()
    with tab.page.expect_navigation():
        confirm.click()
    assert (tab.text("position"), tab.text("value")) == ("0", "0")


def test_what_only_a_script_knows_is_left_out(service: Service, browser: Browser) -> None:
    """No plot without steps, no copy that does nothing; and it says that it does not change by itself."""
    tab = browser(address(service), java_script_enabled=False)
    assert not tab.page.locator("#plot").is_visible()
    assert not tab.page.locator("#copy").is_visible()
    assert tab.text("health") == "Takes steps"
    assert tab.page.locator("noscript p").is_visible()
