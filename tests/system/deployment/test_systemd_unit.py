"""The unit for systemd, as systemd itself judges it, and as its page tells of it. `make test-systemd` tries it."""

import re
import subprocess
from pathlib import Path
from shutil import which
from typing import Final

import pytest

from pexservice.config import parse_duration_s, parse_size_bytes
from system.deployment.deploy_files import page

_UNIT: Final = Path(__file__).parents[3] / "deploy" / "systemd" / "pexservice.service"
_EXPOSURE_TENTHS_MAX: Final = 15
"""systemd calls what is below 2 safe. It is at 0.5 or less, as the version of systemd counts."""


def test_the_unit_is_confined() -> None:
    """What the service could do to its machine is little, in the count of systemd-analyze."""
    analyze = which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed")
    if "--offline" not in subprocess.run([analyze, "--help"], capture_output=True, text=True, check=True).stdout:
        pytest.skip("systemd-analyze is older than 250, and judges only what is installed")
    judge = [analyze, "security", "--offline=true", f"--threshold={_EXPOSURE_TENTHS_MAX}", "--no-pager", str(_UNIT)]
    judged = subprocess.run(judge, capture_output=True, text=True, check=False)
    assert judged.returncode == 0, judged.stdout + judged.stderr


def _setting(name: str) -> str:
    """Return what the unit sets, as systemd reads it: the last such line."""
    found: list[str] = re.findall(rf"^{name}=(.*)$", _UNIT.read_text("utf-8"), re.MULTILINE)
    return found[-1]


def _told(pattern: str) -> tuple[str, ...]:
    """Return what the page says in place of each group of a pattern. A space there may be the end of a line."""
    found = re.search(pattern.replace(" ", r"\s+"), page("systemd.md"))
    assert found is not None, pattern
    return found.groups()


def test_the_page_tells_the_bounds_of_the_unit() -> None:
    """What it may take: memory, threads and descriptors."""
    memory, threads, descriptors = _told(r"more than (\S+ MiB), (\S+) threads and (\S+) descriptors")
    assert parse_size_bytes(memory) == parse_size_bytes(_setting("MemoryMax"))
    assert int(threads) == int(_setting("TasksMax"))
    assert int(descriptors.replace(",", "")) == int(_setting("LimitNOFILE"))
    assert parse_size_bytes(*_told(r"ran out of memory \((\S+ MiB)\)")) == parse_size_bytes(_setting("MemoryMax"))


def test_the_page_tells_what_the_unit_restarts() -> None:
    """After what time, and after which statuses not."""
    pause, longest = _told(r"starts it after (\S+ s), however often, and since .*?, up to (\S+ s);")
    assert parse_duration_s(pause) == parse_duration_s(_setting("RestartSec"))
    assert parse_duration_s(longest) == parse_duration_s(_setting("RestartMaxDelaySec"))
    assert parse_duration_s(*_told(r"watchdog kills it after (\S+ s)")) == parse_duration_s(_setting("WatchdogSec"))
    (never,) = _told(r"\| exit ((?:\d+, )*\d+);")
    (credential,) = _told(r"a credential is missing \((\d+)\)")
    assert [*never.split(", "), credential] == _setting("RestartPreventExitStatus").split()
