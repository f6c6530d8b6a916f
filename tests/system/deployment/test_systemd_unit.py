"""The unit for systemd, as systemd itself judges it. `make test-systemd` is what tries it."""

import subprocess
from pathlib import Path
from shutil import which
from typing import Final

import pytest

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
