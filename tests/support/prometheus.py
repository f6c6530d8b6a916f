"""A real Prometheus on loopback with the rules that we ship, on a clock of its own.

A rule that waits five minutes is the same rule when it waits ten seconds and is asked thirty times as often. So
windows, waits and the scrape interval of the shipped files are all divided by one number, and nothing else changes.
"""

import json
import re
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from typing import Any, Final

import pytest

from support.process import HANG_S, wait_until

_CHECKOUT: Final = Path(__file__).parents[2]
DEPLOY: Final = _CHECKOUT / "deploy"
RULES: Final = DEPLOY / "prometheus" / "alerts.yaml"
CONFIG: Final = DEPLOY / "prometheus" / "prometheus.yaml"

_TIMES_FASTER: Final = 30
"""A minute passes in two seconds, and a scrape comes each half: what a busy machine can keep up with."""
_UNITS_MS: Final = {"s": 1_000, "m": 60_000}
_DURATION: Final = re.compile(r"(?<=for: )(\d+)([sm])\b|(?<=interval: )(\d+)([sm])\b|(?<=\[)(\d+)([sm])(?=\])")
_LOOK_S: Final = 0.1
_DIRECTLY: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""Not by a proxy that the environment names."""


def tool(name: str) -> str:
    """Return where a program of Prometheus is, or skip the test."""
    found = which(name, path=str(_CHECKOUT / ".prometheus")) or which(name)
    if found is None:
        pytest.skip(f"{name} is not installed; make test-deps brings it")
    return found


def _faster(text: str) -> str:
    """Return rules or a configuration with every duration divided."""

    def divide(found: re.Match[str]) -> str:
        number, unit = (group for group in found.groups() if group)
        return f"{int(number) * _UNITS_MS[unit] // _TIMES_FASTER}ms"

    return _DURATION.sub(divide, text)


class Prometheus:
    """A running one, which scrapes one service."""

    def __init__(self, url: str) -> None:
        self._url = url

    def values(self, query: str) -> list[float]:
        """Return the values that a query gives now."""
        result = self._get("query", query=query)["result"]
        return [float(each["value"][1]) for each in result]

    def firing(self) -> set[str]:
        """Return the names of the alerts that fire."""
        alerts = self._get("alerts")["alerts"]
        return {each["labels"]["alertname"] for each in alerts if each["state"] == "firing"}

    def await_firing(self, expected: set[str], *, among: set[str]) -> None:
        """Return once just the expected alerts fire; until then no others than those `among` may."""
        deadline_s = time.monotonic() + HANG_S
        while (firing := self.firing()) != expected:
            assert firing <= among, f"{firing} fire, where only {among} may"
            assert time.monotonic() < deadline_s, f"{firing} fire, not {expected}"
            time.sleep(_LOOK_S)

    def await_scrape(self) -> None:
        """Return once the service has been scraped anew."""
        last_s = max(self.values("timestamp(up) and up == 1"), default=0.0)
        wait_until(lambda: max(self.values("timestamp(up) and up == 1"), default=0.0) > last_s)

    def _get(self, what: str, **parameters: str) -> dict[str, Any]:
        url = f"{self._url}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        with _DIRECTLY.open(url, timeout=HANG_S) as answer:
            data: dict[str, Any] = json.load(answer)["data"]
        return data


@contextmanager
def scraping(directory: Path, port: int) -> Iterator[Prometheus]:
    """Have a Prometheus scrape the service on a port, until the end of the block, with the shipped files made faster.

    It has scraped it when the block begins.
    """
    directory.mkdir()
    (directory / RULES.name).write_text(_faster(RULES.read_text("utf-8")), "utf-8")
    config = directory / CONFIG.name
    text = _faster(CONFIG.read_text("utf-8"))
    assert ":8081" in text
    config.write_text(text.replace(":8081", f":{port}"), "utf-8")
    log = directory / "log"
    options = ["--web.listen-address=127.0.0.1:0", f"--storage.tsdb.path={directory / 'data'}"]
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [tool("prometheus"), f"--config.file={config}", *options], stdin=subprocess.DEVNULL, stderr=stderr
        )
    try:
        prometheus = Prometheus(f"http://{_address(process, log)}")
        prometheus.await_scrape()
        wait_until(lambda: "PexDown" not in prometheus.firing())  # It takes 5 s to begin: minutes, on its clock.
        yield prometheus
    finally:
        process.kill()  # What it stored is of no use.
        process.wait(HANG_S)


def _address(process: "subprocess.Popen[bytes]", log: Path) -> str:
    """Return where it listens, once it serves."""

    def served() -> re.Match[str] | None:
        text = log.read_text("utf-8")
        assert process.poll() is None, f"it ended: {text}"
        return re.search(r'msg="Listening on" address=(\S+)', text) if "Server is ready" in text else None

    wait_until(lambda: served() is not None)
    found = served()
    assert found is not None
    return found[1]
