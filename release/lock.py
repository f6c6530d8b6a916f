"""The lock file, read for what it says about each package."""

import re
from dataclasses import dataclass
from typing import Final

from release.building import Unfit

_LOCKED: Final = re.compile(r"^([\w.-]+)==(\S+)((?:\s+\\\s+--hash=sha256:[0-9a-f]{64})+)", re.MULTILINE)
_HASH: Final = re.compile(r"sha256:([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Locked:
    """A package as the lock file has it: the hashes are of every file that may be installed."""

    name: str
    version: str
    hashes: tuple[str, ...]

    @property
    def reference(self) -> str:
        """Its package URL (https://github.com/package-url/purl-spec), by which the document knows it."""
        return f"pkg:pypi/{self.name}@{self.version}"


def read(requirements: str) -> list[Locked]:
    """Read a lock file as `make lock` writes it. Raises Unfit if anything in it is not pinned with hashes."""
    found = [Locked(name, version, tuple(_HASH.findall(rest))) for name, version, rest in _LOCKED.findall(requirements)]
    packages = re.findall(r"^[^\s#].*", requirements, re.MULTILINE)
    if len(found) != len(packages):
        raise Unfit(f"of the {len(packages)} packages in the lock file, {len(found)} are pinned with hashes")
    return found
