"""A tab of a real browser that shows the home page of a service, and what happened in it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from shutil import which
from typing import Any, Final, Self

import pytest

from support.process import HANG_S, Service

sync_api = pytest.importorskip("playwright.sync_api", reason="make test-browser installs playwright")

WIDE: Final = {"width": 1280, "height": 900}
NARROW: Final = {"width": 360, "height": 740}
_OFFLINE: Final = ("net::ERR_", "Failed to load resource")
"""What Chromium itself says of a service that is away."""


def address(service: Service) -> str:
    """Return where a service has its page."""
    return f"http://127.0.0.1:{service.port}/"


class Tab:
    """One tab. What its console says, and what fails in its scripts, is an error, whatever the test is about."""

    def __init__(self, context: Any, url: str) -> None:
        self.page = context.new_page()
        self.page.set_default_timeout(HANG_S * 1000)
        self.errors: list[str] = []
        self.may_be_offline = False
        self.page.on("console", lambda told: self._on_console(told.type, told.text))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.goto(url)

    def _on_console(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"} and not (self.may_be_offline and any(each in text for each in _OFFLINE)):
            self.errors.append(text)

    def text(self, name: str) -> str:
        """Return what an element shows, by its id."""
        return str(self.page.inner_text(f"#{name}"))

    def shows(self, name: str, text: str) -> None:
        """Wait until an element shows this, by its id."""
        self.page.wait_for_function(
            "([name, text]) => document.getElementById(name).innerText === text", arg=[name, text]
        )

    def goes_live(self) -> Self:
        """Wait until it is told of states."""
        self.shows("link", "Live")
        return self

    def click(self, name: str) -> None:
        """Press the button of this name."""
        self.page.get_by_role("button", name=name, exact=False).click()


Browser = Callable[..., Tab]


@contextmanager
def chromium() -> Iterator[Any]:
    """Run a Chromium without a window until the end of the block."""
    program = which("chromium") or which("chromium-browser") or which("google-chrome")
    if program is None:
        pytest.skip("chromium is not installed; make test-deps brings it")
    with sync_api.sync_playwright() as playwright:
        # Its sandbox needs rights that a container's root has not; it shows nothing but our own page.
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()
