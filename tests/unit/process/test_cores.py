"""How many processors there are, by affinity and control groups."""

import os
from pathlib import Path
from unittest.mock import patch

import pytest

from pexservice.process import cores


def _group(root: Path, path: str, **files: str) -> None:
    directory = root / path
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (directory / name.replace("_", ".", 1) if name == "cpu_max" else directory / f"cpu.{name}").write_text(text)


@pytest.fixture(autouse=True)
def sixteen() -> object:
    with patch.object(os, "sched_getaffinity", lambda _pid: set(range(16))):
        yield


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, 16),
        ({"a/b": "max 100000\n"}, 16),
        ({"a/b": "350000 100000\n"}, 3),
        ({"a": "250000 100000\n", "a/b": "350000 100000\n"}, 2),
        ({"": "800000 100000\n"}, 8),
        ({"a/b": "50000 100000\n"}, 1),
        ({"a/b": "garbage\n"}, 16),
        ({"c": "100000 100000\n"}, 16),
    ],
)
def test_the_least_of_a_group_and_those_above_it_counts(tmp_path: Path, files: dict[str, str], expected: int) -> None:
    """Of version 2: cpu.max, in whole processors, at least one; other groups have no part in it."""
    for path, text in files.items():
        _group(tmp_path, path, cpu_max=text)
    own = tmp_path / "own"
    own.write_text("0::/a/b\n")
    assert cores.cores(tmp_path, own) == expected


def test_a_group_of_version_1_counts_likewise(tmp_path: Path) -> None:
    """cpu.cfs_quota_us of the controller's own hierarchy; -1 is no limit."""
    own = tmp_path / "own"
    own.write_text("5:memory:/x\n4:cpu,cpuacct:/a/b\n")
    _group(tmp_path, "cpu,cpuacct/a/b", cfs_quota_us="-1\n", cfs_period_us="100000\n")
    assert cores.cores(tmp_path, own) == 16
    _group(tmp_path, "cpu,cpuacct/a", cfs_quota_us="600000\n", cfs_period_us="100000\n")
    assert cores.cores(tmp_path, own) == 6


def test_without_control_groups_the_affinity_counts(tmp_path: Path) -> None:
    """As in a sandbox without /proc."""
    assert cores.cores(tmp_path, tmp_path / "none") == 16


@pytest.mark.parametrize(("available", "expected"), [(1, 1), (2, 1), (3, 1), (4, 3), (8, 7), (100, 32)])
def test_workers_are_one_fewer_from_four_processors_on(available: int, expected: int) -> None:
    """Below, a single process is faster; and there is a bound."""
    with patch.object(cores, "cores", lambda: available):
        assert cores.workers(32) == expected
