"""The pages that describe the source, compared with it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from zlib import crc32

import pytest

from pexservice.cli import frame
from pexservice.core.group import Life
from pexservice.errors import Fatal
from pexservice.stores.journal.record import check

CHECKOUT: Final = Path(__file__).parents[2]
SOURCE: Final = CHECKOUT / "src" / "pexservice"
ARCHITECTURE: Final = (CHECKOUT / "docs" / "architecture.md").read_text("utf-8")
PAGES: Final = sorted([*CHECKOUT.glob("*.md"), *(CHECKOUT / "docs").rglob("*.md")])
_FOLDERS: Final = "|".join(path.parent.name for path in SOURCE.glob("*/__init__.py"))
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(CHECKOUT).as_posix())


def _modules() -> Iterator[str]:
    """Yield the modules with something in them: a package may have a docstring and nothing more."""
    for path in SOURCE.rglob("*.py"):
        if len(ast.parse(path.read_text("utf-8")).body) > 1 or path.name != "__init__.py":
            yield path.relative_to(SOURCE).as_posix()


def _rows() -> Iterator[str]:
    """Yield what the table of modules names; a name without a folder is in that of the name before it."""
    section = ARCHITECTURE.partition("\n## Where is what\n")[2].partition("\n## ")[0]
    for cell in re.findall(r"^\| ([^|]*) \|", section, re.MULTILINE):
        folder = ""
        for name in re.findall(r"`([\w/]+\.py)`", cell):
            folder = name.rpartition("/")[0] or folder
            yield f"{folder}/{name.rpartition('/')[2]}".lstrip("/")


def test_the_map_names_every_module_once() -> None:
    """docs/architecture.md has a row for each module of the source, and for none that is not there."""
    assert sorted(_rows()) == sorted(_modules())


def test_the_diagram_of_a_group_has_its_life() -> None:
    """It names the states of `Life`, in their order, and no others."""
    section = ARCHITECTURE.partition("\n## A group's life\n")[2].partition("\n## ")[0]
    diagram = section.partition("```mermaid\nstateDiagram-v2\n")[2].partition("```")[0]
    drawn = list(dict.fromkeys(re.findall(r"--> ([A-Z_]+)", diagram)))
    assert drawn == [life.name for life in Life]


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    """Each file that a page links is there, and so is each heading."""
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        if re.match(r"https?:", target):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), target
        if anchor:
            assert anchor in _anchors(linked.read_text("utf-8")), target


@each_page
def test_named_modules_are_there(page: Path) -> None:
    """Each module that a page names by its folder is in the source."""
    for name in re.findall(rf"(?<![\w/.-])((?:{_FOLDERS})/[\w/]+\.py)\b", page.read_text("utf-8")):
        assert (SOURCE / name).is_file(), name


@each_page
def test_named_paths_are_there(page: Path) -> None:
    """So is each path of the checkout, but those that are made later: they begin with a dot."""
    for name in re.findall(r"`((?:src|tests|examples|docs|deploy|requirements)/[\w./-]+)`", page.read_text("utf-8")):
        assert (CHECKOUT / name).exists(), name


@pytest.mark.parametrize("page", [*PAGES, *(SOURCE / "stores/journal").glob("r*.py")], ids=lambda page: page.name)
def test_shown_rows_are_rows(page: Path) -> None:
    """What a page shows of a journal has the checksums that the journal would write; and of a ring, likewise."""
    text = page.read_text("utf-8")
    for ring in re.findall(r"^ *v2,\S+(?:\n *[0-9]+,[0-9]+,[0-9]+,[0-9a-f]{8},[0-9]+/[0-9]+,\S+)*", text, re.MULTILINE):
        for line in map(str.strip, ring.splitlines()):
            assert f"{crc32(line[:-9].encode()):08x}" == line[-8:], line
        text = text.replace(ring, "")
    checksum = 0
    for line in text.splitlines():
        shown = re.match(r"\s*((?:sequence|[0-9]+),\S*(?: \S+)*?,(?:checksum|[0-9a-f]{8}))(?: |$)", line)
        if shown is not None and shown[1].startswith("sequence,"):
            checksum = crc32(f"{shown[1]}\n".encode())
        elif shown is not None:
            checksum = check(shown[1].encode(), checksum)


def _statuses(family: type[Fatal]) -> set[int]:
    return {family.exit_status}.union(*map(_statuses, family.__subclasses__()))


def test_every_exit_status_is_explained() -> None:
    """The help, and the tables for who runs the service, have each status that the catalogue of errors has."""
    ending = _statuses(Fatal)
    assert ending >= {2, 65, 70, 77}
    told = {int(each) for each in re.findall(r"^ +(\d+)  ", frame._EXIT_STATUSES, re.MULTILINE)}
    assert told == ending | {0, 1}
    for page, elsewhere in (("operations.md", set()), ("kubernetes.md", {66})):  # A schema is none of a volume.
        text = (CHECKOUT / "docs" / page).read_text("utf-8").partition("| exit status |")[2].partition("\n\n")[0]
        rows = {int(each) for row in re.findall(r"^\| ([\d, ]+) \|", text, re.MULTILINE) for each in row.split(",")}
        assert rows >= ending - elsewhere, page


def test_the_first_change_can_be_made() -> None:
    """What HACKING.md changes in the box office is there to be changed, in one piece."""
    text = (CHECKOUT / "HACKING.md").read_text("utf-8")
    diff = text.partition("```diff\n")[2].partition("```")[0].splitlines()
    before = "\n".join(line[1:] for line in diff if line[:1] != "+")
    assert before in (CHECKOUT / "examples" / "tickets" / "endpoints.py").read_text("utf-8")


def test_every_page_is_linked() -> None:
    """Each page is reached from the README, directly or over others."""
    reached, waiting = set(), [CHECKOUT / "README.md"]
    while waiting:
        page = waiting.pop()
        reached.add(page)
        linked = {(page.parent / path).resolve() for path in re.findall(r"\]\(([^)\s#]+)", page.read_text("utf-8"))}
        folders = {path / "README.md" for path in linked if path.is_dir()}
        waiting += [path for path in (linked | folders) & set(PAGES) if path not in reached]
    assert sorted(set(PAGES) - reached) == []


def _anchors(text: str) -> set[str]:
    """Return the anchors of headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
