"""What `make` says of itself."""

import re
import subprocess
from pathlib import Path

_CHECKOUT = Path(__file__).parents[2]
_MAKEFILE = (_CHECKOUT / "Makefile").read_text("utf-8")


def test_make_alone_lists_every_target_that_is_for_people() -> None:
    """In a line each; those that are only there for others are left out."""
    shown = subprocess.run(["make"], cwd=_CHECKOUT, capture_output=True, text=True, check=True).stdout
    listed = re.findall(r"^  make ([a-z-]+) +\S", shown, re.MULTILINE)
    [phony] = re.findall(r"^\.PHONY: ((?:.|\\\n)*?)$(?<!\\)", _MAKEFILE, re.MULTILINE)
    for_others = {"test-systemd-deps", "test-image-deps", "bench-deps"}
    assert sorted(listed) == sorted(set(phony.replace("\\", " ").split()) - for_others)
    assert max(map(len, shown.splitlines())) <= 120


def test_pages_name_no_target_that_is_not_there() -> None:
    """Nor do README and HACKING."""
    pages = [_CHECKOUT / "README.md", _CHECKOUT / "HACKING.md", *(_CHECKOUT / "docs").rglob("*.md")]
    named = {
        name
        for page in pages
        for name in re.findall(r"(?:`|^    |sudo )make ([a-z-]+)", page.read_text("utf-8"), re.MULTILINE)
    }
    assert named <= set(re.findall(r"^([a-z][a-z-]*)[ :]", _MAKEFILE, re.MULTILINE))
