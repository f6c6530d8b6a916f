"""The home page in a real browser: live, and its buttons, with script."""

import re
import signal
import sys
from pathlib import Path

from support.process import Service, free_port, serving, slow_to_recover
from support.show import Show
from system.browser.tab import Browser, address
from torture.crowd import stand_at

SOON_MS = 3_000
"""A bound on what takes a tenth of a second: beyond it something waits for something else."""
_STAMP = """
    () => {
        window.seen = new Promise((resolve) => {
            const observer = new MutationObserver(() => resolve(Date.now()));
            observer.observe(document.getElementById("sequence"), {childList: true});
        });
    }
"""


def step(service: Service, path: str = "/next") -> int:
    """Have a step taken by somebody else, and return its sequence."""
    with service.connect() as client:
        return client.ask("POST", path).sequence


def test_it_shows_the_number_and_where_the_walk_stands(service: Service, browser: Browser) -> None:
    """The number in groups of three, how many digits it has, its place, and how a step is kept."""
    tab = browser(address(service)).goes_live()
    assert tab.page.locator("#value span").all_inner_texts() == ["832", "040"]
    assert tab.page.evaluate("getComputedStyle(document.querySelector('#value span'), '::after').content") == '","'
    assert tab.text("value") == "832040", "who selects it copies a number"
    assert tab.text("digits") == "6 digits"
    assert (tab.text("position"), tab.text("index")) == ("30", "30")
    assert (tab.text("health"), tab.page.title()) == ("Takes steps", "F(30) \u00b7 pexservice")
    assert "before it is answered" in tab.page.inner_text("dl")


def test_a_step_in_one_tab_is_seen_in_the_other(service: Service, browser: Browser, show: Show) -> None:
    """Without being asked for, and well before anyone would look twice. Both stay where they are."""
    here = browser(address(service)).goes_live()
    there = browser(address(service), beside=here).goes_live()
    took_ms = []
    for position in range(31, 41):
        there.page.evaluate(_STAMP)
        here.page.evaluate("addEventListener('submit', () => { window.pressed = Date.now(); }, {once: true})")
        here.click("Next")
        took_ms.append(there.page.evaluate("window.seen") - here.page.evaluate("window.pressed"))
        for tab in (here, there):
            tab.shows("position", str(position))
        here.shows("message", f"One up: position {position}.")
        assert there.text("message") == "", "a screen reader would tell of each step of everybody"
    assert here.page.evaluate("window.pressed"), "it is still the same document"
    assert max(took_ms) < SOON_MS
    show(
        f"{len(took_ms)} steps, seen {sorted(took_ms)[len(took_ms) // 2]} ms after the button was pressed, "
        f"at most {max(took_ms)} ms"
    )


def test_the_buttons_step_in_place(service: Service, browser: Browser) -> None:
    """Each press is one step, and reset is one only when confirmed."""
    tab = browser(address(service)).goes_live()
    before = service.sequence()
    tab.click("Previous")
    tab.shows("value", "514229")
    confirm = tab.page.get_by_role("button", name="Reset to position 0")
    assert not confirm.is_visible()
    tab.page.get_by_text("Reset\u2026").click()
    assert service.sequence() == before + 1
    confirm.click()
    tab.shows("value", "0")
    tab.shows("digits", "1 digit")
    assert not confirm.is_visible()
    assert service.sequence() == before + 2
    assert tab.page.url == address(service)


def test_it_is_used_by_keyboard(service: Service, browser: Browser) -> None:
    """Tab leads to each control in the order in which it is shown, and each shows that it is there."""
    tab = browser(address(service)).goes_live()
    tab.page.focus("#copy")
    seen = []
    for _ in range(3):
        tab.page.keyboard.press("Tab")
        seen.append(tab.page.evaluate("document.activeElement.innerText.trim()"))
        assert tab.page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert [re.sub(r"\W", "", each) for each in seen] == ["Next", "Previous", "Reset"]
    tab.page.keyboard.press("Enter")
    tab.page.keyboard.press("Tab")
    tab.page.keyboard.press("Enter")
    tab.shows("position", "0")
    assert tab.page.evaluate("document.activeElement.tagName") == "SUMMARY"


def test_a_reload_or_back_takes_no_step_and_shows_what_is(service: Service, browser: Browser) -> None:
    """Also what came to be while another page was shown."""
    tab = browser(address(service)).goes_live()
    tab.click("Next")
    tab.shows("position", "31")
    tab.page.reload()
    tab.goes_live().shows("position", "31")
    tab.may_be_offline = True  # Of a number, which has no icon, a browser asks for /favicon.ico.
    tab.page.get_by_role("link", name="/current").click()
    tab.page.wait_for_url("**/current")
    after = step(service)
    tab.page.go_back()
    tab.goes_live().shows("position", "32")
    assert service.sequence() == after


def test_it_gets_back_a_service_that_was_killed(tmp_path: Path, browser: Browser) -> None:
    """Both tabs say that it is away, keep what they knew, and go on by themselves when it is there again."""
    port = str(free_port())
    with serving(tmp_path, "--port", port) as service:
        tabs = [browser(address(service)).goes_live()]
        tabs.append(browser(address(service), beside=tabs[0]).goes_live())
        tabs[0].click("Next")
        for tab in tabs:
            tab.shows("position", "1")
            tab.may_be_offline = True
        service.stop(signal.SIGKILL)
        for tab in tabs:
            tab.shows("link", "Reconnecting\u2026")
            assert (tab.text("position"), tab.text("value")) == ("1", "1")
            assert tab.text("health") == "Not known while it is away"
        tabs[0].click("Next")
        tabs[0].shows("message", "No answer came. Asking again\u2026")
    with serving(tmp_path, "--port", port) as service:
        for tab in tabs:
            tab.goes_live().shows("position", "2")  # Taken, once.
            assert tab.text("health") == "Takes steps"
        tabs[1].shows("message", "Connected again.")
        tabs[1].click("Next")
        for tab in tabs:
            tab.shows("position", "3")
        assert service.sequence() == 3


def test_it_asks_again_when_it_was_turned_away(tmp_path: Path, browser: Browser) -> None:
    """A browser gives a stream up for good if it is answered 503, as by a service that recovers; the page does not."""
    port = str(free_port())
    with serving(tmp_path, "--port", port) as service:
        tab = browser(address(service)).goes_live()
        tab.may_be_offline = True
        service.stop(signal.SIGKILL)
    with serving(tmp_path, "--port", port, program=[sys.executable, "-c", slow_to_recover(4)]) as service:
        tab.page.wait_for_function("() => source && source.readyState === EventSource.CLOSED")
        soon_ms = 20_000  # Long before it takes silence for a loss.
        tab.page.wait_for_function("() => document.getElementById('link').innerText === 'Live'", timeout=soon_ms)
        tab.click("Next")
        tab.shows("position", "1")


def test_a_long_number_is_shown_by_its_ends_and_copied_whole(tmp_path: Path, browser: Browser) -> None:
    """With how many digits are between; the copy is the number itself, without separators."""
    for position, digits in ((200, 42), (2_000, 418), (100_000, 20_899)):
        stand_at(tmp_path / str(position), position)
        with serving(tmp_path / str(position)) as service, service.connect() as client:
            tab = browser(address(service), permissions=["clipboard-read", "clipboard-write"]).goes_live()
            tab.shows("digits", f"{digits:,} digits")
            tab.page.get_by_role("button", name="Copy").click()
            tab.shows("message", f"Copied F({position:,}).")
            whole = client.ask("GET", "/current").body.decode().strip()
            assert tab.page.evaluate("navigator.clipboard.readText()") == whole
            told = re.sub(r"[^\d\u2026]", "", re.sub(r"\u2026.*\u2026", "\u2026", tab.text("value"), flags=re.DOTALL))
            head, _, tail = told.partition("\u2026")
            assert whole.startswith(head)
            assert whole.endswith(tail)
            assert (told == whole) == (digits <= 300)
            tab.page.close()


def test_the_index_is_that_of_the_digits_while_no_others_come(tmp_path: Path, browser: Browser) -> None:
    """A step tells where the walk stands and no digits; a copy is of the number that the walk stands at."""
    with serving(tmp_path) as service:
        tab = browser(address(service), permissions=["clipboard-read", "clipboard-write"]).goes_live()
        tab.page.evaluate("rest()")
        for position in range(1, 6):
            tab.click("Next")
            tab.shows("position", str(position))
        assert (tab.text("index"), tab.text("value")) == ("0", "0")
        tab.page.get_by_role("button", name="Copy").click()
        tab.shows("message", "Copied F(5).")
        assert tab.page.evaluate("navigator.clipboard.readText()") == "5"
        tab.page.evaluate("watch()")
        tab.shows("index", "5")


def test_the_plot_shows_steps_a_second(service: Service, browser: Browser) -> None:
    """A sample a second, and what it says is there for who does not see it."""
    tab = browser(address(service)).goes_live()
    tab.page.wait_for_function("() => document.querySelector('.line').getAttribute('d')")
    with service.connect() as client:
        for _ in range(50):
            client.ask("POST", "/next", "Prefer: return=minimal")
    tab.page.wait_for_function("() => /[1-9]/.test(document.getElementById('peak').innerText)")
    label = tab.page.get_attribute("#plot", "aria-label") or ""
    assert re.fullmatch(r"Steps a second over the last minute: [\d.,]+ now, [\d.,]+ at most\.", label)
    assert re.fullmatch(r"[\d.]+\s(ms|\u00b5s)", tab.text("commit"))


def test_a_token_is_asked_for_where_one_is_needed(tmp_path: Path, browser: Browser) -> None:
    """Before that the buttons are off; a wrong one is told, and takes no step; the page keeps none."""
    (tmp_path / "token").write_text("s" * 32 + "\n", "ascii")
    (tmp_path / "token").chmod(0o600)
    with serving(tmp_path / "data", "--token-file", str(tmp_path / "token")) as service:
        tab = browser(address(service)).goes_live()
        next_button = tab.page.get_by_role("button", name="Next")
        assert next_button.is_disabled()
        tab.may_be_offline = True
        tab.page.get_by_label("Token").fill("w" * 32)
        next_button.click()
        tab.page.wait_for_function("() => document.getElementById('message').innerText.startsWith('Not taken (401)')")
        tab.page.get_by_label("Token").fill("s" * 32)
        next_button.click()
        tab.shows("position", "1")
        assert service.sequence() == 1
        tab.page.reload()
        assert tab.goes_live().page.get_by_role("button", name="Next").is_disabled()
