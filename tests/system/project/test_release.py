"""What `make dist` gives out, as far as a moment suffices; the rest is proved by `make dist` itself."""

import zipfile
from pathlib import Path

import pytest

from pexservice import __version__
from release import building, lock
from release.building import Built, Commit, Unfit
from release.lowest import dependencies, extras, lowest

_CHECKOUT = Path(__file__).parents[3]

in_git = pytest.mark.skipif(not (_CHECKOUT / ".git").exists(), reason="needs a git checkout")


@in_git
def test_a_release_is_reproducible_and_complete(tmp_path: Path) -> None:
    """Built twice, and from the sdist, the bytes are the same; the sdist is the commit; there is one version."""
    built = building.build(Commit.head(_CHECKOUT), tmp_path)
    assert built.wheel.name == f"pexservice-{__version__}-py3-none-any.whl"
    assert built.sdist.name == f"pexservice-{__version__}.tar.gz"
    with zipfile.ZipFile(built.wheel) as wheel:
        metadata = wheel.read(f"pexservice-{__version__}.dist-info/METADATA").decode()
        names = wheel.namelist()
    assert f"\nVersion: {__version__}\n" in metadata
    assert {"pexservice/http/components.json", "pexservice/py.typed"} <= set(names)
    page = {f"pexservice/walk/page/{name}" for name in ("home.html", "home.css", "home.js", "icon.svg")}
    assert page <= set(names)
    assert not [name for name in names if not name.startswith(("pexservice/", f"pexservice-{__version__}.dist-info/"))]


@in_git
def test_what_an_sdist_lacks_is_named(tmp_path: Path) -> None:
    """A file of the commit that pyproject.toml does not put into the sdist stops the release."""
    whole = Commit.head(_CHECKOUT)
    with_more = Commit(whole.archive, whole.names | {"forgotten.txt"}, whole.epoch_s)
    with pytest.raises(Unfit, match=r"differ in: forgotten\.txt"):
        building.build(with_more, tmp_path)


@in_git
def test_another_time_gives_other_bytes(tmp_path: Path) -> None:
    """The time in both files is that of the commit, so the comparison of two builds can fail."""
    commit = Commit.head(_CHECKOUT)
    commit.take_out(tmp_path / "source")
    one = Built.build(tmp_path / "source", tmp_path / "one", commit.epoch_s)
    other = Built.build(tmp_path / "source", tmp_path / "other", commit.epoch_s + 60)
    assert one.wheel.read_bytes() != other.wheel.read_bytes()
    assert one.sdist.read_bytes() != other.sdist.read_bytes()


def test_no_release_without_a_commit(tmp_path: Path) -> None:
    """Outside of git there is nothing to make a release of."""
    with pytest.raises(Unfit, match="git commit"):
        Commit.head(tmp_path)


def _locked(name: str) -> list[lock.Locked]:
    return lock.read((_CHECKOUT / "requirements" / f"{name}.txt").read_text("utf-8"))


@pytest.mark.parametrize("name", ["run", "dev", "bench", "dist", "image"])
def test_every_package_is_locked(name: str) -> None:
    """Each lock file pins each of its packages to a version and hashes, and those of `run` are pinned alike in all."""
    assert set(_locked("run")) <= set(_locked(name))


def test_the_lowest_versions_are_those_that_the_project_allows() -> None:
    """What `make test-lowest` installs is the bounds of pyproject.toml, and otherwise what all tests run with."""
    bounds = lowest(dependencies() + extras())
    versions = {each.name: each.version for each in _locked("lowest")}
    assert versions == {each.name: each.version for each in _locked("dev")} | bounds


def test_what_is_locked_is_what_the_project_needs() -> None:
    """requirements/run.in repeats the dependencies of pyproject.toml, besides the build backend."""
    lines = (_CHECKOUT / "requirements" / "run.in").read_text("utf-8").splitlines()
    assert [line for line in lines if not line.startswith(("#", "flit_core"))] == dependencies()


def test_the_image_holds_what_is_tested_and_the_extras() -> None:
    """Its lock file has the versions of `run`, and beyond them those of the extras that the tests run with."""
    beyond = set(_locked("image")) - set(_locked("run"))
    assert beyond <= set(_locked("dev"))
    lines = (_CHECKOUT / "requirements" / "image.in").read_text("utf-8").splitlines()
    assert [line for line in lines if not line.startswith(("#", "-"))] == extras()
    assert {each.name for each in beyond} == set(lowest(extras()))


@pytest.mark.parametrize("requirement", ["one", "one==1.0", "one>=1.0,<2", "one>1", "one>=1; python_version<'3.12'"])
def test_a_dependency_without_a_bound_that_can_be_tried_is_noticed(requirement: str) -> None:
    """One that `make test-lowest` could not install."""
    with pytest.raises(Unfit, match="name>=version"):
        lowest(["two>=1.0", requirement])


def test_a_package_without_hashes_is_noticed() -> None:
    """A line that is not pinned with hashes stops the release."""
    locked = f"one==1.0 \\\n    --hash=sha256:{'0' * 64}\n    # via two\n"
    assert [(each.name, each.version) for each in lock.read(locked)] == [("one", "1.0")]
    for loose in ("two==1.0\n", "two>=1.0\n"):
        with pytest.raises(Unfit, match="of the 2 packages"):
            lock.read(locked + loose)
