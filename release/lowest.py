"""The lowest versions that pyproject.toml allows, as pins: `python -m release.lowest`.

A bound that nobody tried is a guess. So `make lock` locks these, with everything that tests need, into
requirements/lowest.txt, and `make test-lowest` runs the tests with it. There is no second list: a test compares.
"""

import re
import sys
import tomllib
from pathlib import Path
from typing import Final

from release.building import Unfit

_PROJECT: Final = Path(__file__).parents[1] / "pyproject.toml"
_BOUND: Final = re.compile(r"([a-z0-9-]+)>=([0-9]+(?:\.[0-9]+)*)")


def dependencies(project: Path = _PROJECT) -> list[str]:
    """Return what the project depends on, as it says it."""
    found: list[str] = tomllib.loads(project.read_text("utf-8"))["project"]["dependencies"]
    return found


def extras(project: Path = _PROJECT) -> list[str]:
    """Return what its extras depend on, likewise."""
    found = tomllib.loads(project.read_text("utf-8"))["project"]["optional-dependencies"]
    return [each for extra in found.values() for each in extra]


def lowest(requirements: list[str]) -> dict[str, str]:
    """Return package and version of each. Raises Unfit if one has no lower bound, or more than that."""
    found = {}
    for requirement in requirements:
        matched = _BOUND.fullmatch(requirement)
        if matched is None:
            raise Unfit(f"{requirement!r} in pyproject.toml is not of the form name>=version")
        found[matched[1]] = matched[2]
    return found


if __name__ == "__main__":
    sys.stdout.writelines(f"{name}=={version}\n" for name, version in lowest(dependencies() + extras()).items())
