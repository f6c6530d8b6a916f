"""Set-up of all tests: how much is run, whether skips fail, and what was seen."""

import signal
from collections.abc import Generator
from functools import partial

import pytest
from hypothesis import settings

from support.much import Much
from support.show import Show
from support.strict import skips_fail

# Tests measure no time: the machine may be busy.
settings.register_profile(Much.SHORT, deadline=None)
settings.register_profile(Much.FULL, deadline=None, max_examples=1000)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the one option that says how much."""
    parser.addoption(
        "--much",
        type=Much,
        choices=list(Much),
        default=Much.SHORT,
        help="short: as CI runs it; full: a million requests through a proxy, ten times the kills and examples",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Have Hypothesis try as many examples as that says, and programs that are started hear SIGHUP."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # Else `nohup make test` would have them ignore it.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGIO])  # As the service; workers of pytest-xdist inherit it.
    settings.load_profile(config.getoption("--much"))


@pytest.fixture(scope="session")
def much(pytestconfig: pytest.Config) -> Much:
    """How much is to be run."""
    said: Much = pytestconfig.getoption("--much")
    return said


@pytest.fixture
def show(record_property: "partial[None]") -> Show:
    """Have a sentence about what the test saw printed at the end."""
    return partial(record_property, "seen")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests saw."""
    seen = [
        (report.nodeid.rpartition("::")[2], value)
        for report in terminalreporter.getreports("passed")
        for name, value in report.user_properties
        if name == "seen"
    ]
    if seen:
        terminalreporter.section("what was seen")
    for test, value in seen:
        terminalreporter.write_line(f"{test.removeprefix('test_').replace('_', ' ')}: {value}")


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
