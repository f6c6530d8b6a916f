"""Alerts on a process that is gone, starts again, gets no time, or is not durable."""

import signal
import time
from contextlib import ExitStack
from pathlib import Path

from support.process import free_port, serving
from support.prometheus import scraping


def test_a_service_that_is_killed(tmp_path: Path) -> None:
    """PexDown: it does not answer a scrape."""
    port = str(free_port())
    with serving(tmp_path / "data", "--port", port) as service, scraping(tmp_path / "prometheus", service.port) as seen:
        seen.await_firing(set(), among=set())
        service.stop(signal.SIGKILL)
        seen.await_firing({"PexDown"}, among={"PexDown"})
        with serving(tmp_path / "data", "--port", port):
            seen.await_firing(set(), among={"PexDown"})


def test_a_service_that_starts_again_and_again(tmp_path: Path) -> None:
    """PexRestarting: it is killed three times, and started again each time."""
    port = str(free_port())
    with ExitStack() as stack:
        service = stack.enter_context(serving(tmp_path / "data", "--port", port))
        seen = stack.enter_context(scraping(tmp_path / "prometheus", service.port))
        seen.await_firing(set(), among=set())
        for _ in range(3):
            service.stop(signal.SIGKILL)
            service = stack.enter_context(serving(tmp_path / "data", "--port", port))
            seen.await_scrape()
        seen.await_firing(
            {"PexRestarting"}, among={"PexRestarting", "PexDown"}
        )  # A start on a busy machine takes long.
        seen.await_firing(set(), among={"PexRestarting"})


def test_a_process_that_gets_no_time(tmp_path: Path) -> None:
    """PexLoopLate: it is stopped most of the time."""
    with serving(tmp_path / "data") as service, scraping(tmp_path / "prometheus", service.port) as seen:
        seen.await_firing(set(), among=set())
        while (firing := seen.firing()) != {"PexLoopLate"}:
            assert not firing
            service.send_signal(signal.SIGSTOP)
            time.sleep(0.6)
            service.send_signal(signal.SIGCONT)
            time.sleep(0.2)
        seen.await_firing(set(), among={"PexLoopLate"})


def test_durability_that_was_weakened(tmp_path: Path) -> None:
    """PexNotDurable: it runs with --durability interval."""
    options = ["--port", str(free_port())]
    with ExitStack() as stack:
        service = stack.enter_context(serving(tmp_path / "data", *options, "--durability", "interval"))
        seen = stack.enter_context(scraping(tmp_path / "prometheus", service.port))
        seen.await_firing({"PexNotDurable"}, among={"PexNotDurable"})
        service.stop()
        stack.enter_context(serving(tmp_path / "data", *options))
        seen.await_firing(set(), among={"PexNotDurable"})
