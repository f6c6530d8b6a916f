"""Wheel and sdist of a commit, the same bytes whoever builds them.

What is built is the last commit, taken out of git into a directory of its own, so nothing else that lies about can get
in; and it is built again under another umask, in another place and time zone, and from the sdist, before it is
believed. Times in it are the commit's (https://reproducible-builds.org/specs/source-date-epoch).
"""

import io
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from os import environ
from pathlib import Path
from typing import Final

_BUILD_S: Final = 60
"""A build takes a second."""
_OTHER_UMASK: Final = 0o077
_BUILD: Final = (
    "import sys; from flit_core import buildapi as b; b.build_wheel(sys.argv[1]); b.build_sdist(sys.argv[1])"
)
# Python before 3.11.4 extracts without a filter; what is extracted here was made here.
_FILTER: Final = getattr(tarfile, "data_filter", lambda member, _path: member)


class Unfit(Exception):
    """Raised when what was built must not be given out; says why."""


@dataclass(frozen=True, slots=True)
class Commit:
    """What is built: its files as a tar archive, their names, and its time in seconds since 1970."""

    archive: bytes
    names: frozenset[str]
    epoch_s: int

    @classmethod
    def head(cls, checkout: Path) -> "Commit":
        """Return the last commit of a checkout. Raises Unfit if there is none."""
        try:
            archive = _git(checkout, "archive", "--format=tar", "HEAD")
            names = _git(checkout, "ls-tree", "-r", "-z", "--name-only", "HEAD").decode().split("\0")
            epoch_s = int(_git(checkout, "log", "-1", "--format=%ct"))
        except subprocess.CalledProcessError as error:
            raise Unfit(f"a release is made of a git commit: {error.stderr.decode().strip()}") from error
        return cls(archive, frozenset(filter(None, names)), epoch_s)

    def take_out(self, directory: Path, *, umask: int = 0o022) -> None:
        """Write its files into a new directory."""
        directory.mkdir(parents=True)
        with tarfile.open(fileobj=io.BytesIO(self.archive)) as archive:
            archive.extraction_filter = _FILTER
            for member in archive:
                member.mode &= ~umask
                archive.extract(member, directory)


@dataclass(frozen=True, slots=True)
class Built:
    """A wheel and an sdist."""

    wheel: Path
    sdist: Path

    @classmethod
    def build(cls, source: Path, into: Path, epoch_s: int, *, umask: int = 0o022, zone: str = "UTC") -> "Built":
        """Build both from a source tree, as any PEP 517 front end would."""
        into.mkdir(parents=True)
        variables = {"SOURCE_DATE_EPOCH": str(epoch_s), "TZ": zone, "PYTHONDONTWRITEBYTECODE": "1"}
        subprocess.run(  # noqa: S603 - our own interpreter, with the locked build backend.
            [sys.executable, "-c", _BUILD, str(into.resolve())],
            cwd=source,
            env=dict(environ) | variables,
            umask=umask,
            timeout=_BUILD_S,
            check=True,
        )
        [wheel], [sdist] = into.glob("*.whl"), into.glob("*.tar.gz")
        return cls(wheel, sdist)


def build(commit: Commit, work: Path) -> Built:
    """Build wheel and sdist of a commit. Raises Unfit if they are not complete, or not the same when built again."""
    commit.take_out(work / "source")
    built = Built.build(work / "source", work / "built", commit.epoch_s)
    commit.take_out(work / "again" / "elsewhere", umask=_OTHER_UMASK)
    again = Built.build(
        work / "again" / "elsewhere",
        work / "again" / "built",
        commit.epoch_s,
        umask=_OTHER_UMASK,
        zone="Asia/Kathmandu",
    )
    _require_same(built.wheel, again.wheel)
    _require_same(built.sdist, again.sdist)

    root, names = contents(built.sdist)
    if names != commit.names | {"PKG-INFO"}:
        stray = ", ".join(sorted(names ^ (commit.names | {"PKG-INFO"})))
        raise Unfit(f"sdist and commit differ in: {stray}. See [tool.flit.sdist] in pyproject.toml.")
    with tarfile.open(built.sdist) as archive:
        archive.extraction_filter = _FILTER
        archive.extractall(work / "unpacked")  # noqa: S202 - it is filtered, where Python can, and we have just made it.
    from_sdist = Built.build(work / "unpacked" / root, work / "from-sdist", commit.epoch_s)
    _require_same(built.wheel, from_sdist.wheel)
    _require_same(built.sdist, from_sdist.sdist)
    return built


def contents(sdist: Path) -> tuple[str, frozenset[str]]:
    """Return the directory that an sdist unpacks to, and the names of the files in it."""
    with tarfile.open(sdist) as archive:
        paths = [member.name.partition("/") for member in archive if member.isfile()]
    [root] = {root for root, _, _ in paths}
    return root, frozenset(name for _, _, name in paths)


def _require_same(one: Path, other: Path) -> None:
    if one.name != other.name or one.read_bytes() != other.read_bytes():
        raise Unfit(f"not reproducible: {one} and {other} differ. diffoscope shows in what.")


def _git(checkout: Path, *arguments: str) -> bytes:
    return subprocess.run(  # noqa: S603 - fixed arguments.
        ["git", "-C", str(checkout), *arguments],  # noqa: S607 - git is where the user has it.
        capture_output=True,
        timeout=_BUILD_S,
        check=True,
    ).stdout
