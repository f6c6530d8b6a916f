"""A browser for the tests of the page, and tabs of which each test has its own."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.process import Service, serving
from system.browser.tab import WIDE, Browser, Tab, chromium
from torture.crowd import stand_at


@pytest.fixture(scope="module")
def running() -> Iterator[Any]:
    """Run one browser for the tests of a file."""
    with chromium() as browser:
        yield browser


@pytest.fixture
def browser(running: Any) -> Iterator[Browser]:
    """Give a function that opens a page in a profile of its own; in the end no tab may have told of an error."""
    contexts, tabs = [], []

    def opened(url: str, beside: Tab | None = None, **options: Any) -> Tab:
        """Open a tab, `beside` another or in a new profile, with options of Playwright's contexts."""
        context = beside.page.context if beside else running.new_context(**({"viewport": WIDE} | options))
        contexts.append(context)
        tabs.append(Tab(context, url))
        return tabs[-1]

    yield opened
    errors = [error for tab in tabs for error in tab.errors]
    for context in contexts:
        context.close()
    assert not errors


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """Run a service whose walk stands at position 30, after as many steps."""
    stand_at(tmp_path / "data", 30)
    with serving(tmp_path / "data") as running:
        yield running
