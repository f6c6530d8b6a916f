"""Set-up of all tests."""

from collections.abc import Generator

import pytest
from hypothesis import settings

from support.strict import skips_fail

settings.register_profile("untimed", deadline=None)  # Tests measure no time: the machine may be busy.
settings.load_profile("untimed")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test that skips, where skips fail, and say what it lacks."""
    report = yield
    _judge(report, item.nodeid)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Likewise a whole file."""
    report = yield
    _judge(report, collector.nodeid)
    return report


def _judge(report: pytest.TestReport | pytest.CollectReport, what: str) -> None:
    if skips_fail() and report.outcome == "skipped" and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
        report.outcome = "failed"
        report.longrepr = f"{what} was to be skipped, which fails where SKIPS_FAIL is set. {reason}"
