"""What a process uses, as far as it can be found out."""

from pathlib import Path

import pytest

from pexservice.process import usage as usages
from pexservice.process.usage import share_bytes, usage


def test_what_this_process_uses_is_told() -> None:
    """Time and memory, of which it has a share, too."""
    used = usage()
    assert used.cpu_s > 0
    assert used.resident_bytes > 1 << 20
    assert 0 < share_bytes() <= 2 * used.resident_bytes


def test_what_cannot_be_found_out_is_0(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """There may be no /proc in a container or a chroot, which is no reason to have no metrics."""
    for name in ("_STATM", "_SMAPS", "_DESCRIPTORS"):
        monkeypatch.setattr(usages, name, tmp_path / name)
    used = usage()
    assert used.cpu_s > 0
    assert (used.resident_bytes, used.descriptors, share_bytes()) == (0, 0, 0)
