"""Skips fail where they must not happen."""

import os
import subprocess
import sys
from pathlib import Path
from shutil import copy
from typing import Final

import pytest

_TESTS: Final = Path(__file__).parents[1]
_SKIPPED: Final = """
import pytest

@pytest.mark.skipif(True, reason="no sprocket")
def test_marked(): ...

def test_inside():
    pytest.skip("no grommet")

@pytest.fixture
def part():
    pytest.skip("no widget")

def test_of_a_fixture(part): ...

@pytest.mark.xfail(reason="known")
def test_known():
    assert False

def test_passes(): ...
"""


def run(directory: Path, skips_fail: str | None) -> str:
    copy(_TESTS / "conftest.py", directory)
    (directory / "test_one.py").write_text(_SKIPPED)
    (directory / "test_two.py").write_text('import pytest\npytest.skip("no gadget", allow_module_level=True)')
    environment = {name: value for name, value in os.environ.items() if name != "SKIPS_FAIL"}
    environment |= {"PYTHONPATH": str(_TESTS)} | ({} if skips_fail is None else {"SKIPS_FAIL": skips_fail})
    program = [sys.executable, "-m", "pytest", "-ra", "--continue-on-collection-errors", "--rootdir", str(directory)]
    ended = subprocess.run([*program, directory], env=environment, capture_output=True, text=True, check=False)
    return ended.stdout


def test_a_skip_fails_where_it_must_not_be(tmp_path: Path) -> None:
    """However it comes about, and it says what is missing; a failure that is expected is none."""
    told = run(tmp_path, "1")
    assert "1 failed, 1 passed, 1 xfailed, 3 errors" in told, told
    for missing in ("no sprocket", "no grommet", "no widget", "no gadget"):
        assert missing in told


@pytest.mark.parametrize("skips_fail", [None, "", "0"])
def test_elsewhere_a_skip_is_told(tmp_path: Path, skips_fail: str | None) -> None:
    """A machine that lacks something runs the other tests."""
    assert "1 passed, 4 skipped, 1 xfailed" in run(tmp_path, skips_fail)
