"""The home page where replicas serve one walk, each with a page of its own."""

import signal

import pytest

from support import postgres
from support.process import free_port, run, serving
from system.browser.tab import Browser, address

pytestmark = pytest.mark.skipif(not postgres.is_there(), reason="needs PostgreSQL, and root")


def test_two_replicas_show_one_walk_also_when_one_was_killed(browser: Browser) -> None:
    """A step at one page is seen at the other; both tell how many serve; the page of a killed one comes back."""
    postgres.shared().ask("CREATE DATABASE pages")
    url = f"{postgres.shared().url}/pages"
    # By a process of its own: where a browser is driven, an event loop runs already.
    assert run("store", "init", "--one-server", url).returncode == 0
    port = str(free_port())
    with serving(None, "--store", url) as one:
        here = browser(address(one)).goes_live()
        with serving(None, "--store", url, "--port", port) as two:
            there = browser(address(two)).goes_live()
            for tab, other, position in ((here, there, "1"), (there, here, "2")):
                tab.click("Next")
                for each in (tab, other):
                    each.shows("position", position)
            for tab in (here, there):
                tab.shows("processes", "2 processes serve")
            there.may_be_offline = True
            two.stop(signal.SIGKILL)
            there.shows("link", "Reconnecting\u2026")
            here.shows("processes", "1 process serves")
            here.click("Next")
            here.shows("position", "3")
            assert there.text("position") == "2", "it is away"
        with serving(None, "--store", url, "--port", port):
            there.goes_live().shows("position", "3")
            there.click("Next")
            for tab in (here, there):
                tab.shows("position", "4")
                tab.shows("processes", "2 processes serve")
