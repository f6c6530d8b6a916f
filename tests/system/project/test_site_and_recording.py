"""What makes the pages: the site, and the recording of the demo."""

import tomllib
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree as ET

import pytest

from pages import recording, site

_CHECKOUT: Final = Path(__file__).parents[3]


def checkout(directory: Path, **pages: str) -> Path:
    """Return a checkout with pages: `docs_x` is docs/x.md, any other one beside README.md."""
    (directory / "docs").mkdir(parents=True)
    for name, text in pages.items():
        folder, _, rest = name.rpartition("_")
        (directory / folder / f"{rest}.md").write_text(text, "utf-8")
    return directory


def test_links_lead_where_the_site_has_their_pages(tmp_path: Path) -> None:
    """From the root into docs, back, and along; anchors are kept, and other addresses left alone."""
    source = checkout(
        tmp_path / "checkout",
        README="[a](docs/one.md#x) [b](HACKING.md) [c](https://example.org/x.md) [d](#here)",
        HACKING="[r](README.md)",
        docs_one="[r](../README.md), [`h`](../HACKING.md)",
    )
    site.write(source, tmp_path / "site")
    texts = {path.name: path.read_text("utf-8") for path in (tmp_path / "site").iterdir()}
    assert texts == {
        "index.md": "[a](one.md#x) [b](hacking.md) [c](https://example.org/x.md) [d](#here)",
        "hacking.md": "[r](index.md)",
        "one.md": "[r](index.md), [`h`](hacking.md)",
    }


def test_a_file_that_is_no_page_is_named_and_not_linked(tmp_path: Path) -> None:
    """The site has no sources; code is left as it is."""
    code = "```\n[x](nowhere)\n```\n\n    [y](nowhere)\n"
    source = checkout(tmp_path / "checkout", README=f"[it](LICENSE) [`LICENSE`](LICENSE)\n{code}")
    (source / "LICENSE").touch()
    site.write(source, tmp_path / "site")
    assert (tmp_path / "site" / "index.md").read_text("utf-8") == f"it (`LICENSE`) `LICENSE`\n{code}"


def test_a_dead_link_is_an_error(tmp_path: Path) -> None:
    """With the page and where it leads."""
    source = checkout(tmp_path / "checkout", docs_one="[x](two.md)")
    with pytest.raises(site.DeadLink, match=r"docs/one\.md links two\.md"):
        site.write(source, tmp_path / "site")


def test_a_diagram_of_states_becomes_a_table(tmp_path: Path) -> None:
    """A row for each arrow."""
    diagram = "```mermaid\nstateDiagram-v2\n    [*] --> A\n    A --> B: by, or\n```\n"
    source = checkout(tmp_path / "checkout", README=diagram)
    site.write(source, tmp_path / "site")
    rows = (tmp_path / "site" / "index.md").read_text("utf-8").splitlines()[2:]
    assert rows == ["| * | A |  |", "| A | B | by, or |"]


def test_the_site_has_every_page(tmp_path: Path) -> None:
    """In its navigation, but for the decisions, whose list links them."""

    def paths(entries: list[dict[str, Any]]) -> set[str]:
        found: set[str] = set()
        for value in (value for entry in entries for value in entry.values()):
            found |= paths(value) if isinstance(value, list) else {value}
        return found

    site.write(_CHECKOUT, tmp_path)
    pages = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.md")}
    decisions = {page for page in pages if page.startswith("decisions/0")}
    configuration = tomllib.loads((_CHECKOUT / "pages" / "zensical.toml").read_text("utf-8"))
    assert paths(configuration["project"]["nav"]) == pages - decisions


def test_the_recording_shows_what_the_demo_promises() -> None:
    """It is text, it ends with nothing lost, and it asks nothing of anybody else."""
    text = (_CHECKOUT / "docs" / "demo.svg").read_text("utf-8")
    title = ET.fromstring(text).findtext("{*}title") or ""
    assert title.endswith(" answered, 0 lost, 0 twice.")
    assert text.count("http") == 1 + text.count("http://127.0.0.1:")
    assert len(text) < 100_000


def test_a_recording_has_a_picture_for_each_of_its_times() -> None:
    """What was drawn over is cut at the moves up; the last picture holds what was written below it."""
    picture = "pexservice\x1b[K\n\x1b[36m█▄\x1b[0m\x1b[K\n\x1b[J"
    pieces = [(0.0, picture), (2.0, f"\x1b[2A\r{picture}"), (4.0, f"\x1b[2A\r{picture}\r\n1 answered, <0> lost\r\n")]
    frames = recording.frames(pieces)
    assert frames[0] == ["pexservice", "\x1b[36m█▄\x1b[0m"]
    assert frames[-1][-1] == "1 answered, <0> lost"
    root = ET.fromstring(recording.document(frames))
    groups = root.findall("{*}g")
    assert [group.get("class") for group in groups] == ["f", "f", "l"]
    assert [path.get("d") for path in groups[0].findall("{*}path")] == ["M0 2v-1M1 2v-0.5"]
