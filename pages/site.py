"""`make docs`: the pages of the checkout as a site, in .site/html.

The same Markdown serves GitHub and the site, so its links are relative to the checkout. Here each page is put where the
site has it, and its links with it: a link to another page leads there, one to a picture to its copy, and one to a file
that is no page becomes its name, since the site has no sources. Diagrams of states become tables: to draw them, a page
would have to load a program from elsewhere. What leads nowhere is an error.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

_CHECKOUT: Final = Path(__file__).parents[1]
_SITE: Final = _CHECKOUT / ".site"
_CONFIGURATION: Final = Path(__file__).with_name("zensical.toml")
_LINK: Final = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s#]*)(#[^)\s]*)?\)")
_DIAGRAM: Final = re.compile(r"^```mermaid\nstateDiagram-v2\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ARROW: Final = re.compile(r"^ *(\S+) --> (\S+?)(?:: (.*))?$", re.MULTILINE)
_BLOCK: Final = re.compile(r"(^```.*?^```$|^    [^\n]*$)", re.MULTILINE | re.DOTALL)
"""Blocks of code, in which nothing is a link."""
_NAMES: Final = {"README.md": "index.md", "SECURITY.md": "security-policy.md"}
"""What the site calls them: a page on security is in docs already."""
_PATIENCE_S: Final = 120


class DeadLink(Exception):
    """Raised for a link that leads nowhere; says which."""


def main() -> None:
    """Make the site."""
    shutil.rmtree(_SITE, ignore_errors=True)
    try:
        write(_CHECKOUT, _SITE / "pages")
    except DeadLink as error:
        sys.exit(f"make docs: {error}")
    shutil.copy(_CONFIGURATION, _SITE)
    shutil.copy(_CONFIGURATION.with_name("site.css"), _SITE / "pages")
    command = [str(Path(sys.executable).with_name("zensical")), "build", "--strict"]
    made = subprocess.run(command, cwd=_SITE, check=False, timeout=_PATIENCE_S, capture_output=True, text=True)  # noqa: S603
    if made.returncode or not (_SITE / "html" / "index.html").exists():
        sys.exit(f"make docs: {made.stdout}{made.stderr}")
    sys.stdout.write(f"{_SITE / 'html' / 'index.html'}\n")


def write(checkout: Path, target: Path) -> None:
    """Write the pages as the site has them. Raises DeadLink."""
    places = _places(checkout)
    for source, place in places.items():
        path = target / place
        path.parent.mkdir(parents=True, exist_ok=True)
        if source.suffix == ".md":
            path.write_text(_page(source, place, places, checkout), "utf-8")
        else:
            shutil.copy(source, path)


def _places(checkout: Path) -> dict[Path, Path]:
    """Return where the site has each file, by the file."""
    places = {path: path.relative_to(checkout / "docs") for path in (checkout / "docs").rglob("*") if path.is_file()}
    places |= {path: Path(path.name.lower()) for path in checkout.glob("*.md")}
    return {path: place.with_name(_NAMES.get(path.name, place.name)) for path, place in places.items()}


def _page(source: Path, place: Path, places: dict[Path, Path], checkout: Path) -> str:
    """Return the text of a page with the links of its place, code left alone."""

    def link(found: re.Match[str]) -> str:
        picture, words, path, anchor = found[1], found[2], found[3], found[4] or ""
        if not path or re.match(r"[a-z]+:", path):
            return found[0]
        linked = (source.parent / path).resolve()
        linked = linked / "README.md" if (linked / "README.md") in places else linked
        if linked in places:
            up = "../" * (len(place.parts) - 1)
            return f"{picture}[{words}]({up}{places[linked].as_posix()}{anchor})"
        if not linked.exists():
            message = f"{source.relative_to(checkout)} links {path}, which is not there"
            raise DeadLink(message)
        return words if "`" in words else f"{words} (`{linked.relative_to(checkout)}`)"

    text = _DIAGRAM.sub(_table, source.read_text("utf-8"))
    parts = _BLOCK.split(text)
    return "".join(part if index % 2 else _LINK.sub(link, part) for index, part in enumerate(parts))


def _table(found: re.Match[str]) -> str:
    """Return a diagram of states as a table."""
    ends = {"[*]": "*"}
    rows = [
        f"| {ends.get(arrow[1], arrow[1])} | {ends.get(arrow[2], arrow[2])} | {arrow[3] or ''} |"
        for arrow in _ARROW.finditer(found[1])
    ]
    return "\n".join(["| from | to | by |", "|---|---|---|", *rows])


if __name__ == "__main__":
    main()
