"""What `make` says of itself."""

import re
import subprocess
import tomllib
from pathlib import Path

_CHECKOUT = Path(__file__).parents[3]
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


def test_every_folder_of_tests_is_run_by_one_target_and_by_ci() -> None:
    """`make test` runs those that need seconds, `make test-X` the folder X of tests/system; CI runs them all."""
    options = tomllib.loads((_CHECKOUT / "pyproject.toml").read_text("utf-8"))["tool"]["pytest"]["ini_options"]
    folders = {path.parent.relative_to(_CHECKOUT) for path in (_CHECKOUT / "tests").rglob("test_*.py")}
    alone = {str(each) for each in folders if not any(each.is_relative_to(path) for path in options["testpaths"])}
    [targets] = re.findall(r"^(test-[^:]*): .*\n\t.*pytest .* tests/system/\$\(@:test-%=%\)$", _MAKEFILE, re.MULTILINE)
    assert {f"tests/system/{each.removeprefix('test-')}" for each in targets.split()} == alone
    ci = (_CHECKOUT / ".ci" / "run").read_text("utf-8")
    assert {"test", *targets.split()} <= set(re.findall(r"^make ([a-z-]+)$", ci, re.MULTILINE))
